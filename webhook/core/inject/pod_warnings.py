"""What the author should know about these annotations in this pod: allowed, and probably not meant."""

import re
from collections.abc import Iterator

from webhook.core.annotations.go_values import quantity_value
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.secrets import DECLARATION
from webhook.core.inject import names
from webhook.core.inject.agent_config import KEEP_SECRET_ID, AgentKind, keeps_secret_id
from webhook.core.inject.agents import AgentSet
from webhook.core.inject.pod_settings import PodSettings
from webhook.core.pod import Spec
from webhook.core.refusal import warning
from webhook.one_line import clean

DEFAULT_GRACE_PERIOD_S = 30  # of a pod, core/v1
# Words of a command that is meant for an app that runs.
_FOR_A_RUNNING_APP = re.compile(
    r"\b(?:kill|pkill|killall|killall5|pidof|pgrep|reload|restart|graceful|signal|SIG[A-Z]{2,}|HUP|USR[12]"
    r"|systemctl|supervisorctl|s6-svc|kubectl|apachectl|nginx\s+-s)\b"
)
_COMMAND_BYTES_READ = 4_096  # a command that is longer says early what it is for

PodWarning = tuple[str, str]  # annotation key without prefix, what is the matter


def pod_warnings(spec: Spec, intent: Intent, pod_settings: PodSettings, agent_set: AgentSet) -> list[str]:
    """Return them as warnings."""
    found = [
        *_of_containers(spec, intent),
        *_of_lifetime(spec, intent, agent_set),
        *_of_commands(intent, agent_set),
        *_of_volumes(spec, intent, pod_settings),
    ]
    return [warning(intent.annotation(key), problem) for key, problem in found]


def _of_containers(spec: Spec, intent: Intent) -> Iterator[PodWarning]:
    if intent.containers and (unknown := set(intent.containers) - {c.name for c in spec.containers or ()}):
        yield "agent-inject-containers", f"the pod has no container {', '.join(sorted(unknown))}"
    if source := intent.copy_mounts_of:
        own = (*(spec.containers or ()), *(spec.initContainers or ()))
        if all(container.name != source for container in own):
            yield "agent-copy-volume-mounts", f"the pod has no container {source}; nothing is copied"
    if spec.hostNetwork and (intent.cache or intent.enable_quit):
        yield "agent-cache-listener-port", "with hostNetwork the agent's port is open to everything on the node"
    if intent.share_process_namespace is False and spec.shareProcessNamespace:
        yield "agent-share-process-namespace", "false, and the pod says true; the pod is left as it is"
    if intent.run_as_same_user and spec.shareProcessNamespace and not intent.share_process_namespace:
        yield "agent-run-as-same-user", "the pod shares its process namespace: the app can read the agent's Vault token"


def _of_lifetime(spec: Spec, intent: Intent, agent_set: AgentSet) -> Iterator[PodWarning]:
    if intent.revoke and agent_set.sidecar is AgentKind.SIDECAR:
        own = spec.terminationGracePeriodSeconds
        grace_s = DEFAULT_GRACE_PERIOD_S if own is None else own
        if intent.revoke_grace_s >= grace_s:
            problem = f"not below the pod's grace period of {grace_s} s: the token may not be revoked"
            yield "agent-revoke-grace", problem
    ends = spec.restartPolicy in ("Never", "OnFailure")
    if agent_set.sidecar is AgentKind.SIDECAR and ends and not intent.enable_quit:
        problem = f"restartPolicy is {spec.restartPolicy}, and the sidecar never ends: neither does the pod"
        yield "agent-inject", f"{problem}; set agent-pre-populate-only, or have the platform team use native sidecars"
    if (
        keeps_secret_id(intent) and agent_set.sidecar is not AgentKind.NATIVE
    ):  # classic agents are configured as the reference's
        yield (
            f"auth-config-{KEEP_SECRET_ID}",
            'set it to "false": agent-extra-secret is read-only, the agent logs an error else',
        )
    if agent_set.sidecar is AgentKind.NATIVE and not intent.init_first and "agent-init-first" in intent.in_pod:
        yield "agent-init-first", "no effect: a native sidecar always goes first"
    if not agent_set.init:
        for key in sorted(intent.in_pod):
            if key.startswith(("agent-init-limits-", "agent-init-requests-")):
                yield key, "no effect: the pod gets no plain init container"


def _of_commands(intent: Intent, agent_set: AgentSet) -> Iterator[PodWarning]:
    """Yield commands that a native sidecar first runs while there is no app; after an init agent it finds the files as they are."""
    if agent_set.sidecar is not AgentKind.NATIVE or agent_set.init:
        return
    for secret in intent.secrets:
        if found := _FOR_A_RUNNING_APP.search(secret.command[:_COMMAND_BYTES_READ]):
            key = "agent-inject-command-" + secret.key.removeprefix(DECLARATION)
            yield (
                key,
                f"{clean(found[0])!r}: it first runs before the app does; let it succeed when there is nothing to tell",
            )


def _of_volumes(spec: Spec, intent: Intent, pod_settings: PodSettings) -> Iterator[PodWarning]:
    for container in spec.containers or ():
        for mount in container.mounts:
            if mount.name == names.SECRETS and (mount.subPath or mount.subPathExpr):
                yield "secret-volume-path", "a mount with subPath never sees a secret change; mount the folder"
    if "secret-volume-size-limit" in intent.in_pod and intent.limits_memory:
        size = intent.secret_volume_size_limit or pod_settings.memory_volume_size_limit
        if quantity_value(size or "0") > quantity_value(intent.limits_memory):
            problem = f"above the agent's memory limit {intent.limits_memory}: filling it kills the agent"
            yield "secret-volume-size-limit", problem
