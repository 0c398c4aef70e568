"""The service account token an agent logs in with: a projected volume of our own, or one the author names.

Either way the agent containers never get an API token: something of ours sits where the ServiceAccount admission plugin would
mount one.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject import names
from webhook.core.inject.places import Parts, parts_of
from webhook.core.inject.pod_settings import AUTO_AUDIENCE, DEFAULT_AUDIENCE, PodSettings
from webhook.core.pod import Pod, Spec, Volume, VolumeMount
from webhook.core.refusal import Refused, refused
from webhook.reasons import Reason

TOKEN_PATH_MEMBER = {"kubernetes": "token_path", "jwt": "path"}  # of an auth method's configuration, by type

_encode = msgspec.json.Encoder().encode


class LoginToken(Struct, frozen=True):
    """One token."""

    volume_name: str
    mount_path: str
    file_name: str
    audience: str  # "" where the author's volume names none: the API server's default
    expiration_s: int | None
    volume: bytes | None  # to add, as JSON; None when the author's is used

    @property
    def file(self) -> str:
        """Return the path of the token's file in the agent containers."""
        return f"{self.mount_path}/{self.file_name}"

    @property
    def mount_paths(self) -> Iterable[str]:
        """Return where the agents mount it: at its own place, and where the ServiceAccount plugin looks."""
        return dict.fromkeys((self.mount_path, names.API_TOKEN_PATH))


class TokenFile(Struct, frozen=True):
    """A service account token in the agent containers: one of LoginToken's, or of a volume that was copied."""

    place: Parts
    volume: str | None
    audience: str  # "" where its volume names none: the API server's default
    expiration_s: int | None


class TokenFiles(Struct, frozen=True):
    """What is known of the files of an agent container, as far as tokens go."""

    found: Sequence[TokenFile] = ()
    mounts: Sequence[VolumeMount] = ()
    only_tokens: frozenset[str | None] = frozenset()  # volumes that hold nothing else

    @classmethod
    def of(cls, spec: Spec, token: LoginToken, mounts: Sequence[VolumeMount]) -> "TokenFiles":
        """Look through the mounts of an agent container, its home aside."""
        by_name = {volume.name: volume for volume in spec.volumes or ()}
        found = [
            TokenFile(parts_of(f"{path}/{token.file_name}"), token.volume_name, token.audience, token.expiration_s)
            for path in token.mount_paths
        ]
        for mount in mounts:
            if volume := by_name.get(mount.name):
                found += _token_files(volume, mount)
        only = {token.volume_name} if token.volume is not None else set()
        only |= {name for name, volume in by_name.items() if name is not None and volume.holds_only_tokens}
        return cls(found, mounts, frozenset(only))

    def at(self, path: str) -> TokenFile | None:
        """Return the token at a path, None where there is none, it is unknown, or more than one mount may show it."""
        place = parts_of(path)
        shown = {(mount.name, mount.subPath, mount.subPathExpr) for mount in self._nearest(place)}
        if len(shown) != 1:
            return None
        [(volume, _, _)] = shown
        return next((file for file in self.found if file.place == place and file.volume == volume), None)

    def may_hold(self, path: str) -> bool:
        """Tell whether the agent could find a file at this path: a token, or something in a volume it mounts."""
        if self.at(path) is not None:
            return True
        return any(mount.name not in self.only_tokens for mount in self._nearest(parts_of(path)))

    def _nearest(self, place: Parts) -> Sequence[VolumeMount]:
        """Return the mounts that decide what is at a place: of those at or above it the deepest, mostly one."""
        nearest: list[VolumeMount] = []
        deepest = -1
        for mount in self.mounts:
            at = parts_of(mount.mountPath or "")
            if len(at) < deepest or place[: len(at)] != at:
                continue
            if len(at) > deepest:
                nearest, deepest = [], len(at)
            nearest.append(mount)
        return nearest


def _token_files(volume: Volume, mount: VolumeMount) -> Iterator[TokenFile]:
    """Yield the tokens that a mount of a volume shows, `subPath` observed."""
    shown = parts_of(mount.subPath or "")
    for source in volume.token_sources():
        inside = parts_of(source.path or "")
        if source.path and not mount.subPathExpr and inside[: len(shown)] == shown:
            place = parts_of(mount.mountPath or "") + inside[len(shown) :]
            yield TokenFile(place, volume.name, source.audience or "", source.expirationSeconds)


def configured_file(intent: Intent) -> str:
    """Return the path of the token that annotations tell the agent to log in with, "" where they name none."""
    member = TOKEN_PATH_MEMBER.get(intent.auth_type, "")
    return "" if intent.configmap else intent.auth_config.get(member, "")


def choose(pod: Pod, intent: Intent, pod_settings: PodSettings, pinned_audience: str) -> LoginToken:
    """Return the token the agent logs in with.

    Args:
        pod: as submitted.
        intent: what its author asks for.
        pod_settings: what the operator decided.
        pinned_audience: the one the role demands, "" where unknown; used where the audience is `auto`.

    Raises:
        Refused: the author names a volume that is absent, or projects no token.
    """
    spec = pod.spec or Spec()
    if intent.token_volume:
        return named(pod, spec, intent)
    audience = intent.token_audience or pod_settings.token_audience
    if audience == AUTO_AUDIENCE:
        audience = pinned_audience or DEFAULT_AUDIENCE
    return projected(spec, pod_settings, audience)


def projected(spec: Spec, pod_settings: PodSettings, audience: str) -> LoginToken:
    """Return our own token with this audience, in a volume whose name the pod does not use."""
    name, expiration_s = _free_name(spec), pod_settings.token_expiration_s
    source = {"audience": audience, "expirationSeconds": expiration_s, "path": names.TOKEN_FILE}
    return LoginToken(
        volume_name=name,
        mount_path=names.TOKEN_PATH,
        file_name=names.TOKEN_FILE,
        audience=audience,
        expiration_s=expiration_s,
        volume=_encode({"name": name, "projected": {"sources": ({"serviceAccountToken": source},)}}),
    )


def named(pod: Pod, spec: Spec, intent: Intent) -> LoginToken:
    """Return the token of the volume the author names, mounted where the app mounts it.

    Raises:
        Refused: the volume is absent, or projects no token.
    """
    name = intent.token_volume
    mounted_at = next(
        (
            mount.mountPath
            for container in spec.containers or ()
            for mount in container.mounts
            if mount.name == name and not (mount.subPath or mount.subPathExpr)
        ),
        None,
    )
    volume = next((volume for volume in spec.volumes or () if volume.name == name), None)
    if volume is None:
        pod_name = (pod.metadata.name if pod.metadata else None) or ""
        raise _unusable(
            intent,
            f'failed to find volume "{name}" in Pod "{pod_name}" volumes'
            if mounted_at
            else f'failed to find service account volume "{name}"',
        )
    return _of_volume(intent, volume, (mounted_at or names.TOKEN_PATH).rstrip("/"))


def _of_volume(intent: Intent, volume: Volume, mount_path: str) -> LoginToken:
    source = volume.token_source()
    if source is None or not source.path:
        raise _unusable(intent, f'failed to find tokenPath for projected volume "{volume.name}"')
    return LoginToken(
        volume_name=intent.token_volume,
        mount_path=mount_path,
        file_name=source.path,
        audience=source.audience or "",
        expiration_s=source.expirationSeconds,
        volume=None,
    )


def _free_name(spec: Spec) -> str:
    taken = {volume.name for volume in spec.volumes or ()}
    if names.TOKEN not in taken:
        return names.TOKEN
    return next(name for n in range(1, len(taken) + 2) if (name := f"{names.TOKEN}-{n}") not in taken)


def _unusable(intent: Intent, problem: str) -> Refused:
    return refused(
        Reason.TOKEN_VOLUME_UNUSABLE,
        intent.annotation("agent-service-account-token-volume-name"),
        problem,
        "Name a projected volume with a serviceAccountToken source, or remove the annotation",
        value=intent.token_volume,
    )
