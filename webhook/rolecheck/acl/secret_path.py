"""From an annotation's value to the path the agent will read.

The server takes the leading segments that name a Vault namespace for that namespace. The agent asks it for the mount of each
path, and rewrites the paths of KV version 2 mounts.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_to_bytes

from msgspec import Struct

from webhook.rolecheck.bindings.snapshot import Snapshot

# Characters of a path as written, with its parameters. No storage keeps a key so long that people use (Consul 512 bytes, files
# and etcd some 1,500), and proxies take request lines of 4 to 8 KiB.
PATH_MAX = 4_096
MOUNT_DEPTH_MAX = 8  # segments of a mount's path where mounts are not known; one in a thousand has more than three
BUILT_IN = ("auth", "sys", "identity", "cubbyhole")  # mounts whose paths are never rewritten
PREFIXED = ("data/", "metadata/", "subkeys/")  # what the agent leaves alone below a KV version 2 mount
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HEX = frozenset("0123456789abcdefABCDEF")


class SecretPath(Struct, frozen=True):
    """A value, taken apart."""

    path: str  # no slash in front, none doubled
    parameters: Mapping[str, object]  # of the request: a text, or a list of texts


class Located(Struct, frozen=True):
    """A path at its mount."""

    path: str  # as the server sees it
    without_data: str  # the same without `data/` behind the mount; "" where there is none
    kv_version: int  # 0: the mount is built in or no KV
    # The server tells the agent nothing of a mount in a namespace below the one it asks in (OpenBao 2.7.2, Vault 1.21.4; from the
    # root it does), so that the agent adds no `data/` that the author left out.
    is_hidden: bool = False


class Surroundings(Struct, frozen=True):
    """What is known of the server, seen from the Vault namespace the agent asks in."""

    snapshot: Snapshot
    namespace: str  # which the agent sends with each request; "" is the root

    def namespaces(self, path: str) -> list[tuple[str, int]]:
        """Return the namespaces a path leads through, with what of the path is spent, the innermost last."""
        found = [(self.namespace, 0)]
        end = path.find("/")
        while end >= 0:
            namespace = f"{self.namespace}/{path[:end]}".removeprefix("/")
            if not self.snapshot.has_namespace(namespace):
                break
            found.append((namespace, end + 1))
            end = path.find("/", end + 1)
        return found


def read(value: str) -> SecretPath | None:
    """Return the path and the request parameters an annotation's value names; None where it names no path."""
    if len(value) > PATH_MAX:
        return None
    text, _, _ = value.strip().strip("/").partition("#")
    raw, _, query = text.partition("?")
    path = _decoded(raw)
    if path is None:
        return None
    while "//" in path:
        path = path.replace("//", "/")
    if not path or _CONTROL.search(path) or {".", ".."} & set(path.split("/")):
        return None
    return SecretPath(path, _parameters(query))


def root_of(path: str) -> str:
    """Return the first segment of a path."""
    return path.split("/", 1)[0]


def locate(path: str, around: Surroundings) -> Located | None:
    """Return the path as the agent asks for it; None where no known mount holds it."""
    through = around.namespaces(path)
    if root_of(path[through[-1][1] :]) in BUILT_IN:
        return Located(path, "", 0)
    for namespace, spent in reversed(through):
        mount = around.snapshot.mount_of(namespace, path[spent:])
        if mount is not None:
            head = path[: spent + len(mount.path)]
            return _at_mount(path, head, mount.kv_version, is_hidden=bool(around.namespace and spent))
    return None


def _at_mount(path: str, mount: str, kv_version: int, *, is_hidden: bool) -> Located:
    rest = path[len(mount) + 1 :]
    if kv_version == 2 and not rest.startswith(PREFIXED):  # noqa: PLR2004 KV version
        return Located(f"{mount}/data/{rest}".rstrip("/"), f"{mount}/{rest}", kv_version, is_hidden)
    without = f"{mount}/{rest.removeprefix('data/')}" if kv_version and rest.startswith("data/") else ""
    return Located(path, without, kv_version)


def candidates(path: str) -> tuple[tuple[str, ...], bool]:
    """Return every path the agent might read if a KV mount ended at any slash, and whether the path could already contain `data/`.

    A mount of more than MOUNT_DEPTH_MAX segments is left out of account.
    """
    inserted: list[str] = []
    is_prefixed = False
    end = path.find("/")
    for _ in range(MOUNT_DEPTH_MAX):
        if end < 0:
            break
        if any(path.startswith(prefix, end + 1) and len(path) > end + 1 + len(prefix) for prefix in PREFIXED):
            is_prefixed = True
        else:
            inserted.append(f"{path[: end + 1]}data/{path[end + 1 :]}")
        end = path.find("/", end + 1)
    return tuple(inserted), is_prefixed


def _decoded(raw: str) -> str | None:
    """Undo percent encoding once; None where a sign is followed by no number, or the bytes are no UTF-8."""
    if "%" not in raw and raw.isascii():
        return raw
    pieces = raw.split("%")[1:]
    if any(len(piece) < 2 or not _HEX.issuperset(piece[:2]) for piece in pieces):  # noqa: PLR2004 two hex digits
        return None
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeError:
        return None


def _parameters(query: str) -> dict[str, object]:
    if not query:
        return {}
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name.lower(), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
