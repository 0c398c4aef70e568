"""What we know of Vault and of namespaces, and how an answer changes it. No I/O and no clock: times are handed in.

A role or policy whose text is not known yet is written like one that may not be read: it exists, and what it says is
unknown, which warns and never denies. Whatever could not be read keeps what was known before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from webhook.rolecheck.bindings.roles import RoleShape, policy_names, with_default
from webhook.rolecheck.bindings.snapshot import JWT_TYPES, KUBERNETES, ROLE_TYPES
from webhook.rolecheck.role_ref import RoleRef

NEVER = float("-inf")
ROLE_FIELDS = tuple(name for name in RoleShape.__struct_fields__ if name != "data")
CONFIG_FIELDS = (
    "issuer",
    "disable_iss_validation",
    "disable_local_ca_jwt",
    "token_reviewer_jwt_set",
    "use_annotations_as_alias_metadata",
    "bound_issuer",
)
_BUILTIN_OF_OPENBAO = ".bao"  # how the version of a plugin that is part of OpenBao ends

T = TypeVar("T")
MountKey = tuple[str, str]  # Vault namespace and path


class Key(NamedTuple):
    """One text that takes a request of its own: of a role, or with an empty mount of a policy."""

    namespace: str
    mount: str
    name: str

    @classmethod
    def of(cls, ref: RoleRef) -> "Key":
        """Return the key of a role."""
        return cls(ref.namespace, ref.mount, ref.name)


@dataclass(slots=True)
class Body(Generic[T]):
    """A role's fields or a policy's text; None: not read yet, or not readable."""

    value: T | None = None
    read_at: float = NEVER  # when Vault last answered, a refusal too


@dataclass(slots=True, kw_only=True)
class KnownMount:
    """An auth mount."""

    type: str
    accessor: str = ""
    fetched_at: float | None = None  # of its list of roles; None: never listed
    config: dict[str, Any] | None = None
    roles: dict[str, Body[dict[str, Any]]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Space:
    """A Vault namespace."""

    auth_is_known: bool = False  # all its auth mounts are among ours
    children: tuple[str, ...] | None = None  # namespaces right below; None: unknown
    policies: dict[str, Body[str]] = field(default_factory=dict)
    policies_are_known: bool = False  # those are all
    secret_mounts: tuple[dict[str, Any], ...] | None = None  # None: unknown


@dataclass(slots=True, kw_only=True)
class Known:
    """All of it."""

    fetched_at: float | None = None  # when every mount to poll was last listed
    product: str = "vault"
    mounts: dict[MountKey, KnownMount] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)  # of Kubernetes namespaces
    labels_at: float = NEVER

    def space(self, namespace: str) -> Space:
        """Return a Vault namespace, known so far or not."""
        return self.spaces.setdefault(namespace, Space())

    def text(self, key: Key) -> Body[Any] | None:
        """Return the text of a role or policy that exists."""
        if not key.mount:
            return self.space(key.namespace).policies.get(key.name)
        mount = self.mounts.get((key.namespace, key.mount))
        return None if mount is None else mount.roles.get(key.name)

    def texts(self) -> Iterator[tuple[Key, Body[Any]]]:
        """Yield every role, and every policy a known role attaches."""
        for (namespace, path), mount in self.mounts.items():
            for name, role in mount.roles.items():
                yield Key(namespace, path, name), role
        for namespace, name in sorted(self._policies_in_use()):
            policy = self.space(namespace).policies.get(name)
            if policy is not None:
                yield Key(namespace, "", name), policy

    def _policies_in_use(self) -> set[tuple[str, str]]:
        return {
            (namespace, name)
            for (namespace, _), mount in self.mounts.items()
            for role in mount.roles.values()
            if role.value is not None
            for name in policies_of(role.value)
        }

    @property
    def uses_labels(self) -> bool:
        """Tell whether a known role selects namespaces by their labels."""
        return any(
            role.value is not None and role.value.get("bound_service_account_namespace_selector")
            for mount in self.mounts.values()
            for role in mount.roles.values()
        )


def take_auth_mounts(known: Known, namespace: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Take over a namespace's auth mounts: new ones appear, changed ones change, others go."""
    for key in [key for key in known.mounts if key[0] == namespace and key[1] not in found]:
        del known.mounts[key]
    for path, facts in found.items():
        mount = known.mounts.get((namespace, path))
        accessor = str(facts.get("accessor") or "")
        if mount is None or mount.type != facts["type"] or (accessor and mount.accessor not in ("", accessor)):
            mount = known.mounts[namespace, path] = KnownMount(type=facts["type"])  # another one now: nothing stays
        mount.accessor = accessor
    versions = [str(facts.get("running_plugin_version") or "") for facts in found.values()]
    if any(versions):
        known.product = "openbao" if any(text.endswith(_BUILTIN_OF_OPENBAO) for text in versions) else "vault"
    known.space(namespace).auth_is_known = True


def take_list(mount: KnownMount, names: Iterable[str], *, asked_at: float) -> None:
    """Take over the list of a mount's roles; a role read since it was asked for stays."""
    wanted = set(names)
    mount.roles = {name: text for name, text in mount.roles.items() if name in wanted or text.read_at > asked_at} | {
        name: Body() for name in sorted(wanted - mount.roles.keys())
    }
    mount.fetched_at = asked_at


def take_config(mount: KnownMount, config: Mapping[str, Any] | None) -> None:
    """Take over a mount's configuration; the fields that decide nothing stay out of the document."""
    mount.config = None if config is None else _chosen(config, CONFIG_FIELDS)


def take_role(mount: KnownMount, name: str, fields: Mapping[str, Any] | None, *, now: float) -> None:
    """Take over a role; None: it exists and may not be read."""
    mount.roles[name] = Body(None if fields is None else trimmed(fields), now)


def take_policy_names(space: Space, names: Iterable[str]) -> None:
    """Take over the list of a namespace's policies."""
    space.policies = {name: space.policies.get(name) or Body() for name in sorted(names)}
    space.policies_are_known = True


def trimmed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role's fields that decide something, those with the value they have when absent left out."""
    return {name: value for name, value in _chosen(fields, ROLE_FIELDS).items() if value}


def _chosen(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}


def policies_of(role: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the policies a role's token has, as Vault keeps them."""
    named = _names(role.get("token_policies")) or _names(role.get("policies"))
    return with_default(policy_names(named), unless=bool(role.get("token_no_default_policy")))


def _names(written: object) -> tuple[str, ...] | str:
    return (
        written if isinstance(written, str) else tuple(map(str, written)) if isinstance(written, (list, tuple)) else ()
    )


def type_of(config: Mapping[str, Any] | None, roles: Iterable[Mapping[str, Any]]) -> str:
    """Guess the type of a mount whose facts we may not read."""
    is_jwt = any("user_claim" in role or "role_type" in role for role in roles)
    is_jwt = is_jwt or any(name in (config or {}) for name in ("oidc_discovery_url", "jwks_url", "bound_issuer"))
    return JWT_TYPES[0] if is_jwt else KUBERNETES


def has_roles(mount: KnownMount) -> bool:
    """Tell whether the mount is of a type whose roles we read."""
    return mount.type in ROLE_TYPES
