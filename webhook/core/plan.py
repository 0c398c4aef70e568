"""What to add to a pod: volumes, agent containers, mounts. Conflicts with the pod are refused, what is there already is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.core import agent_config, containers, existing, layout
from webhook.core.agent_config import Kind
from webhook.core.container_patch import apply as apply_container_patch
from webhook.core.copied import aws_environment, aws_token_mounts, copied_mounts
from webhook.core.existing import Agents
from webhook.core.intent import Intent
from webhook.core.pod import Container, Pod, Spec
from webhook.core.profile import Profile, SidecarMode
from webhook.core.reasons import Reason
from webhook.core.refusal import refused, warning
from webhook.core.review import Review
from webhook.core.token import Token
from webhook.core.texts import quantity_value

Object = Mapping[str, Any]


class MountsOf(Struct, frozen=True):
    """Mounts to add to one of the pod's own containers."""

    member: str  # "containers" or "initContainers"
    index: int
    has_mounts: bool  # the container has a list to append to
    mounts: Sequence[Object]


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that is added; empty sequences where nothing is."""

    volumes: Sequence[Object] = ()
    mounts: Sequence[MountsOf] = ()
    init_agents: Sequence[Object] = ()
    init_first: bool = False
    sidecars: Sequence[Object] = ()
    share_process_namespace: bool = False
    mark: bool = False  # write the status annotation
    injection_type: str = ""  # as the reference's metric names it; "" when no agent is added
    has_agent: bool = True  # the pod has an agent, added now or before
    token_is_ours: bool = True  # False: another injector's agent logs in with a token we know nothing of
    warnings: Sequence[str] = ()


class Shape(Struct, frozen=True):
    """Which agents a pod gets, and of which kind."""

    init: bool
    sidecar: Kind | None
    first: bool  # agents stand before the pod's own init containers
    probed: bool

    @property
    def injection_type(self) -> str:
        """Return the name the reference's metric has for it."""
        if self.init:
            return "init_and_sidecar" if self.sidecar else "init_only"
        return "sidecar_only"


def build(review: Review, pod: Pod, intent: Intent, profile: Profile, token: Token, *, marked: bool) -> Plan:
    """Return what to add.

    Args:
        review: the request, for those parts of the pod that are copied as written.
        pod: as submitted.
        intent: what its author asks for.
        profile: what the operator decided.
        token: the service account token the agent logs in with.
        marked: the status annotation says the pod is injected.

    Raises:
        Refused: the pod has something of its own in the place of what is added, or half of an injection.
    """
    spec = pod.spec or Spec()
    agents = existing.find(pod, marked=marked)
    if agents.names:
        return _complete(spec, intent, agents, marked=marked)
    if marked:
        problem = "the pod is marked as injected and has no agent; nothing is added. Remove this annotation"
        return Plan(has_agent=False, warnings=[warning(intent.annotation("agent-inject-status"), problem)])
    shape = shape_of(intent, profile, spec)
    secrets = _SecretVolumes(intent)
    init_agents, sidecars = _agents(review, spec, intent, profile, token, shape, secrets)
    volumes = _volumes(intent, profile, token, shape, secrets)
    _refuse_taken_names(spec, volumes)
    return Plan(
        volumes=volumes,
        mounts=_mounts(spec, intent, secrets.mounts(read_only=intent.secret_volume_read_only), frozenset()),
        init_agents=init_agents,
        init_first=shape.first,
        sidecars=sidecars,
        share_process_namespace=_shares_process_namespace(spec, intent),
        mark=True,
        injection_type=shape.injection_type,
        warnings=_warnings(spec, intent, profile, shape),
    )


def shape_of(intent: Intent, profile: Profile, spec: Spec) -> Shape:
    """Decide which agents a pod gets.

    Native mode has one, which the app waits for. Where a native sidecar cannot do both (files unknown in ConfigMap mode, a pod
    that never restarts and would never fail) a plain init container goes before it. Rendering once needs no sidecar at all.
    """
    classic = profile.sidecar_mode is SidecarMode.CLASSIC
    first = intent.init_first or not classic
    if intent.pre_populate_only:
        return Shape(init=True, sidecar=None, first=first, probed=False)
    if classic:
        return Shape(init=intent.pre_populate, sidecar=Kind.SIDECAR, first=first, probed=False)
    pair = intent.pre_populate and (bool(intent.configmap) or spec.restartPolicy == "Never")
    return Shape(init=pair, sidecar=Kind.NATIVE, first=True, probed=intent.pre_populate and not pair)


class _SecretVolumes:
    """The memory volumes of rendered files: a common one, and one for each other mount path, numbered in secret order."""

    def __init__(self, intent: Intent) -> None:
        self.paths = {intent.secret_volume_path: layout.SECRETS}
        for secret in intent.secrets:
            if secret.mount_path not in self.paths:
                self.paths[secret.mount_path] = f"{layout.CUSTOM_SECRETS}{len(self.paths) - 1}"

    def mounts(self, *, read_only: bool = False) -> list[Object]:
        if read_only:
            return [{"name": name, "mountPath": path, "readOnly": True} for path, name in self.paths.items()]
        return [{"name": name, "mountPath": path} for path, name in self.paths.items()]


def _agents(  # noqa: PLR0913 the parts of one plan
    review: Review,
    spec: Spec,
    intent: Intent,
    profile: Profile,
    token: Token,
    shape: Shape,
    secrets: _SecretVolumes,
) -> tuple[list[Object], list[Object]]:
    """Return the agents that are init containers, and those that are containers."""
    aws = intent.auth_type == "aws"
    mounts: list[Object] = [*token.mounts(), *secrets.mounts()]
    if aws:
        mounts += aws_token_mounts(spec)
    if intent.extra_secret:
        mounts.append({"name": layout.EXTRA, "mountPath": layout.EXTRA_PATH, "readOnly": True})
    if intent.configmap:
        mounts.append({"name": layout.CONFIGMAP, "mountPath": layout.CONFIGMAP_PATH, "readOnly": True})
    if intent.tls_secret:
        mounts.append({"name": layout.TLS, "mountPath": layout.TLS_PATH, "readOnly": True})
    persistent = _has_persistent_cache(intent, shape)
    if persistent:
        mounts.append({"name": layout.CACHE, "mountPath": layout.CACHE_PATH})
    if intent.copy_mounts_of:
        mounts += copied_mounts(review, spec, intent.copy_mounts_of, mounts)
    user = _user(spec, intent)
    seccomp = spec.securityContext is None or spec.securityContext.seccompProfile is None

    def agent(kind: Kind, name: str, home: str) -> Object:
        config = None
        if not intent.configmap:
            config = agent_config.document(intent, kind, token.file, persistent_cache=persistent)
            _refuse_too_large(intent, config)
        container = containers.build(
            containers.Agent(
                kind=kind,
                name=name,
                home=home,
                mounts=mounts,
                config=config,
                ca_certificates=profile.ca_certificates,
                aws_environment=aws_environment(spec, intent) if aws else (),
                user=user,
                seccomp=seccomp,
                probed=shape.probed,
            ),
            intent,
        )
        return apply_container_patch(intent, kind, container)

    init_agents = [agent(Kind.INIT, layout.INIT_AGENT, layout.HOME_INIT)] if shape.init else []
    if shape.sidecar is None:
        return init_agents, []
    sidecar = agent(shape.sidecar, layout.SIDECAR, layout.HOME_SIDECAR)
    return ([*init_agents, sidecar], []) if shape.sidecar is Kind.NATIVE else (init_agents, [sidecar])


def _has_persistent_cache(intent: Intent, shape: Shape) -> bool:
    return intent.cache and shape.init and shape.sidecar is not None


def _refuse_too_large(intent: Intent, config: bytes) -> None:
    if not agent_config.fits_one_variable(config):
        raise refused(
            Reason.CONFIG_TOO_LARGE,
            intent.annotation("agent-inject-template-<name>"),
            f"the agent's configuration has {len(config)} bytes, too many for one environment variable"
            f" ({agent_config.VARIABLE_BYTES_MAX} bytes in base64)",
            "Shorten the templates, or use agent-configmap",
        )


def _user(spec: Spec, intent: Intent) -> int | None:
    """Return the uid of the agent containers; None leaves their security context out."""
    user = _same_user(spec, intent) if intent.run_as_same_user else intent.run_as_user
    if intent.set_security_context or ("agent-set-security-context" not in intent.in_pod and _states_identity(intent)):
        return user
    return None


def _states_identity(intent: Intent) -> bool:
    """Tell whether the pod itself says who the agent runs as, which turns on a security context the server leaves out."""
    in_pod = intent.in_pod
    return (
        "agent-run-as-user" in in_pod
        or "agent-run-as-group" in in_pod
        or ("agent-run-as-same-user" in in_pod and intent.run_as_same_user)
    )


def _same_user(spec: Spec, intent: Intent) -> int:
    """Return the uid of the first app container that gets the secrets, or of the pod."""
    app = next((c for c in spec.containers or () if intent.containers is None or c.name in intent.containers), None)
    for context in (app.securityContext if app else None, spec.securityContext):
        if context is not None and context.runAsUser is not None:
            if context.runAsUser == 0:
                break
            return context.runAsUser
    raise refused(
        Reason.SAME_USER_UNKNOWN,
        intent.annotation("agent-run-as-same-user"),
        "the app's container and the pod give no runAsUser above 0",
        "Set securityContext.runAsUser in the pod, or use agent-run-as-user",
    )


def _volumes(intent: Intent, profile: Profile, token: Token, shape: Shape, secrets: _SecretVolumes) -> list[Object]:
    own = _memory(profile.memory_volume_size_limit)
    rendered = _memory(intent.secret_volume_size_limit or profile.memory_volume_size_limit)
    volumes: list[Object] = []
    if shape.init:
        volumes.append({"name": layout.HOME_INIT, "emptyDir": own})
    if shape.sidecar:
        volumes.append({"name": layout.HOME_SIDECAR, "emptyDir": own})
    volumes.extend({"name": name, "emptyDir": rendered} for name in secrets.paths.values())
    if intent.configmap:
        volumes.append({"name": layout.CONFIGMAP, "configMap": {"name": intent.configmap}})
    if intent.extra_secret:
        volumes.append({"name": layout.EXTRA, "secret": {"secretName": intent.extra_secret}})
    if intent.tls_secret:
        volumes.append({"name": layout.TLS, "secret": {"secretName": intent.tls_secret}})
    if _has_persistent_cache(intent, shape):
        volumes.append({"name": layout.CACHE, "emptyDir": own})
    if token.volume is not None:
        volumes.append(token.volume)
    return volumes


def _memory(size_limit: str) -> Object:
    """Return a memory-backed emptyDir; an empty limit or 0 means none."""
    if not size_limit or size_limit == "0":
        return {"medium": "Memory"}
    return {"medium": "Memory", "sizeLimit": size_limit}


def _refuse_taken_names(spec: Spec, volumes: Sequence[Object]) -> None:
    own = {volume.name for volume in spec.volumes or ()}
    for volume in volumes:
        if volume["name"] in own:
            raise refused(
                Reason.NAME_TAKEN,
                f"spec.volumes {volume['name']}",
                "the pod has a volume of its own with a name the injection needs",
                "Rename the pod's volume",
            )


def _mounts(spec: Spec, intent: Intent, mounts: Sequence[Object], agents: frozenset[str]) -> list[MountsOf]:
    """Return the secret mounts the pod's own containers lack: the app containers asked for, and all init containers.

    Init containers see the secrets only if they are rendered before them; native sidecars among them live as long as the app.
    """
    planned = []
    for member, own in (("containers", spec.containers), ("initContainers", spec.initContainers)):
        for index, container in enumerate(own or ()):
            if container.name in agents:
                continue
            if member == "containers":
                wanted = intent.containers is None or container.name in intent.containers
            else:
                wanted = intent.pre_populate or container.restartPolicy == "Always"
            if wanted and (lacking := _lacking(container, mounts)):
                planned.append(MountsOf(member, index, bool(container.volumeMounts), lacking))
    return planned


def _lacking(container: Container, mounts: Sequence[Object]) -> Sequence[Object]:
    if not container.volumeMounts:
        return mounts
    taken = {(mount.mountPath or "").rstrip("/"): mount.name for mount in container.volumeMounts}
    lacking = []
    for mount in mounts:
        name = taken.get(mount["mountPath"])
        if name is None:
            lacking.append(mount)
        elif name != mount["name"]:
            raise refused(
                Reason.MOUNT_PATH_TAKEN,
                f"container {container.name}",
                f"volume {name!r} is mounted at {mount['mountPath']}, where secrets are to be mounted",
                "Mount it elsewhere, or set the annotation secret-volume-path",
            )
    return lacking


def _complete(spec: Spec, intent: Intent, agents: Agents, *, marked: bool) -> Plan:
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
    if not (agents.by_us and layout.SECRETS in volumes):
        return Plan(token_is_ours=False)  # another injector's work, whole: left alone
    mounts = _SecretVolumes(intent).mounts(read_only=intent.secret_volume_read_only)
    return Plan(mounts=_mounts(spec, intent, mounts, agents.names), mark=not marked)


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


def _warnings(spec: Spec, intent: Intent, profile: Profile, shape: Shape) -> list[str]:
    """Return what the author should know about this pod and these annotations together."""
    found: list[str] = []

    def warn(key: str, problem: str) -> None:
        found.append(warning(intent.annotation(key), problem))

    names = {container.name for container in spec.containers or ()}
    if intent.containers and (unknown := set(intent.containers) - names):
        warn("agent-inject-containers", f"the pod has no container {', '.join(sorted(unknown))}")
    init_names = {container.name for container in spec.initContainers or ()}
    if intent.copy_mounts_of and intent.copy_mounts_of not in names | init_names:
        warn("agent-copy-volume-mounts", f"the pod has no container {intent.copy_mounts_of}; nothing is copied")
    if spec.hostNetwork and (intent.cache or intent.enable_quit):
        warn("agent-cache-listener-port", "with hostNetwork the agent's port is open to everything on the node")
    if intent.share_process_namespace is False and spec.shareProcessNamespace:
        warn("agent-share-process-namespace", "false, and the pod says true; the pod is left as it is")
    grace = 30 if spec.terminationGracePeriodSeconds is None else spec.terminationGracePeriodSeconds
    if intent.revoke and shape.sidecar is Kind.SIDECAR and intent.revoke_grace_s >= grace:
        warn("agent-revoke-grace", f"not below the pod's grace period of {grace} s: the token may not be revoked")
    if shape.sidecar is Kind.NATIVE and "agent-init-first" in intent.in_pod and not intent.init_first:
        warn("agent-init-first", "no effect: a native sidecar always goes first")
    if not shape.init and any(
        key.startswith("agent-init-") and key[11:17] in ("limits", "reques") for key in intent.in_pod
    ):
        warn("agent-init-requests-cpu", "no effect: the pod gets no plain init container")
    if any(m.subPath or m.subPathExpr for c in spec.containers or () for m in c.mounts if m.name == layout.SECRETS):
        warn("secret-volume-path", "a mount with subPath never sees a secret change; mount the folder")
    if _exceeds_memory(intent, profile):
        warn(
            "secret-volume-size-limit",
            f"above the agent's memory limit {intent.limits_memory}: filling it kills the agent",
        )
    return found


def _exceeds_memory(intent: Intent, profile: Profile) -> bool:
    size = intent.secret_volume_size_limit or profile.memory_volume_size_limit
    if size in ("", "0") or not intent.limits_memory or "secret-volume-size-limit" not in intent.in_pod:
        return False
    return quantity_value(size) > quantity_value(intent.limits_memory)
