"""The agent's configuration: an Intent and the kind of agent in, one JSON document out.

Written as the agents' HCL parser accepts it: lists for sinks, listeners and templates, booleans and numbers as such,
empty lists left out, raw UTF-8.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from webhook.core.annotations.go_values import backoffs_fit
from webhook.core.annotations.intent import Intent, SecretRequest
from webhook.core.annotations.presets import FROM_FILE, READ_ONLY, PresetPolicy
from webhook.core.annotations.secrets import DECLARATION
from webhook.core.annotations.template_rules import DENIED_FUNCTIONS
from webhook.core.inject import names
from webhook.core.json_template import slot

VARIABLE_BYTES_MAX = 131_071  # MAX_ARG_STRLEN of Linux less the closing NUL: "NAME=value" of one variable
BYTES_MAX = (VARIABLE_BYTES_MAX - len(names.CONFIG_VARIABLE) - 1) // 4 * 3  # of a configuration, base64 encoded there
NATIVE_MAX_BACKOFF = "30s"  # an agent that retries sooner recovers before the kubelet would restart it
TOKEN_FILE_MODE = 0o644  # of the token written for the app, which has another uid
KEEP_SECRET_ID = "remove_secret_id_file_after_reading"  # noqa: S105 a member of the approle method; a text as all of them
INLINE_STEM = "agent-inject-template-"

_encode = msgspec.json.Encoder().encode


class AgentKind(StrEnum):
    """Which of the agent containers a configuration is for."""

    INIT = "init"  # renders once and ends
    SIDECAR = "sidecar"  # stays beside the app
    NATIVE = "native"  # stays, as an init container with restartPolicy Always


class _Has(NamedTuple):
    """What selects the JSON template of a configuration, besides the shared intent."""

    persistent_cache: bool  # an init container hands its cache on to the sidecar
    role: bool
    templates: bool


class Configs:
    """The configurations of one pod's agents."""

    def __init__(self, intent: Intent, token_file: str, *, persistent_cache: bool, preset: PresetPolicy) -> None:
        """Encode what is the pod's own.

        Args:
            intent: what the author asks for; never one in ConfigMap mode.
            token_file: path in the agent containers of the service account token.
            persistent_cache: an init container hands its cache on to the sidecar.
            preset: what it forbids holds for templates too.
        """
        templates = [_template(secret, intent, preset) for secret in intent.secrets]
        self._intent = intent
        self._has = _Has(persistent_cache, bool(intent.role), bool(templates))
        self._parts = {
            b"role": _encode(intent.role),
            b"token_file": _encode(token_file),
            b"templates": _encode(templates),
        }

    def of(self, kind: AgentKind) -> bytes:
        """Return one agent's configuration as JSON."""
        return self._intent.template(_config_members, kind, self._has).fill(self._parts)


def _config_members(intent: Intent, kind: AgentKind, has: _Has) -> Mapping[str, Any]:
    """Return a configuration with slots for role, token file and templates."""
    method = _method(intent, _method_config(intent, has_role=has.role))
    template_config = _template_config(intent)
    if kind is AgentKind.NATIVE and keeps_secret_id(intent):
        method["config"] = {KEEP_SECRET_ID: "false", **method.get("config", {})}
    members: dict[str, Any] = {
        "auto_auth": {"method": method, "sink": _sinks(intent)},
        "exit_after_auth": kind is AgentKind.INIT,
        "pid_file": names.PID_FILE,
        "vault": _server(intent),
        "template_config": template_config,
    }
    if has.templates:
        members["template"] = slot("templates")
    if intent.cache or intent.enable_quit:
        members |= _listener_and_cache(intent, _persist(intent) if has.persistent_cache else None)
    if intent.telemetry is not None:
        members["telemetry"] = intent.telemetry
    if intent.disable_idle_connections:
        members["disable_idle_connections"] = intent.disable_idle_connections
    if intent.disable_keep_alives:
        members["disable_keep_alives"] = intent.disable_keep_alives
    if kind is AgentKind.NATIVE:
        _keep_trying(intent, method, template_config)
        members |= {"log_file": names.LOG_FILE, "log_rotate_bytes": 65_536, "log_rotate_max_files": -1}
    return members


def _keep_trying(intent: Intent, method: dict[str, Any], template_config: dict[str, Any]) -> None:
    """Let a native sidecar keep retrying, unless the author or the operator said otherwise."""
    if not intent.states("template-config-exit-on-retry-failure"):
        template_config["exit_on_retry_failure"] = False
    if not intent.states("auth-max-backoff") and backoffs_fit(intent.min_backoff, NATIVE_MAX_BACKOFF):
        method["max_backoff"] = NATIVE_MAX_BACKOFF


def _method(intent: Intent, config: Mapping[str, Any]) -> dict[str, Any]:
    method: dict[str, Any] = {
        "type": "token_file" if intent.auth_type == "token-file" else intent.auth_type,
        "mount_path": intent.auth_path,
    }
    if intent.min_backoff:
        method["min_backoff"] = intent.min_backoff
    if intent.max_backoff:
        method["max_backoff"] = intent.max_backoff
    if intent.namespace:
        method["namespace"] = intent.namespace
    if config:
        method["config"] = config
    if intent.exit_on_err:
        method["exit_on_err"] = True
    return method


def _method_config(intent: Intent, *, has_role: bool) -> Mapping[str, Any]:
    config: dict[str, Any] = {}
    if intent.auth_type == "kubernetes":
        config["token_path"] = slot("token_file")
    elif intent.auth_type == "jwt" and "path" not in intent.auth_config:
        config["path"] = slot("token_file")
        config["remove_jwt_after_reading"] = "false"  # our volume is read-only
    config.update(intent.auth_config)
    if has_role:
        config["role"] = slot("role")
    return config


def keeps_secret_id(intent: Intent) -> bool:
    """Tell whether the agent had better not remove its secret id, whose mount is read-only, and nobody has said so."""
    return intent.auth_type == "approle" and bool(intent.extra_secret) and KEEP_SECRET_ID not in intent.auth_config


def _sinks(intent: Intent) -> list[dict[str, Any]]:
    sinks: list[dict[str, Any]] = [{"type": "file", "config": {"path": names.TOKEN_SINK}}]
    if intent.inject_token:
        path = f"{intent.secret_volume_path}/token"
        sinks.append({"type": "file", "config": {"path": path, "mode": TOKEN_FILE_MODE}})
    return sinks


def _server(intent: Intent) -> dict[str, Any]:
    members = {
        "ca_cert": intent.ca_cert,
        "ca_path": intent.ca_path,
        "tls_skip_verify": intent.tls_skip_verify,
        "client_cert": intent.client_cert,
        "client_key": intent.client_key,
        "tls_server_name": intent.tls_server_name,
    }
    return {"address": intent.address, **{name: value for name, value in members.items() if value}}


def _template(secret: SecretRequest, intent: Intent, preset: PresetPolicy) -> dict[str, Any]:
    template: dict[str, Any] = {"destination": secret.destination}
    if secret.template:
        template["contents"] = secret.template
    elif secret.template_file:
        template["source"] = secret.template_file
    else:
        template["contents"] = default_template(secret, intent.default_template)
    template["left_delimiter"] = secret.left_delimiter
    template["right_delimiter"] = secret.right_delimiter
    if secret.command:
        template["command"] = secret.command
    if secret.perms:
        template["perms"] = secret.perms
    if secret.error_on_missing_key:
        template["error_on_missing_key"] = True
    if preset.confines(FROM_FILE if secret.template_file else secret.key.replace(DECLARATION, INLINE_STEM, 1)):
        template |= _confinement(intent, preset)
    return template


def _confinement(intent: Intent, preset: PresetPolicy) -> Mapping[str, Any]:
    """Return what keeps a template to the secrets: functions the agent shall not run, and the folder `file` may read from."""
    writable = (
        () if preset.confines(READ_ONLY) else ("file",)
    )  # a link can be put there between the agent's check and its read
    return {"function_denylist": (*DENIED_FUNCTIONS, *writable), "sandbox_path": intent.secret_volume_path}


def default_template(secret: SecretRequest, file_format: str) -> str:
    """Return the template of a secret that has none of its own, in its delimiters; `file_format` is `map` or `json`."""
    left, right = secret.left_delimiter, secret.right_delimiter
    path = secret.path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    opening, end = f'{left} with secret "{path}" {right}', f"{left} end {right}"
    if file_format == "json":
        return f"{opening}{left} .Data | toJSON {right}\n{end}"
    return f"{opening}{left} range $k, $v := .Data {right}{left} $k {right}: {left} $v {right}\n{end}{end}"


def _template_config(intent: Intent) -> dict[str, Any]:
    config: dict[str, Any] = {"exit_on_retry_failure": intent.exit_on_retry_failure}
    if intent.render_interval:
        config["static_secret_render_interval"] = intent.render_interval
    if intent.max_connections_per_host:
        config["max_connections_per_host"] = intent.max_connections_per_host
    if intent.lease_renewal_threshold:
        config["lease_renewal_threshold"] = intent.lease_renewal_threshold
    return config


def _listener_and_cache(intent: Intent, persist: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `listener` and `cache`; the init container of a pod without sidecar has no use for a cache."""
    listener: dict[str, Any] = {"type": "tcp", "address": f"127.0.0.1:{intent.cache_port}", "tls_disable": True}
    members: dict[str, Any] = {}
    if intent.cache and not intent.pre_populate_only:
        cache: dict[str, Any] = {}
        if intent.cache_token:
            cache["use_auto_auth_token"] = intent.cache_token
        if persist:
            cache["persist"] = persist
        members = {"listener": [listener], "cache": cache}
    if intent.enable_quit:
        listener["agent_api"] = {"enable_quit": True}
        members = {"listener": [listener], "cache": members.get("cache", {})}
    return members


def _persist(intent: Intent) -> dict[str, Any]:
    persist: dict[str, Any] = {
        "type": "kubernetes",
        "path": names.CACHE_PATH,
        "service_account_token_file": slot("token_file"),
    }
    if intent.cache_exit_on_err:
        persist["exit_on_err"] = True
    return persist
