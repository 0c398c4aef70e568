"""The mounts of the secrets in the pod's own containers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from webhook.core.annotations.go_values import clean_path
from webhook.core.annotations.intent import Intent
from webhook.core.inject.volumes import AddedMount
from webhook.core.pod import Container, Spec
from webhook.core.refusal import Refused, refused
from webhook.reasons import Reason

BYTES_MAX = 1_048_576  # of all that is added to the pod's own containers; etcd takes no pod of more than 1.5 MiB

_encode = msgspec.json.Encoder().encode


class MountsOf(Struct, frozen=True):
    """Mounts to add to one of the pod's own containers."""

    member: str  # "containers" or "initContainers"
    index: int
    has_mounts: bool  # the container has a list to append to
    mounts: Sequence[bytes]


def app_mounts(spec: Spec, intent: Intent, secrets: Mapping[str, str], agents: frozenset[str]) -> list[MountsOf]:
    """Return the secret mounts that the pod's own containers lack: app containers asked for, and all init containers.

    Init containers see the secrets only if they are rendered before them; native sidecars among them live as long as the app.

    Args:
        spec: the pod's.
        intent: what its author asks for.
        secrets: volumes of rendered files, mount path to name.
        agents: names of containers that are agents.

    Raises:
        Refused: something else is mounted where secrets are to be, or the mounts together are too much for a pod.
    """
    is_read_only = intent.secret_volume_read_only
    mounts = {path: _encode(AddedMount(name, path, is_read_only)) for path, name in secrets.items()}
    wanted = [*_wanted(spec, intent, agents)]
    if len(wanted) * sum(map(len, mounts.values())) > BYTES_MAX:
        raise _too_much(intent, len(secrets), len(wanted))
    planned = []
    for member, index, container in wanted:
        if lacking := [mounts[path] for path in _lacking(container, intent, secrets)]:
            planned.append(MountsOf(member, index, bool(container.volumeMounts), lacking))
    return planned


def _wanted(spec: Spec, intent: Intent, agents: frozenset[str]) -> Iterator[tuple[str, int, Container]]:
    """Yield the containers that get the secrets, each with where it stands."""
    chosen = None if intent.containers is None else frozenset(intent.containers)
    for index, container in enumerate(spec.containers or ()):
        if container.name not in agents and (chosen is None or container.name in chosen):
            yield "containers", index, container
    for index, container in enumerate(spec.initContainers or ()):
        if container.name not in agents and (intent.pre_populate or container.restartPolicy == "Always"):
            yield "initContainers", index, container


def _lacking(container: Container, intent: Intent, secrets: Mapping[str, str]) -> Iterable[str]:
    """Return the paths at which a container does not mount the secrets yet."""
    if not container.volumeMounts:
        return secrets
    lacking = dict(secrets)
    for mount in container.volumeMounts:
        path = clean_path(mount.mountPath or "")
        name = secrets.get(path, mount.name)
        if name == mount.name:
            lacking.pop(path, None)
        elif mount.name:  # one without is for the API server to refuse
            raise refused(
                Reason.MOUNT_PATH_TAKEN,
                f"container {container.name}",
                f"volume {mount.name!r} is mounted at {path}, where secrets are to be mounted",
                f"Mount it elsewhere, or set the annotation {intent.annotation('secret-volume-path')}",
            )
    return lacking


def _too_much(intent: Intent, volumes: int, containers: int) -> Refused:
    return refused(
        Reason.ANNOTATION_INVALID,
        intent.annotation("secret-volume-path" if volumes == 1 else "secret-volume-path-<name>"),
        f"{volumes} volumes of secrets in {containers} containers are more than {BYTES_MAX} bytes of mounts",
        "Shorten the path" if volumes == 1 else "Give the secrets one path, or mount them in fewer containers",
    )
