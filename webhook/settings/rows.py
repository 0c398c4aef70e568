"""The table of settings: the single source of flags, variables, defaults and docs/settings.md. To add one: a row.

A flag beats a variable; an empty variable is unset; an empty flag clears. A row whose variable is an attribute of `Settings` fills it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from webhook.core.annotations import go_values
from webhook.core.annotations.presets import Preset, PresetMode
from webhook.core.annotations.table import BY_KEY
from webhook.core.inject.pod_settings import SidecarMode
from webhook.settings import parsers
from webhook.settings.control import VaultAuth

PREFIX = "AGENT_INJECT_"


class SettingRow(Struct, frozen=True, kw_only=True):
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
        return self.variable.lower() + ("_s" if self.read in (go_values.duration_s, parsers.deadline_s) else "")


def _of(variable: str, annotation: str, effect: str, **rest: Any) -> SettingRow:
    """Return the row of a setting that is an annotation's default, with that annotation's reader and default."""
    row = BY_KEY[annotation]
    default = rest.pop("default", row.default or "")
    return SettingRow(
        variable=variable,
        read=row.read,
        default=default,
        effect=effect,
        annotation=annotation,
        masked=row.masked,
        **rest,
    )


def _row(variable: str, read: Callable[[str], Any], default: str, effect: str, **rest: Any) -> SettingRow:
    return SettingRow(variable=variable, read=read, default=default, effect=effect, **rest)


ROWS: tuple[SettingRow, ...] = (
    # serving
    _row("LISTEN", parsers.address, ":8080", "Address of the TLS port the API server calls."),
    _row("ADMIN_LISTEN", parsers.address, ":8081", "Address of the plain port of probes, metrics and status pages."),
    _row("WORKERS", parsers.between(1, 64), "2", "Processes that answer admission requests."),
    _row("TLS_CERT_FILE", go_values.text, "", "Serving certificate, PEM; read again when it changes."),
    _row("TLS_KEY_FILE", go_values.text, "", "Its key, PEM."),
    _row("TLS_MIN_VERSION", parsers.choice("tls10", "tls11", "tls12", "tls13"), "tls12", "Lowest TLS version."),
    _row(
        "TLS_CIPHER_SUITES",
        go_values.text,
        "",
        "Ciphers up to TLS 1.2, IANA names separated by commas; empty for the library's.",
    ),
    _row(
        "CLIENT_CA_FILE",
        go_values.text,
        "",
        "CA certificates, PEM, of the clients that may ask; read again when it changes; empty: no client certificate is"
        " asked for. For API servers that present one: `AdmissionConfiguration`, kubeConfigFile.",
    ),
    _row(
        "CLIENT_ALLOWED_NAMES",
        go_values.items,
        "",
        "Common or DNS names of clients that may ask, separated by commas; empty: all that CLIENT_CA_FILE signed.",
    ),
    _row(
        "REFUSALS_PER_SECOND",
        parsers.between(0, 100_000),
        "100",
        "Refusals that one address is given with their reasons, each second and for each worker; ten times as many at"
        " once. Later ones are refused without reasons, and bodies that are no review are answered 429. `0`: no limit.",
    ),
    _row("TELEMETRY_PATH", parsers.url_path, "/metrics", "Path of the metrics on the admin port; empty for none."),
    _row("LOG_LEVEL", parsers.log_level, "info", "trace, debug, info, warn or error."),
    _row("LOG_FORMAT", go_values.text, "standard", "`json` for one JSON object a line; anything else for people."),
    _row(
        "KEEP_ALIVE",
        parsers.deadline_s,
        "120s",
        "How long an idle connection stays; longer than the API server's 90 s.",
    ),
    _row("HANDSHAKE_TIMEOUT", parsers.deadline_s, "10s", "Longest TLS handshake."),
    _row("HEADER_TIMEOUT", parsers.deadline_s, "10s", "Longest wait for a request's header once it has begun."),
    _row("BODY_TIMEOUT", parsers.deadline_s, "10s", "Longest wait for a request's body."),
    _row(
        "BODY_LIMIT_BYTES",
        parsers.between(1024, 64 << 20),
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
    _of(
        "VAULT_ADDR",
        "service",
        "Address of the Vault server; `serve`, `control` and `review` need it.",
        flag="vault-address",
        also=("BAO_ADDR",),
    ),
    _row(
        "VAULT_CACERT_BYTES",
        parsers.certificates,
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
    SettingRow(
        variable="DEFAULT_TEMPLATE",
        read=parsers.choice("map", "json"),
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
        parsers.choice(*SidecarMode),
        "classic",
        "`classic`: init container and sidecar; `native`: one native sidecar.",
    ),
    _row(
        "PRESET",
        parsers.choice(*Preset),
        "compat",
        "What annotations may do: compat, baseline or strict; docs/presets.md.",
    ),
    _row(
        "PRESET_MODE", parsers.choice(*PresetMode), "enforce", "`warn`: admit what the preset forbids, with a warning."
    ),
    _row(
        "PRESET_ALLOW", go_values.items, "", "Annotations to allow in spite of the preset, by key, separated by commas."
    ),
    _row("MAX_SECRETS", parsers.between(1, 10_000), "64", "Secrets of a pod; baseline and strict."),
    _row("MAX_TEMPLATE_BYTES", parsers.between(1, 1 << 20), "65536", "Size of one template; baseline and strict."),
    _row(
        "MAX_ANNOTATION_BYTES",
        parsers.between(1, 1 << 20),
        "262144",
        "Size of a pod's annotations; baseline and strict.",
    ),
    _row("MAX_CPU", parsers.amount, "1", "Most CPU an annotation may ask for; strict."),
    _row("MAX_MEMORY", parsers.amount, "512Mi", "Most memory an annotation may ask for; strict."),
    _row(
        "MAX_EPHEMERAL",
        parsers.amount,
        "1Gi",
        "Most ephemeral storage an annotation may ask for; strict. Agents write to memory alone.",
    ),
    _row("TOKEN_AUDIENCE", parsers.audience, "vault", "Audience of the agents' token; `auto`: the one the role pins."),
    _row("TOKEN_EXPIRATION", parsers.token_expiration_s, "1h", "Lifetime of the agents' token, 10m or more."),
    _row("MEMORY_VOLUME_SIZE_LIMIT", go_values.quantity, "64Mi", "`sizeLimit` of memory volumes; `0` for none."),
    # the role check
    _row("BINDINGS", go_values.text, "", "File of Vault roles to check pods against; empty: no check."),
    _row(
        "BINDING_CHECK", parsers.choice("", "enforce", "warn", "off"), "", "`enforce` with a bindings file, else `off`."
    ),
    _row(
        "POLICY_CHECK",
        parsers.choice("deny", "warn", "off"),
        "warn",
        "Secrets the role's policies do not let it read, templates of the author's own aside. `deny` refuses what nothing"
        " unseen could grant: see `control-identity-model`.",
    ),
    _row(
        "BINDINGS_ON_UNAVAILABLE",
        parsers.choice("open", "closed"),
        "open",
        "Admit or refuse while there are no bindings.",
    ),
    _row("BINDINGS_ON_STALE", parsers.choice("open", "closed"), "open", "Admit or refuse when bindings are too old."),
    _row("BINDINGS_MAX_STALENESS", go_values.duration_s, "15m", "Age at which bindings are too old."),
    _row(
        "WILDCARD",
        parsers.choice("allow", "warn", "deny"),
        "warn",
        "Roles that accept every service account or namespace.",
    ),
    _row("REQUIRE_AUDIENCE", parsers.choice("off", "warn", "deny"), "off", "Roles that check no audience."),
    _row(
        "API_SERVER_AUDIENCES",
        parsers.names,
        "",
        "Audiences the API server accepts, separated by commas; empty: unknown.",
    ),
    _row("DEFAULT_TOKEN_AUDIENCES", parsers.names, "", "Audiences of tokens whose volume names none; empty: unknown."),
    _row("CLUSTER_ISSUER", go_values.text, "", "Issuer of the cluster's tokens; empty: unknown."),
    _row("LIFETIME_ADVISORIES", go_values.boolean, "false", "Tell of Vault tokens that outlive the service account's."),
    _row("DISCLOSURE", parsers.choice("minimal", "full"), "minimal", "How much of a role a refusal may tell."),
    # the controller
    _row(
        "BINDINGS_POLL_INTERVAL",
        parsers.deadline_s,
        "60s",
        "How often the controller lists roles; up to a fifth is added.",
    ),
    _row(
        "BINDINGS_MAX_READS_PER_SECOND",
        parsers.between(1, 1_000),
        "50",
        "Most requests to Vault in a second, polls and confirmations together.",
    ),
    _row("CONFIRM_SOCKET", go_values.text, "", "Unix socket of confirmations before a refusal; empty: none are asked."),
    _row("CONTROL_LISTEN", parsers.address, ":8082", "Address of the controller's plain port of probes and metrics."),
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
    _row("CONTROL_VAULT_AUTH", parsers.choice(*VaultAuth), "kubernetes", "How the controller logs in to Vault."),
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
        parsers.auth_mounts,
        "",
        "Auth mounts to poll besides VAULT_AUTH_PATH, separated by commas: NAMESPACE/auth/MOUNT or auth/MOUNT.",
    ),
    _row(
        "CONTROL_IDENTITY_MODEL",
        parsers.choice("managed", "automatic"),
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
