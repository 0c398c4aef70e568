"""Settings: one frozen value, checked once at start.

`ROWS` is the single source: each row names its flag, its variable, its default and what it does; `docs/settings.md` and the
command line are made from it. A flag beats a variable; an empty variable is unset; an empty flag clears.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from webhook.core.annotations import go_values
from webhook.core.annotations.family import OPENBAO, VAULT
from webhook.core.annotations.go_values import backoffs_fit
from webhook.core.annotations.presets import Policy, Preset, PresetMode
from webhook.core.annotations.read import Reader
from webhook.core.annotations.table import BY_KEY
from webhook.core.inject.pod_settings import Profile, SidecarMode
from webhook.core.refusal import clean
from webhook.rolecheck.login_request import Disclosure, Lapse, Mode, PolicyCheck, Rules
from webhook.rolecheck.verdict import Level

PREFIX = "AGENT_INJECT_"
TOKEN_EXPIRATION_MIN_S = 600  # ServiceAccountTokenProjection, core/v1
TOKEN_EXPIRATION_MAX_S = 2**32
_LOG_LEVELS = {
    "": "info",
    "notice": "info",
    "warning": "warn",
    "err": "error",
    **{level: level for level in ("trace", "debug", "info", "warn", "error")},
}
_LEVELS = {"allow": Level.ALLOW, "off": Level.ALLOW, "warn": Level.WARN, "deny": Level.DENY}
_SEGMENT = re.compile(r"[\w.-]*[\w-]", re.ASCII)  # of a mount path: neither `.` nor `..`
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----", re.DOTALL)


class SettingsError(ValueError):
    """A setting has a value we cannot work with; the text names it in one line."""


class Address(NamedTuple):
    """Where to listen; an empty host means every address, IPv4 and IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in a setting."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class VaultAuth(StrEnum):
    """How the controller logs in to Vault."""

    KUBERNETES = "kubernetes"
    APPROLE = "approle"
    TOKEN_FILE = "token_file"  # noqa: S105 the name of a method


class Control(Struct, frozen=True, kw_only=True):
    """What the controller goes by; paths of mounts have no `auth/` and no slash at either end."""

    document: str  # the file it writes
    listen: Address
    state_file: str  # "": none
    confirm_socket: str  # "": none
    poll_interval_s: int
    reads_per_second: int
    max_staleness_s: int
    wants_policies: bool
    identity_model: str
    agents_address: str  # of Vault, as pods name it
    vault_address: str
    vault_ca_file: str  # "": vault_ca_certificates, and if there are none either, the system's
    vault_ca_certificates: str
    vault_namespace: str
    vault_auth: VaultAuth
    vault_auth_path: str
    vault_role: str
    token_file: str
    role_id_file: str
    secret_id_file: str
    mounts: tuple[tuple[str, str], ...]  # Vault namespace and path
    reads_labels: bool
    kubeconfig: str  # "": as a pod of the cluster


class Row(Struct, frozen=True, kw_only=True):
    """One setting; `read` raises ValueError whose text says what is wanted."""

    variable: str  # without PREFIX
    read: Callable[[str], Any]
    default: str
    effect: str
    flag: str = ""  # by default the variable in kebab case
    annotation: str = ""  # the setting is the default of this annotation
    masked: bool = False
    also: tuple[str, ...] = ()  # further variables, without PREFIX, that are read when this one is unset

    @property
    def option(self) -> str:
        """The flag without its dashes."""
        return self.flag or self.variable.lower().replace("_", "-")

    @property
    def field(self) -> str:
        """The attribute of Settings, its unit at the end."""
        return self.variable.lower() + ("_s" if self.read in (go_values.duration_s, _deadline_s) else "")


def address(raw: str) -> Address:
    """Read `host:port`, `:port` or `[ipv6]:port`; port 0 lets the system choose."""
    parts = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", raw)
    if parts is None or int(parts["port"]) > go_values.PORT_MAX:
        raise ValueError("want an address such as :8080, 127.0.0.1:8080 or [::1]:8080")
    return Address(parts["six"] or parts["host"] or "", int(parts["port"]))


def certificates(raw: str) -> str:
    """Read PEM certificates, or the base64 of them; empty for none."""
    text = raw
    if raw and "-----BEGIN" not in raw:
        try:
            text = base64.b64decode("".join(raw.split()), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            text = "?"
    if text and not _PEM.search(text):
        raise ValueError("want certificates as PEM, or the base64 of PEM")
    return text


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if raw not in allowed:
            raise ValueError("want one of " + ", ".join(allowed))
        return raw

    return read


def _between(low: int, high: int) -> Callable[[str], int]:
    def read(raw: str) -> int:
        number = go_values.integer(raw)
        if not low <= number <= high:
            raise ValueError(f"want a number from {low} to {high}")
        return number

    return read


def _deadline_s(raw: str) -> int:
    seconds = go_values.duration_s(raw)
    if not seconds:
        raise ValueError("want a duration of at least 1s")
    return seconds


def _url_path(raw: str) -> str:
    if raw and not re.fullmatch(r"/[A-Za-z0-9._/-]+", raw):
        raise ValueError("want a path such as /metrics, or nothing")
    return raw


def _log_level(raw: str) -> str:
    try:
        return _LOG_LEVELS[raw.strip().lower()]
    except KeyError:
        raise ValueError("want trace, debug, info, warn or error") from None


def _token_expiration_s(raw: str) -> int:
    seconds = go_values.duration_s(raw)
    if not TOKEN_EXPIRATION_MIN_S <= seconds <= TOKEN_EXPIRATION_MAX_S:
        raise ValueError(f"want a duration of at least {TOKEN_EXPIRATION_MIN_S} s (10m)")
    return seconds


def _audience(raw: str) -> str:
    if not raw:
        raise ValueError("must not be empty; want an audience such as vault, or auto")
    return raw


def _auth_mounts(raw: str) -> tuple[tuple[str, str], ...]:
    """Read auth mounts, each as its Vault namespace and its path without `auth/`."""
    return tuple(dict.fromkeys(_auth_mount(item) for item in go_values.items(raw)))


def _auth_mount(raw: str) -> tuple[str, str]:
    segments = [segment for segment in raw.split("/") if segment]
    if "auth" not in segments[:-1] or any(not _SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("want auth mounts such as auth/kubernetes or team-a/auth/kubernetes")
    position = segments.index("auth")
    return "/".join(segments[:position]), "/".join(segments[position + 1 :])


def _amount(raw: str) -> str:
    go_values.quantity_value(raw)
    return raw


def _names(raw: str) -> tuple[str, ...] | None:
    """Read a list; empty means that nothing is known."""
    return go_values.items(raw) or None


def _of(variable: str, annotation: str, effect: str, **rest: Any) -> Row:
    """Return the row of a setting that is an annotation's default, with that annotation's reader and default."""
    row = BY_KEY[annotation]
    default = rest.pop("default", row.default or "")
    return Row(
        variable=variable,
        read=row.read,
        default=default,
        effect=effect,
        annotation=annotation,
        masked=row.masked,
        **rest,
    )


def _row(variable: str, read: Callable[[str], Any], default: str, effect: str, **rest: Any) -> Row:
    return Row(variable=variable, read=read, default=default, effect=effect, **rest)


ROWS: tuple[Row, ...] = (
    # serving
    _row("LISTEN", address, ":8080", "Address of the TLS port the API server calls."),
    _row("ADMIN_LISTEN", address, ":8081", "Address of the plain port of probes, metrics and status pages."),
    _row("WORKERS", _between(1, 64), "2", "Processes that answer admission requests."),
    _row("TLS_CERT_FILE", go_values.text, "", "Serving certificate, PEM; read again when it changes."),
    _row("TLS_KEY_FILE", go_values.text, "", "Its key, PEM."),
    _row("TLS_MIN_VERSION", _choice("tls10", "tls11", "tls12", "tls13"), "tls12", "Lowest TLS version."),
    _row(
        "TLS_CIPHER_SUITES",
        go_values.text,
        "",
        "Ciphers up to TLS 1.2, IANA names separated by commas; empty for the library's.",
    ),
    _row("TELEMETRY_PATH", _url_path, "/metrics", "Path of the metrics on the admin port; empty for none."),
    _row("LOG_LEVEL", _log_level, "info", "trace, debug, info, warn or error."),
    _row("LOG_FORMAT", go_values.text, "standard", "`json` for one JSON object a line; anything else for people."),
    _row("KEEP_ALIVE", _deadline_s, "120s", "How long an idle connection stays; longer than the API server's 90 s."),
    _row("HANDSHAKE_TIMEOUT", _deadline_s, "10s", "Longest TLS handshake."),
    _row("HEADER_TIMEOUT", _deadline_s, "10s", "Longest wait for a request's header once it has begun."),
    _row("BODY_TIMEOUT", _deadline_s, "10s", "Longest wait for a request's body."),
    _row(
        "BODY_LIMIT_BYTES",
        _between(1024, 64 << 20),
        str(7 << 20),
        "Largest request body; larger ones are answered 413.",
    ),
    _row(
        "CONNECTION_MAX_AGE",
        go_values.duration_s,
        "10m",
        "Age after which a connection is closed with its next answer.",
    ),
    _row("DRAIN", go_values.duration_s, "0s", "How long to go on accepting after SIGTERM, while endpoints leave."),
    _row("RUNTIME_DIR", go_values.text, "", "Folder for the processes' own files; empty for a private temporary one."),
    # defaults of annotations
    _of("VAULT_ADDR", "service", "Address of the Vault server; required.", flag="vault-address", also=("BAO_ADDR",)),
    _row(
        "VAULT_CACERT_BYTES",
        certificates,
        "",
        "CA certificates of the Vault server for the agents, PEM or base64 of it.",
        also=("BAO_CACERT_BYTES",),
    ),
    _row(
        "VAULT_IMAGE",
        BY_KEY["agent-image"].read,
        "hashicorp/vault:2.0.4",
        "Agent image of pods annotated with vault.hashicorp.com/.",
    ),
    _row(
        "BAO_IMAGE",
        BY_KEY["agent-image"].read,
        "openbao/openbao:2.7.2",
        "Agent image of pods annotated with openbao.org/.",
    ),
    _of("VAULT_AUTH_TYPE", "auth-type", "Auth method.", also=("BAO_AUTH_TYPE",)),
    _of("VAULT_AUTH_PATH", "auth-path", "Path of the auth mount.", also=("BAO_AUTH_PATH",)),
    _of("VAULT_NAMESPACE", "namespace", "Vault namespace.", also=("BAO_NAMESPACE",)),
    _of("PROXY_ADDR", "proxy-address", "HTTPS proxy of the agents.", flag="proxy-address"),
    _of("REVOKE_ON_SHUTDOWN", "agent-revoke-on-shutdown", "Revoke tokens when pods end."),
    _of("RUN_AS_USER", "agent-run-as-user", "uid of the agents."),
    _of("RUN_AS_GROUP", "agent-run-as-group", "gid of the agents."),
    _of("RUN_AS_SAME_USER", "agent-run-as-same-user", "Run agents as the app's user."),
    _of("SET_SECURITY_CONTEXT", "agent-set-security-context", "Give agents a security context."),
    Row(
        variable="DEFAULT_TEMPLATE",
        read=_choice("map", "json"),
        default="map",
        effect="Format of files without a template.",
        annotation="agent-inject-default-template",
    ),
    _of("CPU_REQUEST", "agent-requests-cpu", "CPU request of the agents."),
    _of("MEM_REQUEST", "agent-requests-mem", "Memory request.", flag="memory-request"),
    _of(
        "EPHEMERAL_REQUEST", "agent-requests-ephemeral", "Ephemeral storage request.", flag="ephemeral-storage-request"
    ),
    _of("CPU_LIMIT", "agent-limits-cpu", "CPU limit."),
    _of("MEM_LIMIT", "agent-limits-mem", "Memory limit.", flag="memory-limit"),
    _of("EPHEMERAL_LIMIT", "agent-limits-ephemeral", "Ephemeral storage limit.", flag="ephemeral-storage-limit"),
    _of(
        "TEMPLATE_CONFIG_EXIT_ON_RETRY_FAILURE",
        "template-config-exit-on-retry-failure",
        "End agents whose templates cannot be rendered.",
    ),
    _of(
        "TEMPLATE_STATIC_SECRET_RENDER_INTERVAL",
        "template-static-secret-render-interval",
        "How often secrets without a lease are read again.",
    ),
    _of(
        "TEMPLATE_MAX_CONNECTIONS_PER_HOST", "template-max-connections-per-host", "Connections of the template engine."
    ),
    _of(
        "TEMPLATE_LEASE_RENEWAL_THRESHOLD",
        "template-lease-renewal-threshold",
        "Part of a lease after which it is renewed.",
    ),
    _of("AUTH_MIN_BACKOFF", "auth-min-backoff", "First wait after a failed login."),
    _of("AUTH_MAX_BACKOFF", "auth-max-backoff", "Longest wait between logins."),
    _of("DISABLE_IDLE_CONNECTIONS", "agent-disable-idle-connections", "Parts of the agents without idle connections."),
    _of("DISABLE_KEEP_ALIVES", "agent-disable-keep-alives", "Parts of the agents without keep-alive."),
    # what is added
    _row(
        "SIDECAR_MODE",
        _choice(*SidecarMode),
        "classic",
        "`classic`: init container and sidecar; `native`: one native sidecar.",
    ),
    _row("PRESET", _choice(*Preset), "compat", "What annotations may do: compat, baseline or strict; docs/presets.md."),
    _row("PRESET_MODE", _choice(*PresetMode), "enforce", "`warn`: admit what the preset forbids, with a warning."),
    _row(
        "PRESET_ALLOW", go_values.items, "", "Annotations to allow in spite of the preset, by key, separated by commas."
    ),
    _row("MAX_SECRETS", _between(1, 10_000), "64", "Secrets of a pod; baseline and strict."),
    _row("MAX_TEMPLATE_BYTES", _between(1, 1 << 20), "65536", "Size of one template; baseline and strict."),
    _row("MAX_ANNOTATION_BYTES", _between(1, 1 << 20), "262144", "Size of a pod's annotations; baseline and strict."),
    _row("MAX_CPU", _amount, "1", "Most CPU an annotation may ask for; strict."),
    _row("MAX_MEMORY", _amount, "512Mi", "Most memory an annotation may ask for; strict."),
    _row("TOKEN_AUDIENCE", _audience, "vault", "Audience of the agents' token; `auto`: the one the role pins."),
    _row("TOKEN_EXPIRATION", _token_expiration_s, "1h", "Lifetime of the agents' token, 10m or more."),
    _row("MEMORY_VOLUME_SIZE_LIMIT", go_values.quantity, "64Mi", "`sizeLimit` of memory volumes; `0` for none."),
    # the role check
    _row("BINDINGS", go_values.text, "", "File of Vault roles to check pods against; empty: no check."),
    _row("BINDING_CHECK", _choice("", "enforce", "warn", "off"), "", "`enforce` with a bindings file, else `off`."),
    _row(
        "POLICY_CHECK",
        _choice("deny", "warn", "off"),
        "warn",
        "Secrets the role's policies do not let it read, templates of the author's own aside. `deny` refuses what nothing"
        " unseen could grant: see `control-identity-model`.",
    ),
    _row("BINDINGS_ON_UNAVAILABLE", _choice("open", "closed"), "open", "Admit or refuse while there are no bindings."),
    _row("BINDINGS_ON_STALE", _choice("open", "closed"), "open", "Admit or refuse when bindings are too old."),
    _row("BINDINGS_MAX_STALENESS", go_values.duration_s, "15m", "Age at which bindings are too old."),
    _row("WILDCARD", _choice("allow", "warn", "deny"), "warn", "Roles that accept every service account or namespace."),
    _row("REQUIRE_AUDIENCE", _choice("off", "warn", "deny"), "off", "Roles that check no audience."),
    _row("API_SERVER_AUDIENCES", _names, "", "Audiences the API server accepts, separated by commas; empty: unknown."),
    _row("DEFAULT_TOKEN_AUDIENCES", _names, "", "Audiences of tokens whose volume names none; empty: unknown."),
    _row("CLUSTER_ISSUER", go_values.text, "", "Issuer of the cluster's tokens; empty: unknown."),
    _row("LIFETIME_ADVISORIES", go_values.boolean, "false", "Tell of Vault tokens that outlive the service account's."),
    _row("DISCLOSURE", _choice("minimal", "full"), "minimal", "How much of a role a refusal may tell."),
    # the controller
    _row("BINDINGS_POLL_INTERVAL", _deadline_s, "60s", "How often the controller lists roles; up to a fifth is added."),
    _row(
        "BINDINGS_MAX_READS_PER_SECOND",
        _between(1, 1_000),
        "50",
        "Most requests to Vault in a second, polls and confirmations together.",
    ),
    _row("CONFIRM_SOCKET", go_values.text, "", "Unix socket of confirmations before a refusal; empty: none are asked."),
    _row("CONTROL_LISTEN", address, ":8082", "Address of the controller's plain port of probes and metrics."),
    _row("CONTROL_STATE_FILE", go_values.text, "", "File in which the controller tells how it fares; empty: none."),
    _row(
        "CONTROL_VAULT_ADDR", go_values.text, "", "Address the controller asks, where it is not the agents' VAULT_ADDR."
    ),
    _row("CONTROL_VAULT_CA_FILE", go_values.text, "", "CA certificates of Vault, PEM; empty: VAULT_CACERT_BYTES."),
    _row(
        "CONTROL_VAULT_NAMESPACE",
        go_values.text,
        "",
        "Vault namespace of the controller's login; empty: VAULT_NAMESPACE.",
    ),
    _row("CONTROL_VAULT_AUTH", _choice(*VaultAuth), "kubernetes", "How the controller logs in to Vault."),
    _row(
        "CONTROL_VAULT_AUTH_PATH",
        go_values.text,
        "",
        "Auth mount of its login; empty: VAULT_AUTH_PATH, or auth/approle.",
    ),
    _row("CONTROL_VAULT_ROLE", go_values.text, "vault-webhook", "Vault role of its kubernetes login."),
    _row(
        "CONTROL_TOKEN_FILE",
        go_values.text,
        "/var/run/secrets/vault-webhook/token",
        "Token of its login: the service account's for kubernetes, Vault's own for token_file.",
    ),
    _row("CONTROL_ROLE_ID_FILE", go_values.text, "", "Role id of its approle login."),
    _row("CONTROL_SECRET_ID_FILE", go_values.text, "", "Secret id of its approle login."),
    _row(
        "CONTROL_MOUNTS",
        _auth_mounts,
        "",
        "Auth mounts to poll besides VAULT_AUTH_PATH, separated by commas: NAMESPACE/auth/MOUNT or auth/MOUNT.",
    ),
    _row(
        "CONTROL_IDENTITY_MODEL",
        _choice("managed", "automatic"),
        "managed",
        "`automatic`: no entities or groups of Vault grant more than roles do.",
    ),
    _row(
        "CONTROL_NAMESPACE_LABELS", go_values.boolean, "true", "Read namespace labels, for roles that select by label."
    ),
    _row("CONTROL_KUBECONFIG", go_values.text, "", "How to reach Kubernetes; empty: as a pod of the cluster."),
    # the reference's settings of its certificate machinery, accepted so that its manifests start; certificates come as files
    _row("TLS_CA_CERT_FILE", go_values.text, "", "CA of the serving certificate; accepted, not used by the server."),
    _row("TLS_AUTO", go_values.text, "", "Accepted, not used by the server: certificates come as files."),
    _row("TLS_AUTO_HOSTS", go_values.items, "", "Accepted, not used by the server."),
    _row(
        "USE_LEADER_ELECTOR", go_values.boolean, "false", "Accepted, not used by the server: replicas are independent."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was told, checked; attributes are the rows' fields."""

    listen: Address
    admin_listen: Address
    workers: int
    tls_cert_file: str
    tls_key_file: str
    tls_min_version: str
    tls_cipher_suites: str
    telemetry_path: str
    log_level: str
    log_format: str
    keep_alive_s: int
    handshake_timeout_s: int
    header_timeout_s: int
    body_timeout_s: int
    body_limit_bytes: int
    connection_max_age_s: int
    drain_s: int
    runtime_dir: str
    bindings: str
    binding_check: str
    profile: Profile  # what shapes a pod
    rules: Rules  # what the role check goes by
    policy: Policy  # what annotations may do
    reader: Reader  # reads annotations with these settings' defaults
    confirm_socket: str
    control: Control  # what the controller goes by
    given: Mapping[str, str]  # every variable, without PREFIX, as it was given or by default

    def masked(self) -> dict[str, str]:
        """Return every setting as text for people, those that may hold a secret as ***."""
        return {
            PREFIX + row.variable: "***" if row.masked and self.given[row.variable] else self.given[row.variable]
            for row in ROWS
        }


def read(flags: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Read all settings.

    Args:
        flags: option without dashes to text, those given only.
        environment: variable to text, such as {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}; others are ignored.

    Raises:
        SettingsError: a value does not fit, or two do not fit together; names the setting and the value.
    """
    given = {row.variable: _text(row, flags, environment) for row in ROWS}
    found: dict[str, Any] = {}
    for row in ROWS:
        try:
            found[row.variable] = row.read(given[row.variable])
        except ValueError as error:
            shown = "***" if row.masked else clean(given[row.variable], 60)
            raise SettingsError(f'{PREFIX}{row.variable} "{shown}" (--{row.option}): {error}') from error
    _check_together(given)
    fields = {row.field: found[row.variable] for row in ROWS if row.field in Settings.__slots__}
    fields["binding_check"] = found["BINDING_CHECK"] or ("enforce" if found["BINDINGS"] else "off")
    return Settings(
        **fields,
        profile=_profile(found),
        rules=_rules(found, fields["binding_check"]),
        policy=_policy(found),
        reader=_reader(given),
        control=_control(found, given),
        given=given,
    )


def _text(row: Row, flags: Mapping[str, str], environment: Mapping[str, str]) -> str:
    if row.option in flags:
        return flags[row.option]
    for variable in (row.variable, *row.also):
        if text := environment.get(PREFIX + variable, ""):
            return text
    return row.default


def _check_together(given: Mapping[str, str]) -> None:
    if not given["VAULT_ADDR"]:
        raise SettingsError(
            f"{PREFIX}VAULT_ADDR (--vault-address) is not set: give the address of the Vault server, such as https://vault:8200"
        )
    for one, other in (("TLS_CERT_FILE", "TLS_KEY_FILE"), ("TLS_KEY_FILE", "TLS_CERT_FILE")):
        if given[one] and not given[other]:
            raise SettingsError(f"{PREFIX}{one} is set and {PREFIX}{other} is not: a certificate needs its key")
    if given["BINDING_CHECK"] in ("enforce", "warn") and not given["BINDINGS"]:
        raise SettingsError(
            f"{PREFIX}BINDING_CHECK is {given['BINDING_CHECK']} and {PREFIX}BINDINGS is not set: name a bindings file"
        )
    least, most = given["AUTH_MIN_BACKOFF"], given["AUTH_MAX_BACKOFF"]
    if not backoffs_fit(least, most):
        raise SettingsError(
            f'{PREFIX}AUTH_MIN_BACKOFF "{least}" is not below {PREFIX}AUTH_MAX_BACKOFF "{most}": no agent would start'
        )


def _profile(found: Mapping[str, Any]) -> Profile:
    return Profile(
        sidecar_mode=SidecarMode(found["SIDECAR_MODE"]),
        token_audience=found["TOKEN_AUDIENCE"],
        token_expiration_s=found["TOKEN_EXPIRATION"],
        memory_volume_size_limit=found["MEMORY_VOLUME_SIZE_LIMIT"],
        ca_certificates=found["VAULT_CACERT_BYTES"],
    )


def _rules(found: Mapping[str, Any], mode: str) -> Rules:
    return Rules(
        mode=Mode(mode),
        policy_check=PolicyCheck(found["POLICY_CHECK"]),
        on_unavailable=Lapse(found["BINDINGS_ON_UNAVAILABLE"]),
        on_stale=Lapse(found["BINDINGS_ON_STALE"]),
        max_staleness_s=found["BINDINGS_MAX_STALENESS"],
        wildcard=_LEVELS[found["WILDCARD"]],
        require_audience=_LEVELS[found["REQUIRE_AUDIENCE"]],
        api_server_audiences=found["API_SERVER_AUDIENCES"],
        default_token_audiences=found["DEFAULT_TOKEN_AUDIENCES"],
        cluster_issuer=found["CLUSTER_ISSUER"],
        lifetime_advisories=found["LIFETIME_ADVISORIES"],
        disclosure=Disclosure(found["DISCLOSURE"]),
    )


def _policy(found: Mapping[str, Any]) -> Policy:
    return Policy(
        preset=Preset(found["PRESET"]),
        mode=PresetMode(found["PRESET_MODE"]),
        opened=frozenset(found["PRESET_ALLOW"]),
        api_server_audiences=found["API_SERVER_AUDIENCES"] or (),
        secrets_max=found["MAX_SECRETS"],
        template_bytes_max=found["MAX_TEMPLATE_BYTES"],
        annotation_bytes_max=found["MAX_ANNOTATION_BYTES"],
        cpu_max=found["MAX_CPU"],
        memory_max=found["MAX_MEMORY"],
    )


def _control(found: Mapping[str, Any], given: Mapping[str, str]) -> Control:
    namespace = given["VAULT_NAMESPACE"].strip("/")
    method = VaultAuth(found["CONTROL_VAULT_AUTH"])
    path = given["CONTROL_VAULT_AUTH_PATH"] or ("auth/approle" if method is VaultAuth.APPROLE else _usual_path(given))
    usual = "/".join(filter(None, (namespace, _usual_path(given))))
    return Control(
        document=found["BINDINGS"],
        listen=found["CONTROL_LISTEN"],
        state_file=found["CONTROL_STATE_FILE"],
        confirm_socket=found["CONFIRM_SOCKET"],
        poll_interval_s=found["BINDINGS_POLL_INTERVAL"],
        reads_per_second=found["BINDINGS_MAX_READS_PER_SECOND"],
        max_staleness_s=found["BINDINGS_MAX_STALENESS"],
        wants_policies=found["POLICY_CHECK"] != "off",
        identity_model=found["CONTROL_IDENTITY_MODEL"],
        agents_address=given["VAULT_ADDR"],
        vault_address=found["CONTROL_VAULT_ADDR"] or given["VAULT_ADDR"],
        vault_ca_file=found["CONTROL_VAULT_CA_FILE"],
        vault_ca_certificates=found["VAULT_CACERT_BYTES"],
        vault_namespace=found["CONTROL_VAULT_NAMESPACE"].strip("/") or namespace,
        vault_auth=method,
        vault_auth_path=path.strip("/").removeprefix("auth/"),
        vault_role=found["CONTROL_VAULT_ROLE"],
        token_file=found["CONTROL_TOKEN_FILE"],
        role_id_file=found["CONTROL_ROLE_ID_FILE"],
        secret_id_file=found["CONTROL_SECRET_ID_FILE"],
        mounts=tuple(dict.fromkeys((*_usual_mount(usual), *found["CONTROL_MOUNTS"]))),
        reads_labels=found["CONTROL_NAMESPACE_LABELS"],
        kubeconfig=found["CONTROL_KUBECONFIG"],
    )


def _usual_path(given: Mapping[str, str]) -> str:
    return given["VAULT_AUTH_PATH"] or "auth/kubernetes"


def _usual_mount(path: str) -> tuple[tuple[str, str], ...]:
    """Return the mount pods use by default; none where the setting is no path of a mount, which is a pod's matter."""
    try:
        return _auth_mounts(path)
    except ValueError:
        return ()


def _reader(given: Mapping[str, str]) -> Reader:
    defaults = {row.annotation: given[row.variable] for row in ROWS if row.annotation}
    return Reader(defaults, {VAULT.prefix: given["VAULT_IMAGE"], OPENBAO.prefix: given["BAO_IMAGE"]})
