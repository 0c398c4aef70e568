"""What to add to a pod: volumes, agent containers, mounts. Conflicts with the pod are refused, what is there already is kept."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct

from webhook.core.annotations.go_values import clean_path
from webhook.core.annotations.intent import Intent
from webhook.core.inject import agent_config, containers, found_agents, isolation, names, pod_level, scripts
from webhook.core.inject.agent_config import AgentKind
from webhook.core.inject.agents import AgentSet, agents_of
from webhook.core.inject.app_mounts import MountsOf, app_mounts
from webhook.core.inject.container_patch import apply as apply_container_patch
from webhook.core.inject.copied import aws_environment
from webhook.core.inject.found_agents import FoundAgents
from webhook.core.inject.login_token import LoginToken, TokenFiles
from webhook.core.inject.mounts_of_agents import mounts_of_agents
from webhook.core.inject.pod_settings import PodSettings
from webhook.core.inject.pod_warnings import pod_warnings
from webhook.core.inject.run_as import run_as_of, security_context
from webhook.core.inject.volumes import agent_mounts, secret_volumes, volumes
from webhook.core.json_template import elements
from webhook.core.pod import Pod, Spec
from webhook.core.refusal import Refused, refused, warning
from webhook.core.review import Review, raw_containers
from webhook.reasons import Reason

_encode = msgspec.json.Encoder().encode


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that is added, each object as JSON; empty sequences where nothing is."""

    volumes: Sequence[bytes] = ()
    mounts: Sequence[MountsOf] = ()
    init_agents: Sequence[bytes] = ()
    init_first: bool = False
    sidecars: Sequence[bytes] = ()
    share_process_namespace: bool = False
    mark: bool = False  # write the status annotation
    injection_type: str = ""  # as the reference's metric names it; "" when no agent is added
    has_agent: bool = True  # the pod has an agent, added now or before
    found: Sequence[
        tuple[str, bytes]
    ] = ()  # agents that were there before: container's name, and the container as JSON
    token_is_ours: bool = True  # False: another injector's agent logs in with a token we know nothing of
    token_files: TokenFiles = TokenFiles()  # what an agent told to log in with another file would find there
    warnings: Sequence[str] = ()


def build(
    review: Review,
    pod: Pod,
    intent: Intent,
    pod_settings: PodSettings,
    token: LoginToken,
    *,
    marked: bool,
) -> Plan:
    """Return what to add.

    Args:
        review: the request, for those parts of the pod that are copied as written.
        pod: as submitted.
        intent: what its author asks for.
        pod_settings: what the operator decided.
        token: the service account token the agent logs in with.
        marked: the status annotation says the pod is injected.

    Raises:
        Refused: the pod has something of its own in the place of what is added, or half of an injection.
    """
    spec = _spec_of(pod)
    agents = found_agents.find(pod, marked=marked)
    if agents.names:
        return _complete(review, spec, intent, token, agents, marked=marked)
    if marked:
        problem = "the pod is marked as injected and has no agent; nothing is added. Remove this annotation"
        return Plan(has_agent=False, warnings=[warning(intent.annotation("agent-inject-status"), problem)])
    agent_set = agents_of(intent, pod_settings, spec)
    secrets = secret_volumes(intent)
    added = volumes(intent, pod_settings, token, agent_set, secrets)
    _refuse_taken_names(spec, added, secrets)
    breaches = isolation.enforce(spec, intent, pod_settings.preset, added=added.keys(), secrets=secrets)
    of_agents = agent_mounts(intent, token, agent_set, secrets)
    mounts = mounts_of_agents(review, spec, intent, pod_settings.preset, token, of_agents)
    init_agents, sidecars = _agents(spec, intent, pod_settings, token, agent_set, mounts.encoded)
    pod_level.refuse_misfit(spec, intent, init_agents, sidecars, first=agent_set.first)
    return Plan(
        volumes=[*added.values()],
        mounts=app_mounts(spec, intent, secrets, frozenset()),
        init_agents=init_agents,
        init_first=agent_set.first,
        sidecars=sidecars,
        share_process_namespace=_shares_process_namespace(spec, intent),
        mark=True,
        injection_type=agent_set.injection_type,
        token_files=mounts.token_files,
        warnings=[*breaches, *pod_warnings(spec, intent, pod_settings, agent_set), *mounts.warnings],
    )


def _agents(
    spec: Spec, intent: Intent, pod_settings: PodSettings, token: LoginToken, agent_set: AgentSet, mounts: bytes
) -> tuple[list[bytes], list[bytes]]:
    """Return the agents that are init containers, and those that are containers."""
    identity = run_as_of(spec, intent)
    parts = containers.PodParts(
        mounts=mounts,
        environment=elements(aws_environment(spec, intent)) if intent.auth_type == "aws" else b"",
        probe=_encode(scripts.probe(intent)) if agent_set.probed else None,
        security_context=None if identity is None else security_context(identity),
        limited=pod_level.limited(spec),
    )
    configs = (
        None
        if intent.configmap
        else agent_config.Configs(
            intent, token.file, persistent_cache=agent_set.persistent_cache, preset=pod_settings.preset
        )
    )

    def agent(kind: AgentKind) -> bytes:
        config = configs.of(kind) if configs else b""
        if len(config) > agent_config.BYTES_MAX:
            raise _too_large(intent, config)
        container = containers.build(kind, intent, config, parts, ca_certificates=pod_settings.ca_certificates)
        return apply_container_patch(intent, kind, container)

    init_agents = [agent(AgentKind.INIT)] if agent_set.init else []
    if agent_set.sidecar is None:
        return init_agents, []
    sidecar = agent(agent_set.sidecar)
    return ([*init_agents, sidecar], []) if agent_set.sidecar is AgentKind.NATIVE else (init_agents, [sidecar])


def _too_large(intent: Intent, config: bytes) -> Refused:
    return refused(
        Reason.CONFIG_TOO_LARGE,
        intent.annotation("agent-inject-template-<name>"),
        f"the agent's configuration has {len(config)} bytes, too many for one environment variable"
        f" ({agent_config.VARIABLE_BYTES_MAX} bytes in base64)",
        "Shorten the templates, or use agent-configmap",
    )


def _spec_of(pod: Pod) -> Spec:
    """Return the pod's spec; a patch of one without containers would not apply, or make a pod of agents alone."""
    for field, value in (("spec", pod.spec), ("spec.containers", pod.spec and pod.spec.containers)):
        if not value:
            raise refused(Reason.POD_INVALID, field, "the pod has none", "Give it a container")
    return pod.spec or Spec()


def _refuse_taken_names(spec: Spec, added: Mapping[str, object], secrets: Mapping[str, str]) -> None:
    for volume in spec.volumes or ():
        if volume.name in added:
            own = (*(spec.containers or ()), *(spec.initContainers or ()))
            paths = {clean_path(m.mountPath or "") for c in own for m in c.mounts if m.name == volume.name}
            is_the_same = any(secrets.get(path) == volume.name for path in paths)
            raise refused(
                Reason.NAME_TAKEN,
                f"spec.volumes {volume.name}",
                "the pod has a volume of its own with a name the injection needs",
                "Remove volume and mount, they are added" if is_the_same else "Rename the pod's volume",
            )


def _complete(
    review: Review, spec: Spec, intent: Intent, token: LoginToken, agents: FoundAgents, *, marked: bool
) -> Plan:
    """Return what a pod that has agents still lacks: mounts of containers that others added after us."""
    if not agents.is_complete(pre_populate=intent.pre_populate, pre_populate_only=intent.pre_populate_only):
        missing = "sidecar" if not agents.has_sidecar else "init container"
        raise refused(
            Reason.AGENT_INCOMPLETE,
            f"container {min(agents.names)}",
            f"the pod already holds this agent and lacks the agent's {missing}",
            "Recreate the pod from its original manifest",
        )
    volumes = {volume.name for volume in spec.volumes or ()}
    found = [*_as_submitted(review, agents.names)]
    if not (agents.by_us and names.SECRETS in volumes):
        return Plan(token_is_ours=False, found=found)  # another injector's work, whole: left alone
    own = (*(spec.containers or ()), *(spec.initContainers or ()))
    mounted = [mount for container in own if container.name in agents.names for mount in container.mounts]
    return Plan(
        mounts=app_mounts(spec, intent, secret_volumes(intent), agents.names),
        mark=not marked,
        found=found,
        token_files=TokenFiles.of(spec, token, mounted),
    )


def _as_submitted(review: Review, wanted: AbstractSet[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the containers of these names as they are written, those that stay beside the app first."""
    for member in raw_containers(review).values():
        for container in member:
            if (name := container.get("name")) in wanted:
                yield str(name), _encode(container)


def _shares_process_namespace(spec: Spec, intent: Intent) -> bool:
    """Tell whether to set shareProcessNamespace: only to true, and never against the pod."""
    if not intent.share_process_namespace or spec.shareProcessNamespace:
        return False
    if spec.shareProcessNamespace is False:
        raise refused(
            Reason.PROCESS_NAMESPACE_REFUSED,
            intent.annotation("agent-share-process-namespace"),
            "the pod itself says shareProcessNamespace: false",
            "Remove one of the two",
        )
    return True
