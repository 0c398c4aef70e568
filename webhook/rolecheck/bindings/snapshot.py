"""What is known of one server at one time: mounts, roles, policies, ready to be asked. load.py builds it.

A role's normal form is built when a pod first asks for it, so a look-up never depends on the number of roles.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from webhook.rolecheck.bindings.roles import Role, RoleShape, TokenTerms, jwt_role, kubernetes_role
from webhook.rolecheck.bindings.selector import Selector

KUBERNETES = "kubernetes"
JWT_TYPES = ("jwt", "oidc")
ROLE_TYPES = (KUBERNETES, *JWT_TYPES)  # mounts of these types have roles we can read


class RoleState(Enum):
    """Why there is no role to check."""

    ABSENT = "absent"
    UNREADABLE = "unreadable"  # it exists; its bindings could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """The fields of an auth mount's configuration that decide a login; absent ones as the server takes them."""

    is_known: bool = False  # the document has a config section for the mount
    issuer: str = ""  # empty: no issuer is checked
    reviewer_is_missing: bool = False  # no credential of its own to review tokens with, stated explicitly
    has_annotation_metadata: bool = False
    bound_issuer: str = ""  # jwt


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthMount:
    """One auth mount with its roles."""

    path: str  # no `auth/`, no slash at either end
    namespace: str  # Vault's; "" is the root
    type: str
    accessor: str  # "" where the document names none
    complete: bool  # the role list is exhaustive
    fetched_at: float | None  # of this mount alone
    config: AuthConfig
    texts: Mapping[str, RoleShape | None] = field(repr=False)  # by lower-case name; None could not be read
    selectors: Mapping[str, Selector] = field(repr=False)  # by text
    _roles: dict[str, Role] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )  # those asked for so far

    def role(self, name: str) -> Role | RoleState:
        """Return the role of that name, whatever its case, or why there is none."""
        key = name.lower()
        known = self._roles.get(key)
        if known is not None:
            return known
        text = self.texts.get(key, RoleState.ABSENT)
        if isinstance(text, RoleState):
            return text
        if text is None:
            return RoleState.UNREADABLE
        role: Role = jwt_role(key, text) if self.type in JWT_TYPES else kubernetes_role(key, text, self.selectors)
        self._roles[key] = role
        return role


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """One ACL policy."""

    name: str  # lower case
    text: str | None  # None: it exists, its text could not be read
    allows_slashes: bool  # OpenBao: template values may hold slashes


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretMount:
    """One secrets mount."""

    path: str  # no slash at either end
    kv_version: int  # 1 or 2; 0 for other engines


# by Vault namespace, then by path; under None those that state no namespace, which every other holds too
SecretMounts = Mapping[str | None, Mapping[str, SecretMount]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known of one server at one time."""

    product: str  # vault or openbao
    server_address: str  # "" where the document names none
    fetched_at: float | None  # Unix seconds; None never grows stale
    identity_is_managed: bool  # entities and groups may grant more than the role does
    auth_is_complete: bool
    policies_are_complete: bool
    mounts_are_complete: bool
    auth_mounts: Mapping[tuple[str, str], AuthMount] = field(repr=False)  # by namespace and path
    policies: Mapping[tuple[str, str], PolicyEntry] | None = field(repr=False)  # by namespace and name; None: unknown
    secret_mounts: SecretMounts | None = field(repr=False)  # None: unknown
    namespaces: Mapping[str, Mapping[str, str]] = field(repr=False)  # of Kubernetes: their labels
    # what acl/role_policies.py has read so far, of its own types; `replace` begins anew
    parsed_policies: dict[tuple[str, str], Any] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )  # by namespace and name
    policies_by_terms: dict[tuple[str, TokenTerms], Any] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )  # by namespace and a token's terms
    # what was worked out of the fields above when it was first asked for
    _longest_mounts: dict[str, int] = field(init=False, default_factory=dict, repr=False, compare=False)
    _vault_namespaces: list[tuple[str, ...]] = field(init=False, default_factory=list, repr=False, compare=False)

    @property
    def role_count(self) -> int:
        """Return the number of roles of all mounts."""
        return sum(len(mount.texts) for mount in self.auth_mounts.values())

    @property
    def mount_count(self) -> int:
        """Return the number of auth mounts."""
        return len(self.auth_mounts)

    def auth_mount(self, namespace: str, path: str) -> AuthMount | None:
        """Return the auth mount at that path (no `auth/`) of that Vault namespace."""
        return self.auth_mounts.get((namespace, path))

    def mounts_of(self, namespace: str) -> Mapping[str, SecretMount] | None:
        """Return the secrets mounts of that Vault namespace by path; None: unknown."""
        if self.secret_mounts is None:
            return None
        return self.secret_mounts.get(namespace, self.secret_mounts.get(None, {}))

    def mount_of(self, namespace: str, path: str) -> SecretMount | None:
        """Return the secrets mount of that Vault namespace with the longest path that is a prefix of this one, in whole segments."""
        mounts = self.mounts_of(namespace) or {}
        longest = self._longest_mounts.get(namespace)
        if longest is None:
            longest = self._longest_mounts[namespace] = max(map(len, mounts), default=0)
        head = path if len(path) <= longest else path[: max(path.rfind("/", 0, longest + 1), 0)]
        while head and head not in mounts:
            head = head.rpartition("/")[0]
        return mounts.get(head)

    def has_namespace(self, namespace: str) -> bool:
        """Tell whether the document speaks of that Vault namespace, or of one in it; "" is the root."""
        if not self._vault_namespaces:
            keys = [key[0] for key in (*self.auth_mounts, *(self.policies or ()))]
            names = {f"{name}/" for name in (*keys, *(self.secret_mounts or ())) if name}
            self._vault_namespaces.append(tuple(sorted(names)))
        known = self._vault_namespaces[0]
        at = bisect_left(known, f"{namespace}/")
        return not namespace or (at < len(known) and known[at].startswith(f"{namespace}/"))
