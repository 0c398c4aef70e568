"""Who asks for what: a login at a Vault role, and the rules of this installation it is judged by."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level


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


class Rules(Struct, frozen=True, kw_only=True):
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


class LoginRequest(Struct, frozen=True, kw_only=True):
    """A login some agent will try: which role of which server, and as whom."""

    ref: RoleRef
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
