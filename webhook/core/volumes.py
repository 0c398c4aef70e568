"""The volumes that are added: memory for homes, rendered files and cache; what annotations name; the agent's token."""

from collections.abc import Mapping
from typing import Any

from webhook.core import layout
from webhook.core.intent import Intent
from webhook.core.profile import Profile
from webhook.core.shape import Shape
from webhook.core.token import Token

Object = Mapping[str, Any]


def secret_volumes(intent: Intent) -> Mapping[str, str]:
    """Return the volumes of rendered files, mount path to name.

    A common one, and one for each other mount path, numbered in the order of the secrets.
    """
    paths = {intent.secret_volume_path: layout.SECRETS}
    for secret in intent.secrets:
        if secret.mount_path not in paths:
            paths[secret.mount_path] = f"{layout.CUSTOM_SECRETS}{len(paths) - 1}"
    return paths


def secret_mounts(paths: Mapping[str, str], *, read_only: bool = False) -> list[Object]:
    """Return the mounts of `secret_volumes`."""
    if read_only:
        return [{"name": name, "mountPath": path, "readOnly": True} for path, name in paths.items()]
    return [{"name": name, "mountPath": path} for path, name in paths.items()]


def agent_mounts(intent: Intent, token: Token, shape: Shape, secrets: Mapping[str, str]) -> list[Object]:
    """Return what every agent container mounts besides its home."""
    mounts = [*token.mounts(), *secret_mounts(secrets)]
    if intent.extra_secret:
        mounts.append({"name": layout.EXTRA, "mountPath": layout.EXTRA_PATH, "readOnly": True})
    if intent.configmap:
        mounts.append({"name": layout.CONFIGMAP, "mountPath": layout.CONFIGMAP_PATH, "readOnly": True})
    if intent.tls_secret:
        mounts.append({"name": layout.TLS, "mountPath": layout.TLS_PATH, "readOnly": True})
    if shape.persistent_cache:
        mounts.append({"name": layout.CACHE, "mountPath": layout.CACHE_PATH})
    return mounts


def volumes(intent: Intent, profile: Profile, token: Token, shape: Shape, secrets: Mapping[str, str]) -> list[Object]:
    """Return every volume to add, in the reference's order, the token's last."""
    own = _memory(profile.memory_volume_size_limit)
    rendered = _memory(intent.secret_volume_size_limit) if intent.secret_volume_size_limit else own
    found: list[Object] = []
    if shape.init:
        found.append({"name": layout.HOME_INIT, "emptyDir": own})
    if shape.sidecar:
        found.append({"name": layout.HOME_SIDECAR, "emptyDir": own})
    found += [{"name": name, "emptyDir": rendered} for name in secrets.values()]
    if intent.configmap:
        found.append({"name": layout.CONFIGMAP, "configMap": {"name": intent.configmap}})
    if intent.extra_secret:
        found.append({"name": layout.EXTRA, "secret": {"secretName": intent.extra_secret}})
    if intent.tls_secret:
        found.append({"name": layout.TLS, "secret": {"secretName": intent.tls_secret}})
    if shape.persistent_cache:
        found.append({"name": layout.CACHE, "emptyDir": own})
    if token.volume is not None:
        found.append(token.volume)
    return found


def _memory(size_limit: str) -> Object:
    """Return a memory-backed emptyDir; an empty limit or 0 means none."""
    if not size_limit or size_limit == "0":
        return {"medium": "Memory"}
    return {"medium": "Memory", "sizeLimit": size_limit}
