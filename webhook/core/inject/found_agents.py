"""What a pod already holds of an injection: by us in an earlier round, by an older version, or by another injector.

Agents are recognised by shape, not by the status annotation, which anybody can write: a container that mounts an agent's home
volume at an agent's home and is given a configuration.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from webhook.core.inject import names
from webhook.core.pod import Container, Pod, environment
from webhook.core.refusal import refused
from webhook.reasons import Reason

_HOMES = (names.HOME, "/home/openbao")
_CONFIGMAP_PATHS = (names.CONFIGMAP_PATH,)


class FoundAgents(Struct, frozen=True):
    """The agents found in a pod."""

    names: frozenset[str] = frozenset()
    has_init: bool = False
    has_sidecar: bool = False
    sidecar_is_native: bool = False
    by_us: bool = False  # they mount a token volume where we mount it

    def is_complete(self, *, pre_populate: bool, pre_populate_only: bool) -> bool:
        """Tell whether every agent these switches ask for is there."""
        if pre_populate_only:
            return self.has_init
        init = self.has_init or not pre_populate or self.sidecar_is_native
        return self.has_sidecar and init


NONE = FoundAgents()


def find(pod: Pod, *, marked: bool) -> FoundAgents:
    """Return the agents of a pod.

    Args:
        pod: as submitted.
        marked: the status annotation says it is injected; containers with our names are then taken for agents whatever
            a container patch made of them.

    Raises:
        Refused: a container has an agent's name and is none.
    """
    agents = [agent for container, native in _containers(pod) if (agent := _agent(container, native, marked=marked))]
    if not agents:
        return NONE
    return FoundAgents(
        names=frozenset(agent.name for agent in agents),
        has_init=any(agent.is_init for agent in agents),
        has_sidecar=not all(agent.is_init for agent in agents),
        sidecar_is_native=any(agent.is_native and not agent.is_init for agent in agents),
        by_us=any(agent.by_us for agent in agents),
    )


class _Agent(NamedTuple):
    """One agent."""

    name: str
    is_init: bool
    is_native: bool
    by_us: bool


def _agent(container: Container, is_native: bool, *, marked: bool) -> _Agent | None:  # noqa: FBT001 as _containers yields it
    """Return what a container is of an injection; None for a container of the pod's own."""
    home = _home(container)
    has_name = container.name in (names.INIT_AGENT, names.SIDECAR)
    if home is None and not has_name:
        return None
    if not (marked or (home is not None and _is_configured(container))):
        if home is not None and not has_name:
            return None
        raise refused(
            Reason.NAME_TAKEN,
            f"container {container.name}",
            "the pod has a container of its own with the agent's name",
            "Rename it, or remove the annotation agent-inject",
        )
    return _Agent(
        name=container.name or "",
        is_init=home == names.HOME_INIT or (home is None and container.name == names.INIT_AGENT),
        is_native=is_native,
        by_us=any(mount.mountPath == names.TOKEN_PATH for mount in container.mounts),
    )


def _containers(pod: Pod) -> Iterator[tuple[Container, bool]]:
    """Yield each container and whether it is a native sidecar."""
    if pod.spec is not None:
        for container in pod.spec.initContainers or ():
            yield container, container.restartPolicy == "Always"
        for container in pod.spec.containers or ():
            yield container, False


def _home(container: Container) -> str | None:
    """Return the name of the home volume a container mounts as an agent does."""
    for mount in container.mounts:
        if mount.name in names.HOME_VOLUMES and mount.mountPath in _HOMES:
            return mount.name
    return None


def _is_configured(container: Container) -> bool:
    if any(mount.mountPath in _CONFIGMAP_PATHS for mount in container.mounts):
        return True
    return any(variable.name in names.CONFIG_VARIABLES for variable in environment(container))
