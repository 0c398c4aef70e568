"""The policies of a role's token: what they grant, which are missing, which are invalid, and whether some are unknown.

Parsed policies and the merged rules of a role are kept in the snapshot's cache: built once for each document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from webhook.rolecheck.acl.hcl import PolicySyntaxError
from webhook.rolecheck.acl.policy import Block, blocks, kind_of
from webhook.rolecheck.acl.ruleset import RuleSet, add_block
from webhook.rolecheck.acl.template_variables import TemplateVariables, variables_of
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.roles import DEFAULT_POLICY, Role
from webhook.rolecheck.bindings.snapshot import AuthMount, PolicyEntry, Snapshot

# Characters of all policies of one role that are read: some 7,000 rules, a second of work, once for each document. A Vault stores
# at most 512 KiB (Consul) or 1 MiB (its own storage) for one policy. What is beyond counts as unknown.
TEXTS_MAX = 512 << 10
DEFAULT_POLICY_TEXT = """
path "auth/token/lookup-self" { capabilities = ["read"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }
"""  # what the built-in one lets a token read; operators may edit it


class Varying(NamedTuple):
    """A block that depends on who asks, or when."""

    block: Block
    allows_slashes: bool  # in template values


@dataclass(frozen=True, slots=True)
class Policies:
    """What the policies of one role say."""

    fixed: RuleSet  # of blocks that are the same for everyone at any time
    varying: Mapping[
        str, tuple[Varying, ...]
    ]  # templated and expiring ones, by the first segment of the paths they match, "": any
    missing: str  # the first policy that does not exist
    invalid: str  # the first whose text could not be parsed
    has_unknown: bool


class Grants:
    """What one login is granted."""

    __slots__ = ("_below", "_filled", "_login", "_now", "_variables", "policies", "snapshot")

    def __init__(self, policies: Policies, role: Role, attempt: Attempt, snapshot: Snapshot, now: float | None) -> None:
        """Collect what is the same for all paths.

        Args:
            policies: of the role.
            role: the one logged in to.
            attempt: the login.
            snapshot: what is known of the server.
            now: Unix seconds; None: no block has expired.
        """
        self.policies = policies
        self.snapshot = snapshot
        self._login = role, attempt
        self._variables: TemplateVariables | None = None
        self._now = now
        self._below = self._with(policies.fixed, policies.varying.get("", ()))
        self._filled: dict[str, RuleSet] = {}  # by the first segment

    def rules_below(self, root: str) -> RuleSet:
        """Return the rules for paths whose first segment is `root`, templates filled for this login, once for each root."""
        known = self._filled.get(root)
        if known is None:
            known = self._filled[root] = self._with(self._below, self.policies.varying.get(root, ()) if root else ())
        return known

    def _with(self, below: RuleSet, varying: Iterable[Varying]) -> RuleSet:
        current = [item for item in varying if self._is_current(item.block)]
        if not current:
            return below
        if self._variables is None:
            self._variables = variables_of(*self._login, self.snapshot)
        rules = RuleSet(below)
        for block, allows_slashes in current:
            add_block(rules, block, self._variables, allows_slashes=allows_slashes)
        return rules

    def _is_current(self, block: Block) -> bool:
        return block.expires_at is None or self._now is None or block.expires_at > self._now


def policies_of(role: Role, mount: AuthMount, snapshot: Snapshot) -> Policies:
    """Return the policies a token of the role gets, read once for each document."""
    key = (mount.namespace, role.token)
    known: Policies | None = snapshot.policies_by_terms.get(key)
    if known is None:
        known = snapshot.policies_by_terms[key] = _read_policies(role, mount.namespace, snapshot)
    return known


def _read_policies(role: Role, namespace: str, snapshot: Snapshot) -> Policies:
    token = role.token
    fixed, missing, invalid = RuleSet(), "", ""
    varying: dict[str, list[Varying]] = {}
    has_unknown = token.templated_policies
    length = 0
    for name in token.policy_names:
        entry = _entry(name, namespace, snapshot)
        length += len(entry.text or "") if entry else 0
        if length > TEXTS_MAX:
            has_unknown = True
            break
        if entry is None or entry.text is None:
            is_missing = entry is None and snapshot.policies is not None and snapshot.policies_are_complete
            missing = missing or (name if is_missing else "")
            has_unknown = has_unknown or not is_missing
            continue
        parsed = _parsed(entry, namespace, snapshot)
        if parsed is None:
            invalid = invalid or name
            continue
        allows_slashes = snapshot.product == "vault" or entry.allows_slashes
        for block in parsed:
            if block.is_templated or block.expires_at is not None:
                varying.setdefault(_fixed_root(block.path), []).append(Varying(block, allows_slashes))
            else:
                fixed.add(*kind_of(block.path), block.rule)
    return Policies(fixed, {root: tuple(items) for root, items in varying.items()}, missing, invalid, has_unknown)


def _fixed_root(path: str) -> str:
    root, slash, _ = path.removeprefix("/").partition("/")
    return root if slash and not {"{", "+"} & set(root) else ""


def _entry(name: str, namespace: str, snapshot: Snapshot) -> PolicyEntry | None:
    entry = (snapshot.policies or {}).get((namespace, name))
    if name == DEFAULT_POLICY and (entry is None or entry.text is None):
        return PolicyEntry(name=DEFAULT_POLICY, text=DEFAULT_POLICY_TEXT, allows_slashes=False)
    return entry


def _parsed(entry: PolicyEntry, namespace: str, snapshot: Snapshot) -> tuple[Block, ...] | None:
    """Return the blocks of a policy, parsed once for each document; None where the text is no policy."""
    key = (namespace, entry.name)
    parsed: dict[tuple[str, str], tuple[Block, ...] | None] = snapshot.parsed_policies
    if key not in parsed:
        try:
            parsed[key] = blocks(entry.text or "")
        except PolicySyntaxError:
            parsed[key] = None
    return parsed[key]
