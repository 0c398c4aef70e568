"""What is copied from the pod's own containers into the agents: mounts on request, and what AWS authentication needs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from webhook.core.annotations.intent import Intent
from webhook.core.annotations.presets import Preset, PresetMode, PresetPolicy
from webhook.core.inject import names
from webhook.core.inject.places import Parts, Places, is_system, parts_of
from webhook.core.inject.volumes import AddedMount
from webhook.core.pod import Spec, environment
from webhook.core.refusal import warning
from webhook.core.review import Review, raw_containers

Object = Mapping[str, Any]
KEY = "agent-copy-volume-mounts"
PATH_MAX = 4_096  # bytes of a path, of Linux
_TOKEN_PATH_PART = "serviceaccount"  # noqa: S105 part of a path; in any letter case
_AWS_PATH_PART = "eks.amazonaws.com"
AWS_VARIABLES = (
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
# Ours whatever is mounted there: the agent's home, and where service account tokens are looked for.
_OURS = (names.HOME, names.TOKEN_PATH, names.API_TOKEN_PATH)
_TOKEN_FOLDER = Places(("/run/secrets",))
_ABOVE_RUN = ("var",)  # /var/run is /run: what is mounted at /var hides the link
# Ours where a preset is to hold, even while nothing is mounted there.
_USUAL = ("/vault/secrets", names.EXTRA_PATH, names.CONFIGMAP_PATH, names.TLS_PATH, names.CACHE_PATH)

_OWN_PLACE = "would cover a place of the agent's own"
_OF_THE_NODE = "a folder of the node, which the preset of this cluster keeps from agents"
_API_TOKEN_PLACE = parts_of(names.API_TOKEN_PATH)
_TOKEN = "a service account token"  # noqa: S105 words for people
_TOO_LONG = "longer than a path may be"
_PROPAGATES = "Bidirectional propagation is for privileged containers alone"


class Copies(NamedTuple):
    """The mounts to copy, as written, and a warning for each kind of what is left out."""

    mounts: Sequence[Object] = ()
    warnings: Sequence[str] = ()


def copied_mounts(
    review: Review, spec: Spec, intent: Intent, policy: PresetPolicy, taken: Iterable[AddedMount], token_file: str
) -> Copies:
    """Choose among all mounts of the containers of the name the author gives.

    Left out are service account tokens, but one that the agent is told to log in with; what would cover a place of the agent's
    own; and, where a preset holds, folders of the node.

    Args:
        review: the request, for mounts as they are written.
        spec: the pod's.
        intent: what its author asks for.
        policy: the preset.
        taken: what the agents mount already.
        token_file: path of the token that annotations tell the agent to log in with, "" for none.
    """
    rules = _Rules.of(spec, policy, taken, token_file)
    copies: dict[Parts, Object] = {}
    left_out: dict[str, list[str]] = {}
    for mount in _mounts_of(review, intent.copy_mounts_of):
        place = parts_of(mount["mountPath"])
        if place == _API_TOKEN_PLACE:  # the API server mounts it into every container: nobody asked for it
            continue
        if why := rules.objection(mount, place):
            left_out.setdefault(why, []).append(mount["mountPath"])
        else:
            copies.setdefault(place, mount)
    key = intent.annotation(KEY)
    warnings = [warning(key, f"not copied, {why}: {', '.join(paths)}") for why, paths in left_out.items()]
    if of_the_node := [mount["mountPath"] for mount in copies.values() if mount["name"] in rules.of_the_node]:
        warnings.append(
            warning(key, f"preset {policy.preset} will not copy folders of the node: {', '.join(of_the_node)}")
        )
    return Copies([*copies.values()], warnings)


def _mounts_of(review: Review, name: str) -> Iterator[Object]:
    for member in raw_containers(review).values():
        for container in member:
            if container.get("name") == name:
                mounts: Iterable[Object] = container.get("volumeMounts") or ()  # type: ignore[assignment] # a pod we read
                yield from (mount for mount in mounts if mount.get("name") and mount.get("mountPath"))


class _Rules(NamedTuple):
    """What decides over one mount."""

    places: Places  # no mount may cover
    whole_etc: bool
    tokens: frozenset[str | None]  # volumes that project service account tokens
    of_the_node: frozenset[str | None]  # volumes that are folders of the node, which the preset keeps out
    enforces: bool  # else the preset says only what it would leave out
    token_place: Parts | None  # of the token file that annotations name

    @classmethod
    def of(cls, spec: Spec, policy: PresetPolicy, taken: Iterable[AddedMount], token_file: str) -> "_Rules":
        volumes = spec.volumes or ()
        is_compat = policy.preset is Preset.COMPAT
        paths = [*_OURS, *(mount.mountPath for mount in taken)]
        if not is_compat:
            paths += _USUAL
        keeps_node_out = not (is_compat or KEY in policy.opened)
        return cls(
            Places(paths),
            not is_compat,
            frozenset(volume.name for volume in volumes if volume.token_source()),
            frozenset(volume.name for volume in volumes if volume.is_host_path and keeps_node_out),
            policy.mode is PresetMode.ENFORCE,
            parts_of(token_file) if token_file else None,
        )

    def objection(self, mount: Object, place: Parts) -> str:
        """Return why a mount is not copied, "" where nothing is said against it."""
        path, volume = mount["mountPath"], mount["name"]
        is_token = volume in self.tokens
        if is_token and self.token_place is not None and self.token_place[: len(place)] == place:
            return _OWN_PLACE if self.places.are_covered_by(place) else ""
        checks = (
            (is_token or _TOKEN_PATH_PART in path.lower(), _TOKEN),
            (len(path.encode()) > PATH_MAX, _TOO_LONG),
            (self._covers_ours(place), _OWN_PLACE),
            (self.enforces and volume in self.of_the_node, _OF_THE_NODE),
            (mount.get("mountPropagation") == "Bidirectional", _PROPAGATES),
        )
        return next((why for holds, why in checks if holds), "")

    def _covers_ours(self, place: Parts) -> bool:
        return (
            is_system(place, whole_etc=self.whole_etc)
            or place == _ABOVE_RUN
            or _TOKEN_FOLDER.are_covered_by(place)
            or self.places.are_covered_by(place)
        )


def aws_token_mounts(spec: Spec) -> list[AddedMount]:
    """Return a read-only mount of the first AWS token volume the app mounts, or none; never one that covers what is ours."""
    of_the_node = {volume.name for volume in spec.volumes or () if volume.is_host_path}
    for container in spec.containers or ():
        for mount in container.mounts:
            if mount.mountPath and _AWS_PATH_PART in mount.mountPath and mount.name not in of_the_node:
                place = parts_of(mount.mountPath)
                if not (is_system(place, whole_etc=True) or Places(_OURS).are_covered_by(place)):
                    return [AddedMount(mount.name or "", mount.mountPath, readOnly=True)]
    return []


def aws_environment(spec: Spec, intent: Intent) -> list[Object]:
    """Return the app's AWS variables, the first of each name, in a fixed order; the region may be given by annotation."""
    found: dict[str, Object] = {}
    for container in spec.containers or ():
        for variable in environment(container):
            if variable.name in AWS_VARIABLES and variable.name not in found:
                source = {"value": variable.value or ""}
                if variable.valueFrom is not UNSET:
                    source = {"valueFrom": msgspec.json.decode(variable.valueFrom)}
                found[variable.name] = {"name": variable.name, **source}
    if region := intent.auth_config.get("region"):
        found["AWS_REGION"] = {"name": "AWS_REGION", "value": region}
    return [found[name] for name in AWS_VARIABLES if name in found]
