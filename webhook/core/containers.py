"""The agent containers: image, command, environment, mounts, security context, as the API server takes them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.core import layout
from webhook.core.agent_config import Kind
from webhook.core.intent import Intent

PROBE_PERIOD_S = 1
PROBE_FAILURES = 600  # ten minutes; the agent retries faster by itself than a restart would
AWS_VARIABLES = (
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
_FIELDS = (("NAMESPACE", "metadata.namespace"), ("HOST_IP", "status.hostIP"), ("POD_IP", "status.podIP"))
_WHERE = tuple({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in _FIELDS)


NAMES = {
    Kind.INIT: (layout.INIT_AGENT, layout.HOME_INIT),
    Kind.SIDECAR: (layout.SIDECAR, layout.HOME_SIDECAR),
    Kind.NATIVE: (layout.SIDECAR, layout.HOME_SIDECAR),
}


class Common(Struct, frozen=True, kw_only=True):
    """What the agent containers of one pod share."""

    mounts: Sequence[Mapping[str, Any]]  # all but home
    security_context: Mapping[str, Any] | None
    ca_certificates: str
    aws_environment: Sequence[Mapping[str, Any]]


def build(kind: Kind, intent: Intent, common: Common, config: bytes | None, *, probed: bool) -> dict[str, Any]:
    """Return an agent container.

    Args:
        kind: which one.
        intent: what the author asks for.
        common: what it shares with the pod's other agent.
        config: its configuration, None in ConfigMap mode.
        probed: the app waits until its startup probe finds every file.
    """
    name, home = NAMES[kind]
    container: dict[str, Any] = {
        "name": name,
        "image": intent.image,
        "command": ("/bin/sh", "-ec"),
        "args": (_script(kind, intent),),
        "env": environment(intent, common, config),
        "resources": resources(intent, kind),
        "volumeMounts": ({"name": home, "mountPath": layout.HOME}, *common.mounts),
    }
    if kind is Kind.NATIVE:
        container["restartPolicy"] = "Always"
        if probed:
            container["startupProbe"] = startup_probe(intent)
    elif kind is Kind.SIDECAR and intent.revoke:
        command = ("/bin/sh", "-c", f"/bin/sleep {intent.revoke_grace_s} && {revocation(intent)}")
        container["lifecycle"] = {"preStop": {"exec": {"command": command}}}
    if common.security_context is not None:
        container["securityContext"] = common.security_context
    return container


def _script(kind: Kind, intent: Intent) -> str:
    binary = intent.family.binary
    if not intent.configmap:
        prepare = f"echo ${{{layout.CONFIG_VARIABLE}?}} | base64 -d > {layout.CONFIG_FILE}"
        run = f"{binary} agent -config={layout.CONFIG_FILE}"
    else:
        prepare = f"touch {layout.TOKEN_SINK}"  # the CLI fails without, before the agent has written one
        file = "config-init.hcl" if kind is Kind.INIT else "config.hcl"
        run = f"{binary} agent -config={layout.CONFIGMAP_PATH}/{file}"
    if kind is Kind.NATIVE:
        return _revoking(prepare, run, intent) if intent.revoke else f"{prepare} && exec {run}"
    return f"{prepare} && {run}"


def _revoking(prepare: str, run: str, intent: Intent) -> str:
    """Run the agent under a shell that, told to end, ends the agent and then revokes its token.

    A native sidecar is told to end once the app has ended; a preStop hook would run while the app still needs its secrets.
    """
    return (
        f"{prepare}\n"
        f"{run} & agent=$!\n"
        f"trap 'kill $agent; wait $agent || :; {revocation(intent)} || :; exit 0' TERM\n"
        "wait $agent"
    )


def revocation(intent: Intent) -> str:
    """Return the shell command that revokes the agent's own token, every value quoted for the shell."""
    flags = [f"-address={intent.address}"]
    for flag, value in (
        ("namespace", intent.namespace),
        ("ca-cert", intent.ca_cert),
        ("ca-path", intent.ca_path),
        ("client-cert", intent.client_cert),
        ("client-key", intent.client_key),
        ("tls-server-name", intent.tls_server_name),
    ):
        if value:
            flags.append(f"-{flag}={value}")
    if intent.tls_skip_verify:
        flags.append("-tls-skip-verify")
    return f"HOME={layout.HOME} {intent.family.binary} token revoke {shlex.join(flags)} -self"


def environment(intent: Intent, common: Common, config: bytes | None) -> list[Mapping[str, Any]]:
    """Return the container's variables; those that others may refer to by $(NAME) come first."""
    variables: list[Mapping[str, Any]] = list(_WHERE)
    if intent.go_max_procs:
        variables.append({"name": "GOMAXPROCS", "value": intent.go_max_procs})
    _add(variables, intent, "CLIENT_TIMEOUT", intent.client_timeout)
    _add(variables, intent, "MAX_RETRIES", intent.client_max_retries)
    _add(variables, intent, "LOG_LEVEL", intent.log_level)
    _add(variables, intent, "LOG_FORMAT", intent.log_format)
    if intent.proxy_address:
        variables.append({"name": "HTTPS_PROXY", "value": intent.proxy_address})
    if config is not None:
        variables.append({"name": layout.CONFIG_VARIABLE, "value": config})  # bytes: encoded as base64
    else:
        _add(variables, intent, "ADDR", intent.address)
        _add(variables, intent, "NAMESPACE", intent.namespace)
        _add(variables, intent, "CACERT", intent.ca_cert)
        _add(variables, intent, "CAPATH", intent.ca_path)
        _add(variables, intent, "CLIENT_CERT", intent.client_cert)
        _add(variables, intent, "CLIENT_KEY", intent.client_key)
        _add(variables, intent, "SKIP_VERIFY", "true" if intent.tls_skip_verify else "false")
        _add(variables, intent, "TLS_SERVER_NAME", intent.tls_server_name)
    _add(variables, intent, "CACERT_BYTES", common.ca_certificates)
    variables.extend(common.aws_environment)
    return variables


def _add(variables: list[Mapping[str, Any]], intent: Intent, name: str, value: str) -> None:
    if value:
        variables.extend({"name": prefix + name, "value": value} for prefix in intent.family.variables)


def resources(intent: Intent, kind: Kind) -> dict[str, dict[str, str]]:
    """Return requests and limits; an empty text means none, and a half without any is left out."""
    limits = _amounts(intent.limits_cpu, intent.limits_memory, intent.limits_ephemeral)
    requests = _amounts(intent.requests_cpu, intent.requests_memory, intent.requests_ephemeral)
    if kind is Kind.INIT:
        limits |= _own(intent.init_limits_cpu, intent.init_limits_memory, intent.init_limits_ephemeral)
        requests |= _own(intent.init_requests_cpu, intent.init_requests_memory, intent.init_requests_ephemeral)
    halves = {}
    if limits := {name: amount for name, amount in limits.items() if amount}:
        halves["limits"] = limits
    if requests := {name: amount for name, amount in requests.items() if amount}:
        halves["requests"] = requests
    return halves


def _amounts(cpu: str, memory: str, ephemeral: str) -> dict[str, str]:
    return {"cpu": cpu, "memory": memory, "ephemeral-storage": ephemeral}


def _own(cpu: str | None, memory: str | None, ephemeral: str | None) -> dict[str, str]:
    """Return what the init container has of its own; "" is a statement, None is not."""
    if cpu is None and memory is None and ephemeral is None:
        return {}
    own = {"cpu": cpu, "memory": memory, "ephemeral-storage": ephemeral}
    return {name: amount for name, amount in own.items() if amount is not None}


def startup_probe(intent: Intent) -> dict[str, Any]:
    """Return the probe that holds the app back until every file is there, and says in its event what is missing and why."""
    files = [secret.destination for secret in intent.secrets] or [layout.TOKEN_SINK]
    script = (
        f'for f in {shlex.join(files)}; do test -f "$f" || {{ '
        f"echo \"not rendered yet: $f | $(grep -E '\\* |\\[ERROR\\]|error' {layout.LOG_FILE} 2>/dev/null | tail -n 1)\"; exit 1; }}; done"
    )
    return {
        "exec": {"command": ("/bin/sh", "-c", script)},
        "periodSeconds": PROBE_PERIOD_S,
        "failureThreshold": PROBE_FAILURES,
        "timeoutSeconds": 5,
    }
