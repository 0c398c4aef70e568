"""Which agents a pod gets: an init container, a sidecar, a native sidecar, and in what order."""

from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject.agent_config import AgentKind
from webhook.core.inject.pod_settings import PodSettings, SidecarMode
from webhook.core.pod import Spec

SIDECAR_ONLY = "sidecar_only"


class AgentSet(Struct, frozen=True):
    """The agents of one pod."""

    init: bool  # a plain init container
    sidecar: AgentKind | None
    first: bool  # agents stand before the pod's own init containers
    probed: bool  # the app starts when the startup probe finds every file
    persistent_cache: bool  # the init container hands its cache on to the sidecar

    @property
    def injection_type(self) -> str:
        """Return the name the reference's metric has for it."""
        if self.init:
            return "init_and_sidecar" if self.sidecar else "init_only"
        return SIDECAR_ONLY


def agents_of(intent: Intent, pod_settings: PodSettings, spec: Spec) -> AgentSet:
    """Decide which agents a pod gets.

    Native mode has one, which the app waits for. Where a native sidecar cannot do both (files unknown in ConfigMap mode,
    a pod that never restarts and would never fail) a plain init container goes before it. Rendering once needs no sidecar.
    """
    if pod_settings.sidecar_mode is SidecarMode.CLASSIC:
        init, sidecar = intent.pre_populate, None if intent.pre_populate_only else AgentKind.SIDECAR
        first, probed = intent.init_first, False
    elif intent.pre_populate_only:
        init, sidecar, first, probed = True, None, True, False
    else:
        init = intent.pre_populate and (bool(intent.configmap) or spec.restartPolicy == "Never")
        sidecar, first, probed = AgentKind.NATIVE, True, intent.pre_populate and not init
    return AgentSet(init, sidecar, first, probed, intent.cache and init and sidecar is not None)
