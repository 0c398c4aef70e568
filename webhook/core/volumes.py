"""The volumes that are added: memory for homes, rendered files and cache; what annotations name; the agent's token."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from webhook.core import layout
from webhook.core.intent import Intent
from webhook.core.profile import Profile
from webhook.core.shape import Shape
from webhook.core.token import Token

_encode = msgspec.json.Encoder().encode


class AddedMount(Struct, frozen=True, omit_defaults=True):
    """A mount to add to a container."""

    name: str
    mountPath: str
    readOnly: bool = False


def secret_volumes(intent: Intent) -> Mapping[str, str]:
    """Return the volumes of rendered files, mount path to name.

    A common one, and one for each other mount path, numbered in the order of the secrets.
    """
    paths = {intent.secret_volume_path: layout.SECRETS}
    for secret in intent.secrets:
        if secret.mount_path not in paths:
            paths[secret.mount_path] = f"{layout.CUSTOM_SECRETS}{len(paths) - 1}"
    return paths


def agent_mounts(intent: Intent, token: Token, shape: Shape, secrets: Mapping[str, str]) -> Iterator[AddedMount]:
    """Yield what every agent container mounts besides its home; `secrets` as `secret_volumes` returns them."""
    for path in token.mount_paths:
        yield AddedMount(token.volume_name, path, readOnly=True)
    for path, name in secrets.items():
        yield AddedMount(name, path)
    if intent.extra_secret:
        yield AddedMount(layout.EXTRA, layout.EXTRA_PATH, readOnly=True)
    if intent.configmap:
        yield AddedMount(layout.CONFIGMAP, layout.CONFIGMAP_PATH, readOnly=True)
    if intent.tls_secret:
        yield AddedMount(layout.TLS, layout.TLS_PATH, readOnly=True)
    if shape.persistent_cache:
        yield AddedMount(layout.CACHE, layout.CACHE_PATH)


def volumes(
    intent: Intent, profile: Profile, token: Token, shape: Shape, secrets: Mapping[str, str]
) -> dict[str, bytes]:
    """Return every volume to add by name, as JSON, in the reference's order, the token's last."""
    limit = profile.memory_volume_size_limit
    limit_of_secrets = intent.secret_volume_size_limit or limit
    found: dict[str, bytes] = {}
    if shape.init:
        found[layout.HOME_INIT] = _memory(layout.HOME_INIT, limit)
    if shape.sidecar:
        found[layout.HOME_SIDECAR] = _memory(layout.HOME_SIDECAR, limit)
    for name in secrets.values():
        found[name] = _memory(name, limit_of_secrets)
    if intent.configmap:
        found[layout.CONFIGMAP] = _encode({"name": layout.CONFIGMAP, "configMap": {"name": intent.configmap}})
    if intent.extra_secret:
        found[layout.EXTRA] = _encode({"name": layout.EXTRA, "secret": {"secretName": intent.extra_secret}})
    if intent.tls_secret:
        found[layout.TLS] = _encode({"name": layout.TLS, "secret": {"secretName": intent.tls_secret}})
    if shape.persistent_cache:
        found[layout.CACHE] = _memory(layout.CACHE, limit)
    if token.volume is not None:
        found[token.volume_name] = token.volume
    return found


@lru_cache(256)
def _memory(name: str, size_limit: str) -> bytes:
    """Return a volume in memory, as JSON; an empty limit or 0 means none."""
    limited = {"sizeLimit": size_limit} if size_limit not in ("", "0") else {}
    return _encode({"name": name, "emptyDir": {"medium": "Memory", **limited}})
