"""The agent containers: image, command, environment, mounts, security context, as the API server takes them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject import names, scripts
from webhook.core.inject.agent_config import AgentKind
from webhook.core.inject.resources import resources
from webhook.core.json_template import base64_text, more, slot

PROBE_PERIOD_S = 1
PROBE_FAILURES = 600  # ten minutes; the agent retries faster by itself than a restart would
_FIELDS = (("NAMESPACE", "metadata.namespace"), ("HOST_IP", "status.hostIP"), ("POD_IP", "status.podIP"))
_WHERE = tuple({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in _FIELDS)
NAMES = {
    AgentKind.INIT: (names.INIT_AGENT, names.HOME_INIT),
    AgentKind.SIDECAR: (names.SIDECAR, names.HOME_SIDECAR),
    AgentKind.NATIVE: (names.SIDECAR, names.HOME_SIDECAR),
}


class PodParts(Struct, frozen=True, kw_only=True):
    """What is one pod's own in its agent containers, as JSON."""

    mounts: bytes  # of a `more`, all but home
    environment: bytes = b""  # of a `more`, copied from the app
    probe: bytes | None = None  # a list of texts: the command of the startup probe, None for no probe
    security_context: bytes | None = None  # an object, None for none
    limited: frozenset[str] = frozenset()  # resources of which the pod as a whole has an amount: no defaults of ours


class _Has(NamedTuple):
    """What decides the template of a container beside the shared intent."""

    probe: bool
    security_context: bool
    left_out: frozenset[str]


def build(kind: AgentKind, intent: Intent, config: bytes, parts: PodParts, *, ca_certificates: str) -> bytes:
    """Return an agent container as JSON.

    Args:
        kind: which of the agents.
        intent: what the pod's author asks for.
        config: its configuration, unused in ConfigMap mode.
        parts: what is the pod's own.
        ca_certificates: of the Vault server, PEM; "" for none.
    """
    has = _Has(parts.probe is not None, parts.security_context is not None, parts.limited)
    return intent.template(_container_members, kind, has, ca_certificates).fill(
        {
            b"config": base64_text(config),
            b"environment": parts.environment,
            b"mounts": parts.mounts,
            b"probe": parts.probe or b"",
            b"security_context": parts.security_context or b"",
        }
    )


def _container_members(intent: Intent, kind: AgentKind, has: _Has, ca_certificates: str) -> Mapping[str, Any]:
    """Return a container with holes for what is a pod's own."""
    name, home = NAMES[kind]
    config = () if intent.configmap else ({"name": names.CONFIG_VARIABLE, "value": slot("config")},)
    certificates = _variables(intent, {"CACERT_BYTES": ca_certificates})
    members: dict[str, Any] = {
        "name": name,
        "image": intent.image,
        "command": scripts.STARTING_SHELL,
        "args": scripts.start(kind, intent),
        "resources": resources(intent, kind, has.left_out),
        "env": (*_environment(intent), *config, *certificates, more("environment")),
        "volumeMounts": ({"name": home, "mountPath": names.HOME}, more("mounts")),
    }
    if kind is AgentKind.NATIVE:
        members["restartPolicy"] = "Always"
    elif kind is AgentKind.SIDECAR and intent.revoke:
        members["lifecycle"] = {"preStop": {"exec": {"command": scripts.pre_stop(intent)}}}
    if has.security_context:
        members["securityContext"] = slot("security_context")
    if has.probe:
        members["startupProbe"] = {
            "exec": {"command": slot("probe")},
            "periodSeconds": PROBE_PERIOD_S,
            "failureThreshold": PROBE_FAILURES,
            "timeoutSeconds": 5,
        }
    return members


def _environment(intent: Intent) -> list[Mapping[str, Any]]:
    """Return the variables; those that others may refer to by $(NAME) come first."""
    variables: list[Mapping[str, Any]] = list(_WHERE)
    if intent.go_max_procs:
        variables.append({"name": "GOMAXPROCS", "value": intent.go_max_procs})
    variables += _variables(
        intent,
        {
            "CLIENT_TIMEOUT": intent.client_timeout,
            "MAX_RETRIES": intent.client_max_retries,
            "LOG_LEVEL": intent.log_level,
            "LOG_FORMAT": intent.log_format,
        },
    )
    if intent.proxy_address:
        variables.append({"name": "HTTPS_PROXY", "value": intent.proxy_address})
    if intent.configmap:
        variables += _variables(intent, _connection(intent))
    return variables


def _connection(intent: Intent) -> Mapping[str, str]:
    """Return what the generated configuration would say of the server, for an agent that gets none."""
    return {
        "ADDR": intent.address,
        "NAMESPACE": intent.namespace,
        "CACERT": intent.ca_cert,
        "CAPATH": intent.ca_path,
        "CLIENT_CERT": intent.client_cert,
        "CLIENT_KEY": intent.client_key,
        "SKIP_VERIFY": "true" if intent.tls_skip_verify else "false",
        "TLS_SERVER_NAME": intent.tls_server_name,
    }


def _variables(intent: Intent, values: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return variables under each of the family's prefixes; empty values are left out."""
    prefixes = intent.family.variables
    return [{"name": prefix + name, "value": value} for name, value in values.items() if value for prefix in prefixes]
