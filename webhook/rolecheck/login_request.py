"""Who asks for what: a login at a Vault role, and the rules of this installation it is judged by."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level


def _in_a_case(name: str) -> str:
    """Return a member's name as a case of explain.py spells it: `expiration_s` is `expirationSeconds`."""
    head, *rest = (f"{name[:-2]}_seconds" if name.endswith("_s") else name).split("_")
    return head + "".join(map(str.capitalize, rest))


class Mode(StrEnum):
    """What a check does with what it finds."""

    ENFORCE = "enforce"
    WARN = "warn"  # every deny becomes a warning
    OFF = "off"


class PolicyCheck(StrEnum):
    """The same for the secrets' paths."""

    DENY = "deny"
    WARN = "warn"
    OFF = "off"


class Lapse(StrEnum):
    """What missing or old data mean."""

    OPEN = "open"  # a warning
    CLOSED = "closed"  # a refusal


class Disclosure(StrEnum):
    """How much a message may tell of a role."""

    MINIMAL = "minimal"
    FULL = "full"  # bound patterns and similar role names too


class Rules(Struct, frozen=True, kw_only=True, rename=_in_a_case):
    """The settings of the check."""

    mode: Mode = Mode.ENFORCE
    policy_check: PolicyCheck = PolicyCheck.WARN
    on_unavailable: Lapse = Lapse.OPEN
    on_stale: Lapse = Lapse.OPEN
    max_staleness_s: float = 900
    wildcard: Level = Level.WARN
    require_audience: Level = Level.ALLOW  # allow: the setting's `off`
    api_server_audiences: tuple[str, ...] | None = None  # None: unknown
    default_token_audiences: tuple[str, ...] | None = None  # of a token mounted without an audience; None: unknown
    cluster_issuer: str = ""  # "": unknown
    lifetime_advisories: bool = False
    disclosure: Disclosure = Disclosure.MINIMAL


class FieldNames(Struct, frozen=True, kw_only=True):
    """What a source calls the parts of a login, as the words of a finding name them; the defaults are those of explain.py."""

    kind: str = "field"  # what they are
    role: str = "`role`"
    mount: str = "`authPath`"
    mount_form: str = " (it starts with `auth/`)"  # how a mount is written there; "" where that needs no word
    namespace: str = "`vaultNamespace`"
    auth_type: str = "`authType`"
    audience: str = "`audience`"
    token: str = "`hasToken`"  # noqa: S105 a name of a field, no password
    account: str = "`serviceAccount`"
    object: str = "the pod"  # whose login it is
    client: str = "the agent"  # what logs in for it

    def placeholders(self) -> dict[str, str]:
        """Return what fills the placeholders of CATALOGUE that are no names of Vault or Kubernetes."""
        parts = ("role", "mount", "namespace", "auth_type", "audience", "token", "account")
        return {f"{part}_field": getattr(self, part) for part in parts} | {
            "kind": self.kind,
            "mount_form": self.mount_form,
            "object": self.object,
            "client": self.client,
        }


FIELDS_OF_A_CASE = FieldNames()


class LoginRequest(Struct, frozen=True, kw_only=True, rename=_in_a_case):
    """A login some agent will try: which role of which server, and as whom."""

    ref: RoleRef
    fields: FieldNames = FIELDS_OF_A_CASE
    asks_in: str | None = None  # the Vault namespace the agent sends with each request; None: that of the role
    auth_type: str = "kubernetes"
    service_account: str  # "" is the account `default`
    namespace: str
    namespace_labels: Mapping[str, str] | None = None  # None: unknown here; the snapshot may know them
    audience: tuple[str, ...] | None = None  # of the token the agent sends; None: unknown, () carries none
    expiration_s: int | None = None  # of that token
    issuer: str = ""  # "": Rules.cluster_issuer
    uid: str = ""  # of the service account; "": unknown
    pod_name: str = ""  # "": not known before the pod exists
    has_token: bool = True
    config_inspected: bool = True  # False: the agent's configuration comes from elsewhere and was not seen
