"""The variables of templated policies: what each will be worth to the token of one login, as far as that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from webhook.rolecheck import jwt
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.roles import JwtRole, KubernetesRole, Role
from webhook.rolecheck.bindings.snapshot import Snapshot


class Fate(Enum):
    """What becomes of a variable without a known value."""

    DROPPED = "dropped"  # it does not resolve; the server leaves the rule out
    UNCERTAIN = "uncertain"  # it will have some value


Worth = str | Fate


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token will belong to."""

    accessor: str  # of the login mount; "": unknown
    alias_name: Worth
    metadata: Mapping[str, Worth]  # of the alias: what is certain to be there
    other_metadata: Worth  # of the alias: any other key
    unseen: Fate  # what only a managed identity has: groups, other aliases, entity metadata

    def worth(self, variable: str) -> Worth:
        """Return the value of a template variable, or its fate."""
        head, _, rest = variable.partition(".")
        if head == "time":
            return Fate.UNCERTAIN if rest == "now" or rest.startswith("now.") else Fate.DROPPED
        kind, _, name = rest.partition(".")
        if head != "identity" or not name:
            return Fate.DROPPED
        if kind == "groups":
            return self.unseen
        return self._entity(name) if kind == "entity" else Fate.DROPPED

    def _entity(self, name: str) -> Worth:
        if name in ("id", "name"):
            return Fate.UNCERTAIN
        if name.startswith("metadata.") and name != "metadata.":
            return self.unseen
        if not name.startswith("aliases."):
            return Fate.DROPPED
        if not self.accessor:
            return Fate.UNCERTAIN
        accessor, _, member = name.removeprefix("aliases.").partition(".")
        return self._alias(member) if accessor == self.accessor else self.unseen

    def _alias(self, member: str) -> Worth:
        if member == "name":
            return self.alias_name
        if member == "id":
            return Fate.UNCERTAIN
        kind, _, key = member.partition(".")
        if kind == "metadata" and key:
            return self.metadata.get(key, self.other_metadata)
        return self.unseen if kind == "custom_metadata" and key else Fate.DROPPED


def identity_of(role: Role, attempt: Attempt, snapshot: Snapshot) -> Identity:
    """Return the identity a login of this claim at this role yields."""
    alias = _jwt(role, attempt) if isinstance(role, JwtRole) else _kubernetes(role, attempt, snapshot)
    unseen = Fate.UNCERTAIN if snapshot.identity_is_managed else Fate.DROPPED
    return Identity(attempt.mount.accessor, *alias, unseen)


def _kubernetes(role: KubernetesRole, attempt: Attempt, snapshot: Snapshot) -> tuple[Worth, dict[str, Worth], Worth]:
    claim, config = attempt.claim, attempt.mount.config
    account, uid = claim.service_account or "default", claim.uid or Fate.UNCERTAIN
    named = role.alias_name_source == "serviceaccount_name"
    metadata: dict[str, Worth] = {
        "service_account_name": account,
        "service_account_namespace": claim.namespace,
        "service_account_uid": uid,
        "service_account_secret_name": "",  # projected tokens have no secret
    }
    has_more = snapshot.product == "vault" and (config.has_annotation_metadata or not config.is_known)
    return (
        f"{claim.namespace}/{account}" if named else uid,
        metadata,
        Fate.UNCERTAIN if has_more else Fate.DROPPED,
    )


def _jwt(role: JwtRole, attempt: Attempt) -> tuple[Worth, dict[str, Worth], Worth]:
    claims = jwt.token_claims(attempt)
    metadata: dict[str, Worth] = {"role": role.name}
    for name, key in role.claim_mappings.items():
        value = jwt.lookup(claims, name)
        if value is not jwt.ABSENT:
            metadata[key] = value if isinstance(value, str) else Fate.UNCERTAIN
    alias = jwt.user_claim(role, claims)
    return alias if isinstance(alias, str) else Fate.UNCERTAIN, metadata, Fate.DROPPED
