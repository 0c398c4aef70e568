"""What presets forbid of the pod itself: ways for its own containers to reach what the agent holds."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from webhook.core.annotations.intent import Intent
from webhook.core.annotations.preset_check import verdict
from webhook.core.annotations.presets import READ_ONLY, Preset, PresetPolicy
from webhook.core.pod import Spec

SHARE = "agent-share-process-namespace"
SAME_USER = "agent-run-as-same-user"
Breach = tuple[str, str]  # subject, what is forbidden


def enforce(
    spec: Spec, intent: Intent, policy: PresetPolicy, *, added: AbstractSet[str], secrets: Mapping[str, str]
) -> list[str]:
    """Refuse what the preset forbids, or return it as warnings.

    Args:
        spec: as submitted, without agents.
        intent: what its author asks for.
        policy: the preset.
        added: names of the volumes that are added for the agent.
        secrets: those of them that hold rendered files, mount path to name.

    Raises:
        Refused: names the part of the pod, and the preset.
    """
    if policy.preset is Preset.COMPAT:
        return []
    return verdict(_breaches(spec, intent, policy, added, frozenset(secrets.values())), policy)


def _breaches(
    spec: Spec, intent: Intent, policy: PresetPolicy, added: AbstractSet[str], secrets: AbstractSet[str]
) -> Iterator[Breach]:
    if spec.shareProcessNamespace and intent.run_as_same_user and not policy.opens(SAME_USER):
        yield intent.annotation(SAME_USER), "the app's user for the agent in a shared process namespace"
    if policy.preset is not Preset.STRICT:
        return
    if spec.shareProcessNamespace and not policy.opens(SHARE):
        yield "spec.shareProcessNamespace", "a process namespace shared with the agent"
    yield from _of_mounts(spec, added - secrets, secrets if policy.confines(READ_ONLY) else ())


def _of_mounts(spec: Spec, agents: AbstractSet[str], read_only: Iterable[str]) -> Iterator[Breach]:
    for container in (*(spec.initContainers or ()), *(spec.containers or ())):
        for mount in container.mounts:
            if mount.name in agents:
                yield f"container {container.name}", f"a mount of the agent's volume {mount.name}"
            elif mount.name in read_only and not mount.readOnly:
                yield f"container {container.name}", f"a mount of {mount.name} that is not read-only"
