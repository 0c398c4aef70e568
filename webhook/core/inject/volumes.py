"""The volumes that are added: memory for homes, rendered files and cache; what annotations name; the agent's token."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject import names
from webhook.core.inject.agents import AgentSet
from webhook.core.inject.login_token import LoginToken
from webhook.core.inject.pod_settings import PodSettings

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
    paths = {intent.secret_volume_path: names.SECRETS}
    for secret in intent.secrets:
        if secret.mount_path not in paths:
            paths[secret.mount_path] = f"{names.CUSTOM_SECRETS}{len(paths) - 1}"
    return paths


def agent_mounts(
    intent: Intent, token: LoginToken, agent_set: AgentSet, secrets: Mapping[str, str]
) -> Iterator[AddedMount]:
    """Yield what every agent container mounts besides its home; `secrets` as `secret_volumes` returns them."""
    for path in token.mount_paths:
        yield AddedMount(token.volume_name, path, readOnly=True)
    for path, name in secrets.items():
        yield AddedMount(name, path)
    if intent.extra_secret:
        yield AddedMount(names.EXTRA, names.EXTRA_PATH, readOnly=True)
    if intent.configmap:
        yield AddedMount(names.CONFIGMAP, names.CONFIGMAP_PATH, readOnly=True)
    if intent.tls_secret:
        yield AddedMount(names.TLS, names.TLS_PATH, readOnly=True)
    if agent_set.persistent_cache:
        yield AddedMount(names.CACHE, names.CACHE_PATH)


def volumes(
    intent: Intent, pod_settings: PodSettings, token: LoginToken, agent_set: AgentSet, secrets: Mapping[str, str]
) -> dict[str, bytes]:
    """Return every volume to add by name, as JSON, in the reference's order, the token's last."""
    limit = pod_settings.memory_volume_size_limit
    limit_of_secrets = intent.secret_volume_size_limit or limit
    found: dict[str, bytes] = {}
    if agent_set.init:
        found[names.HOME_INIT] = _memory(names.HOME_INIT, limit)
    if agent_set.sidecar:
        found[names.HOME_SIDECAR] = _memory(names.HOME_SIDECAR, limit)
    for name in secrets.values():
        found[name] = _memory(name, limit_of_secrets)
    if intent.configmap:
        found[names.CONFIGMAP] = _encode({"name": names.CONFIGMAP, "configMap": {"name": intent.configmap}})
    if intent.extra_secret:
        found[names.EXTRA] = _encode({"name": names.EXTRA, "secret": {"secretName": intent.extra_secret}})
    if intent.tls_secret:
        found[names.TLS] = _encode({"name": names.TLS, "secret": {"secretName": intent.tls_secret}})
    if agent_set.persistent_cache:
        found[names.CACHE] = _memory(names.CACHE, limit)
    if token.volume is not None:
        found[token.volume_name] = token.volume
    return found


@lru_cache(256)
def _memory(name: str, size_limit: str) -> bytes:
    """Return a volume in memory, as JSON; an empty limit or 0 means none."""
    limited = {"sizeLimit": size_limit} if size_limit not in ("", "0") else {}
    return _encode({"name": name, "emptyDir": {"medium": "Memory", **limited}})
