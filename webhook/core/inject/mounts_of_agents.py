"""What the agent containers mount, copies included, and which tokens they find there."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from webhook.core.annotations.intent import Intent
from webhook.core.annotations.presets import Preset, PresetPolicy
from webhook.core.inject import names
from webhook.core.inject.copied import Copies, aws_token_mounts, copied_mounts
from webhook.core.inject.login_token import TOKEN_PATH_MEMBER, LoginToken, TokenFiles, configured_file
from webhook.core.inject.places import parts_of
from webhook.core.inject.volumes import AddedMount
from webhook.core.json_template import elements
from webhook.core.pod import Spec, VolumeMount
from webhook.core.refusal import Refused, refused, warning
from webhook.core.review import Review
from webhook.reasons import Reason

BYTES_MAX = 262_144  # of one agent's mounts, as JSON; a pod has up to two agents, and etcd takes 1.5 MiB a pod
_NOT_HELD = "no mount of the agent holds this path"


class MountsOfAgents(NamedTuple):
    """The mounts of every agent container of a pod."""

    encoded: bytes  # all but the home, as further elements of a JSON list
    token_files: TokenFiles
    warnings: Sequence[str]


def mounts_of_agents(
    review: Review, spec: Spec, intent: Intent, policy: PresetPolicy, token: LoginToken, added: Iterable[AddedMount]
) -> MountsOfAgents:
    """Put together what every agent mounts.

    Args:
        review: the request, for what is copied as written.
        spec: the pod's.
        intent: what its author asks for.
        policy: the preset.
        token: what the agent logs in with, unless annotations name another file.
        added: what `agent_mounts` yields.

    Raises:
        Refused: two volumes would be mounted at one path, or the agent is to log in with a file that no mount of it holds.
    """
    mounts = [*added]
    if intent.auth_type == "aws":
        mounts += aws_token_mounts(spec)
    _refuse_two_at_one_path(intent, mounts)
    file = configured_file(intent)
    copies = copied_mounts(review, spec, intent, policy, mounts, file) if intent.copy_mounts_of else Copies()
    seen = [VolumeMount(names.HOME_SIDECAR, names.HOME), *(VolumeMount(m.name, m.mountPath) for m in mounts)]
    seen += [VolumeMount(m["name"], m["mountPath"], m.get("subPath"), m.get("subPathExpr")) for m in copies.mounts]
    encoded = elements([*mounts, *copies.mounts])
    if len(encoded) > BYTES_MAX:
        raise _too_much(intent, len(encoded))
    files = TokenFiles.of(spec, token, seen)
    doubts = _unless_held(file, files, intent, policy) if file else []
    return MountsOfAgents(encoded, files, [*copies.warnings, *doubts])


def _too_much(intent: Intent, size: int) -> Refused:
    return refused(
        Reason.ANNOTATION_INVALID,
        intent.annotation("agent-copy-volume-mounts" if intent.copy_mounts_of else "secret-volume-path-<name>"),
        f"the mounts of an agent have {size} bytes, more than {BYTES_MAX}",
        "Copy the mounts of a container that has fewer" if intent.copy_mounts_of else "Give the secrets one path",
        value=intent.copy_mounts_of or None,
    )


def _unless_held(file: str, files: TokenFiles, intent: Intent, policy: PresetPolicy) -> list[str]:
    """Refuse a file that no mount holds, or warn: whoever patches the container may mount it there.

    The reference lets such a path of the jwt method through: `compat` does, too.
    """
    if files.may_hold(file) or intent.sidecar_patch or intent.init_patch:
        return []
    member = TOKEN_PATH_MEMBER[intent.auth_type]
    key = f"auth-config-{member}"
    if key not in intent.in_pod:
        key = f"auth-config-{member.replace('_', '-')}"
    if intent.auth_type == "jwt" and policy.preset is Preset.COMPAT:
        return [warning(intent.annotation(key), f"{_NOT_HELD}; the agent waits for it")]
    raise refused(
        Reason.TOKEN_VOLUME_UNUSABLE,
        intent.annotation(key),
        _NOT_HELD,
        "Copy the mount of its volume (agent-copy-volume-mounts), or remove this annotation",
        value=file,
    )


def _refuse_two_at_one_path(intent: Intent, mounts: Iterable[AddedMount]) -> None:
    """Refuse what the API server would not take, and what would hide the agent's home."""
    by_place = {parts_of(names.HOME): names.HOME_SIDECAR}
    for mount in mounts:
        other = by_place.setdefault(parts_of(mount.mountPath), mount.name)
        if other != mount.name:
            raise refused(
                Reason.ANNOTATION_INVALID,
                intent.annotation(_key_of(mount.name, other)),
                "the agent mounts something else at this path",
                "Choose another path",
                value=mount.mountPath,
            )


def _key_of(*volumes: str) -> str:
    """Return the annotation that decides where one of two volumes is mounted; at least one is of the author's choice."""
    if names.SECRETS in volumes:
        return "secret-volume-path"
    if any(name.startswith(names.CUSTOM_SECRETS) for name in volumes):
        return "secret-volume-path-<name>"
    return "agent-service-account-token-volume-name"
