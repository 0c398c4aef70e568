"""The annotation table: one row an annotation, the single source for reading, for settings and for docs/annotations.md.

To add an annotation: a row here, a field in `intent.py`, and what it does in `agent_config.py` or `containers.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from webhook.core.annotations import go_values

KEEP_ALIVE_PARTS = ("auto-auth", "caching", "proxying", "templating")
PATCH_OPERATIONS_MAX = 256  # of one container; applying more would hold up other pods


class Section(StrEnum):
    """Chapters of docs/annotations.md."""

    POD = "Switches and pod shape"
    RESOURCES = "Image, resources, identity"
    SECRETS = "Secrets and templates"
    CONNECTION = "Connection to Vault"
    AUTH = "Authentication and token"
    FEATURES = "Agent features"


class AnnotationRow(Struct, frozen=True, kw_only=True):
    """One annotation; `read` raises ValueError whose text says what is wanted."""

    key: str  # without its prefix; ends in <name> or <param> where the author completes it
    field: str  # of Intent, or of a secret; "" where nothing but the reader uses it
    read: Callable[[str], Any]
    section: Section
    effect: str
    default: str | None = None  # as annotation text; None: absent
    empty_unsets: bool = False  # an empty value counts as absent
    masked: bool = False  # the value may hold a secret: never shown
    doubt: Callable[[str], str | None] | None = None  # what to warn of; the value is passed on

    @property
    def stem(self) -> str:
        """The key without its <name> or <param>."""
        return self.key.partition("<")[0]

    @property
    def is_open(self) -> bool:
        """Whether the author completes the key."""
        return self.key.endswith(">")


def _required(problem: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if not raw:
            raise ValueError(problem)
        return raw

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(raw: str) -> str:
        if raw.lower() not in allowed:
            raise ValueError("want one of " + ", ".join(allowed))
        return raw.lower()

    return read


def _names(raw: str) -> AbstractSet[str]:
    """Return a set: a pod may have as many containers as it names."""
    return frozenset(go_values.items(raw))


def _keep_alive_parts(raw: str) -> tuple[str, ...]:
    parts = go_values.items(raw)
    if unknown := set(parts) - set(KEEP_ALIVE_PARTS):
        raise ValueError(f"{min(unknown)!r} is not one of {', '.join(KEEP_ALIVE_PARTS)}")
    return tuple(dict.fromkeys(parts))


def _token_mode(raw: str) -> str:
    if raw and raw.lower() not in ("true", "false", "force"):
        raise ValueError("want true, false or force")
    return raw


def _container_patch(raw: str) -> Sequence[Mapping[str, Any]]:
    try:
        operations = (msgspec.json.decode(raw, type=list[dict[str, Any]] | None) or ()) if raw else ()
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ValueError("want a JSON list of patch operations (RFC 6902)") from error
    if len(operations) > PATCH_OPERATIONS_MAX:
        raise ValueError(f"want at most {PATCH_OPERATIONS_MAX} operations")
    return operations


def _doubtful(check: Callable[[str], Any]) -> Callable[[str], str | None]:
    def doubt(raw: str) -> str | None:
        try:
            check(raw) if raw else None
        except ValueError as error:
            return f"the agent may not start with this value; {error}"
        return None

    return doubt


def _doubtful_auth_type(raw: str) -> str | None:
    known = ("alicloud", "approle", "aws", "azure", "cert", "cf", "gcp", "jwt", "kerberos", "kubernetes", "ldap", "oci")
    return None if raw in (*known, "token_file", "token-file") else f"{raw!r} is no auth method we know of an agent"


def _section(section: Section, *rows: AnnotationRow) -> tuple[AnnotationRow, ...]:
    return tuple(msgspec.structs.replace(row, section=section) for row in rows)


def _row(key: str, field: str, read: Callable[[str], Any], effect: str, **rest: Any) -> AnnotationRow:
    return AnnotationRow(key=key, field=field, read=read, effect=effect, section=Section.POD, **rest)


TABLE: tuple[AnnotationRow, ...] = (
    *_section(
        Section.POD,
        _row("agent-inject", "", go_values.boolean, "Inject an agent into this pod."),
        _row("agent-inject-status", "", go_values.text, "Written by the webhook: `injected`."),
        _row(
            "agent-request-namespace",
            "request_namespace",
            _required("must not be empty"),
            "Read and not used: the namespace of the request counts.",
        ),
        _row(
            "agent-inject-containers",
            "containers",
            _names,
            "App containers that get the secrets mounted, separated by commas; by default all, empty for none."
            " Init containers always get them.",
        ),
        _row(
            "agent-init-first",
            "init_first",
            go_values.boolean,
            "Run the agent's init container before the pod's own. Native mode always does.",
            default="false",
        ),
        _row(
            "agent-pre-populate",
            "pre_populate",
            go_values.boolean,
            "Render the secrets before the app starts: an init container, or in native mode the start of the sidecar.",
            default="true",
        ),
        _row(
            "agent-pre-populate-only",
            "pre_populate_only",
            go_values.boolean,
            "Leave the sidecar out: secrets are rendered once.",
            default="false",
        ),
        _row(
            "agent-configmap",
            "configmap",
            go_values.text,
            "Run the agent with `config-init.hcl` and `config.hcl` of this ConfigMap instead of a generated"
            " configuration. The role check does not see it.",
        ),
        _row(
            "agent-extra-secret",
            "extra_secret",
            go_values.text,
            "Mount this Kubernetes Secret read-only at `/vault/custom` in the agent containers.",
        ),
        _row(
            "agent-copy-volume-mounts",
            "copy_mounts_of",
            go_values.text,
            "Copy the mounts of this container to the agent containers, but service account tokens other than the one"
            " `auth-config-token-path` names, and what would cover a place of the agent's own.",
        ),
        _row(
            "agent-share-process-namespace",
            "share_process_namespace",
            go_values.boolean,
            "`true` sets the pod's `shareProcessNamespace`; anything else leaves the pod as it is.",
        ),
        _row(
            "agent-service-account-token-volume-name",
            "token_volume",
            go_values.text,
            "Log in with the token of this projected volume of the pod instead of adding one.",
            default="",
        ),
        _row(
            "agent-json-patch",
            "sidecar_patch",
            _container_patch,
            "JSON patch (RFC 6902) of the sidecar container; paths are relative to the container.",
            masked=True,
        ),
        _row(
            "agent-init-json-patch",
            "init_patch",
            _container_patch,
            "JSON patch (RFC 6902) of the agent's init container.",
            masked=True,
        ),
    ),
    *_section(
        Section.RESOURCES,
        _row(
            "agent-image", "image", _required("no agent image is given"), "Image of the agent containers.", default=""
        ),
        *(
            _row(
                f"agent-{kind}-{short}",
                f"{kind}_{resource}",
                go_values.quantity,
                f"`resources.{kind}.{name}` of the agent containers; empty for none.",
                default=default,
            )
            for kind, short, resource, name, default in (
                ("limits", "cpu", "cpu", "cpu", "500m"),
                ("limits", "mem", "memory", "memory", "128Mi"),
                ("limits", "ephemeral", "ephemeral", "ephemeral-storage", ""),
                ("requests", "cpu", "cpu", "cpu", "250m"),
                ("requests", "mem", "memory", "memory", "64Mi"),
                ("requests", "ephemeral", "ephemeral", "ephemeral-storage", ""),
            )
        ),
        *(
            _row(
                f"agent-init-{kind}-{short}",
                f"init_{kind}_{resource}",
                go_values.quantity,
                f"`resources.{kind}.{name}` of the agent's init container alone; by default as the sidecar.",
            )
            for kind in ("limits", "requests")
            for short, resource, name in (
                ("cpu", "cpu", "cpu"),
                ("mem", "memory", "memory"),
                ("ephemeral", "ephemeral", "ephemeral-storage"),
            )
        ),
        _row(
            "agent-run-as-user",
            "run_as_user",
            go_values.user_or_group_id,
            "`runAsUser` of the agent containers.",
            default="100",
            empty_unsets=True,
        ),
        _row(
            "agent-run-as-group",
            "run_as_group",
            go_values.user_or_group_id,
            "`runAsGroup` of the agent containers.",
            default="1000",
            empty_unsets=True,
        ),
        _row(
            "agent-run-as-same-user",
            "run_as_same_user",
            go_values.boolean,
            "Run the agent as the app's user; beats `agent-run-as-user`, leaves the group.",
            default="false",
        ),
        _row(
            "agent-set-security-context",
            "set_security_context",
            go_values.boolean,
            "`false`: no `securityContext` on the agent containers.",
            default="true",
        ),
    ),
    *_section(
        Section.SECRETS,
        _row(
            "agent-inject-secret-<name>",
            "path",
            go_values.text,
            "Render the secret at this Vault path to a file called <name>.",
        ),
        _row(
            "agent-inject-template-<name>", "template", go_values.text, "Template of the file, instead of the default."
        ),
        _row(
            "agent-inject-template-file-<name>",
            "template_file",
            go_values.text,
            "Path in the agent container of a file with the template; an inline template beats it.",
        ),
        _row(
            "agent-inject-file-<name>",
            "file",
            go_values.text,
            "Where the file goes, relative to the secret's mount path; by default <name>.",
        ),
        _row(
            "agent-inject-perms-<name>",
            "perms",
            go_values.permissions,
            "Mode of the file, octal, such as `0440`.",
            empty_unsets=True,
        ),
        _row(
            "agent-inject-command-<name>",
            "command",
            go_values.text,
            "Command the agent runs after the file has changed. A native sidecar also runs it after the first rendering, before the"
            " app is there, and its configuration never has `exit_after_auth`, so a guard that looks for that does not hold.",
        ),
        _row(
            "agent-template-left-delim-<name>",
            "left_delimiter",
            go_values.text,
            "Opens an action in the template.",
            default="{{",
            empty_unsets=True,
        ),
        _row(
            "agent-template-right-delim-<name>",
            "right_delimiter",
            go_values.text,
            "Closes an action in the template.",
            default="}}",
            empty_unsets=True,
        ),
        _row(
            "error-on-missing-key-<name>",
            "error_on_missing_key",
            go_values.boolean,
            "Fail when the template reads a key the secret lacks, instead of writing `<no value>`.",
            default="false",
        ),
        _row(
            "secret-volume-path-<name>",
            "mount_path",
            go_values.absolute_path,
            "Mount path of a volume of its own for this secret; by default the common one.",
            empty_unsets=True,
        ),
        _row(
            "preserve-secret-case-<name>",
            "preserve_case",
            go_values.boolean,
            "Keep the case of this file's name; by default as `preserve-secret-case`.",
        ),
        _row(
            "secret-volume-path",
            "secret_volume_path",
            go_values.absolute_path,
            "Where the secrets volume is mounted in the app.",
            default="/vault/secrets",
            empty_unsets=True,
        ),
        _row(
            "secret-volume-read-only",
            "secret_volume_read_only",
            go_values.boolean,
            "Mount the secrets read-only in the pod's own containers.",
            default="false",
        ),
        _row(
            "secret-volume-size-limit",
            "secret_volume_size_limit",
            go_values.quantity,
            "`sizeLimit` of the secrets volumes, `0` for none; by default the server's. Rendering needs twice the"
            " largest file.",
            empty_unsets=True,
        ),
        _row(
            "preserve-secret-case", "preserve_case", go_values.boolean, "Keep the case of file names.", default="false"
        ),
        _row(
            "agent-inject-default-template",
            "default_template",
            _one_of("map", "json"),
            "Format of files without a template: `map` (one `key: value` a line) or `json`.",
            default="map",
        ),
        _row(
            "agent-inject-token",
            "inject_token",
            go_values.boolean,
            "Write the agent's Vault token to `token` in the secrets volume.",
            default="false",
        ),
    ),
    *_section(
        Section.CONNECTION,
        _row("service", "address", go_values.text, "Address of the Vault server.", default=""),
        _row("namespace", "namespace", go_values.text, "Vault namespace.", default=""),
        _row("proxy-address", "proxy_address", go_values.text, "`HTTPS_PROXY` of the agent.", default="", masked=True),
        _row(
            "tls-secret",
            "tls_secret",
            go_values.text,
            "Mount this Kubernetes Secret read-only at `/vault/tls` in the agent containers.",
        ),
        _row(
            "tls-skip-verify",
            "tls_skip_verify",
            go_values.boolean,
            "Do not verify Vault's certificate.",
            default="false",
        ),
        _row("tls-server-name", "tls_server_name", go_values.text, "Name to expect in Vault's certificate."),
        _row("ca-cert", "ca_cert", go_values.text, "Path in the agent container of a CA certificate."),
        _row(
            "ca-key",
            "ca_path",
            go_values.text,
            "Path in the agent container of a folder of CA certificates; the name is a mistake of old that manifests"
            " rely on.",
        ),
        _row("client-cert", "client_cert", go_values.text, "Path in the agent container of a client certificate."),
        _row("client-key", "client_key", go_values.text, "Path in the agent container of its key."),
        _row(
            "client-max-retries",
            "client_max_retries",
            go_values.text,
            "`VAULT_MAX_RETRIES` of the agent.",
            doubt=_doubtful(go_values.integer),
        ),
        _row(
            "client-timeout",
            "client_timeout",
            go_values.seconds_or_duration,
            "`VAULT_CLIENT_TIMEOUT` of the agent, seconds or a duration.",
        ),
        _row(
            "go-max-procs",
            "go_max_procs",
            go_values.text,
            "`GOMAXPROCS` of the agent.",
            doubt=_doubtful(go_values.unsigned),
        ),
        _row(
            "log-level",
            "log_level",
            go_values.text,
            "`VAULT_LOG_LEVEL` of the agent.",
            default="info",
            doubt=_doubtful(_one_of(*go_values.LOG_LEVELS)),
        ),
        _row(
            "log-format",
            "log_format",
            go_values.text,
            "`VAULT_LOG_FORMAT` of the agent.",
            default="standard",
            doubt=_doubtful(_one_of("standard", "json")),
        ),
    ),
    *_section(
        Section.AUTH,
        _row("role", "role", go_values.text, "Vault role to log in to; beats `auth-config-role`."),
        _row(
            "auth-type",
            "auth_type",
            _required("no auth type is given"),
            "Auth method of the agent.",
            default="kubernetes",
            doubt=_doubtful_auth_type,
        ),
        _row(
            "auth-path",
            "auth_path",
            go_values.text,
            "Path of the auth mount, with `auth/`. It does not follow `auth-type`.",
            default="auth/kubernetes",
        ),
        _row(
            "auth-config-<param>",
            "auth_config",
            go_values.text,
            "A member of the auth method's `config`, dashes read as underscores.",
            masked=True,
        ),
        _row("auth-min-backoff", "min_backoff", go_values.duration, "First wait after a failed login.", default=""),
        _row("auth-max-backoff", "max_backoff", go_values.duration, "Longest wait between logins.", default=""),
        _row(
            "agent-auto-auth-exit-on-err",
            "exit_on_err",
            go_values.boolean,
            "End the agent when a login fails. A sidecar that ends takes a healthy pod out of its Services.",
            default="false",
        ),
        _row(
            "agent-revoke-on-shutdown",
            "revoke",
            go_values.boolean,
            "Revoke the sidecar's token when the pod ends.",
            default="false",
        ),
        _row(
            "agent-revoke-grace",
            "revoke_grace_s",
            go_values.unsigned,
            "Seconds to wait before revoking; native mode revokes once the app has ended and does not wait.",
            default="5",
        ),
        _row(
            "agent-token-audience",
            "token_audience",
            _required("must not be empty"),
            "Audience of the service account token added for the agent, or `auto`: the one its role pins.",
        ),
    ),
    *_section(
        Section.FEATURES,
        _row(
            "agent-cache-enable",
            "cache",
            go_values.boolean,
            "Let the sidecar answer Vault requests of the app on a loopback port.",
            default="false",
        ),
        _row(
            "agent-cache-use-auto-auth-token",
            "cache_token",
            _token_mode,
            "`true`, `false` or `force`: whether those requests carry the agent's token.",
            default="true",
        ),
        _row("agent-cache-listener-port", "cache_port", go_values.port, "The loopback port.", default="8200"),
        _row(
            "agent-cache-exit-on-err",
            "cache_exit_on_err",
            go_values.boolean,
            "End the agent when the persistent cache cannot be restored.",
            default="false",
        ),
        _row(
            "agent-enable-quit",
            "enable_quit",
            go_values.boolean,
            "Let the app end the agent by POST to `/agent/v1/quit` on the loopback port.",
            default="false",
        ),
        _row(
            "agent-telemetry-<param>",
            "telemetry",
            go_values.text,
            "A member of the agent's `telemetry`, dashes read as underscores.",
            masked=True,
        ),
        _row(
            "template-config-exit-on-retry-failure",
            "exit_on_retry_failure",
            go_values.boolean,
            "End the agent when a template cannot be rendered after all retries. Native mode: false unless given.",
            default="true",
        ),
        _row(
            "template-static-secret-render-interval",
            "render_interval",
            go_values.seconds_or_duration,
            "How often secrets without a lease are read again.",
            default="",
        ),
        _row(
            "template-max-connections-per-host",
            "max_connections_per_host",
            go_values.integer,
            "Connections of the template engine to Vault; 0 leaves it to the agent.",
            default="0",
        ),
        _row(
            "template-lease-renewal-threshold",
            "lease_renewal_threshold",
            go_values.fraction,
            "Part of a lease after which it is renewed, 0 < x <= 1; 0 leaves it to the agent.",
            default="0",
        ),
        _row(
            "agent-disable-idle-connections",
            "disable_idle_connections",
            _keep_alive_parts,
            f"Parts of the agent that keep no idle connections: {', '.join(KEEP_ALIVE_PARTS)}.",
            default="",
        ),
        _row(
            "agent-disable-keep-alives",
            "disable_keep_alives",
            _keep_alive_parts,
            f"Parts of the agent without keep-alive: {', '.join(KEEP_ALIVE_PARTS)}.",
            default="",
        ),
    ),
)

BY_KEY = {row.key: row for row in TABLE if not row.is_open}
OPEN = {row.stem: row for row in TABLE if row.is_open}
_OF_SECRETS = {stem: row for stem, row in OPEN.items() if row.key.endswith("<name>")}
# A longer stem before a shorter one that begins it: agent-inject-template-file- before agent-inject-template-.
_LONGEST_FIRST = "|".join(map(re.escape, sorted(OPEN, key=len, reverse=True)))
_OPEN_KEY = re.compile(f"({_LONGEST_FIRST})(.+)", re.DOTALL)


def open_row(key: str) -> tuple[AnnotationRow, str] | None:
    """Return the row of a key that its author completed, and what it was completed with; None where there is none."""
    parts = _OPEN_KEY.fullmatch(key)
    return None if parts is None else (OPEN[parts[1]], parts[2])


def secret_row(key: str) -> tuple[AnnotationRow, str] | None:
    """Return the row of a key that belongs to one secret, and the secret's name; None for other keys."""
    parts = _OPEN_KEY.fullmatch(key)
    row = None if parts is None else _OF_SECRETS.get(parts[1])
    return None if parts is None or row is None else (row, parts[2])


def row_of(key: str) -> AnnotationRow | None:
    """Return the row of any key."""
    row = BY_KEY.get(key)
    if row is not None:
        return row
    found = open_row(key)
    return found[0] if found else None
