"""What is copied from the pod's own containers into the agents: mounts on request, and what AWS authentication needs."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from webhook.core.annotations.intent import Intent
from webhook.core.inject.volumes import AddedMount
from webhook.core.pod import Spec, environment
from webhook.core.review import Review, raw_containers

Object = Mapping[str, Any]
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


def copied_mounts(review: Review, spec: Spec, name: str, taken: Iterable[AddedMount]) -> list[Object]:
    """Return all mounts of the containers of this name as written, but tokens and paths the agent mounts already."""
    tokens = {volume.name for volume in spec.volumes or () if volume.token_source()}
    paths = {mount.mountPath.rstrip("/") for mount in taken}
    copies: list[Object] = []
    for member in raw_containers(review).values():
        for container in member:
            if container.get("name") != name:
                continue
            for mount in container.get("volumeMounts") or []:  # type: ignore[attr-defined] # decoded JSON of a pod we read
                path = mount["mountPath"].rstrip("/")
                if _TOKEN_PATH_PART in path.lower() or mount["name"] in tokens or path in paths:
                    continue
                paths.add(path)
                copies.append(mount)
    return copies


def aws_token_mounts(spec: Spec) -> list[AddedMount]:
    """Return a read-only mount of the first AWS token volume the app mounts, or none."""
    for container in spec.containers or ():
        for mount in container.mounts:
            if mount.mountPath and _AWS_PATH_PART in mount.mountPath:
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
