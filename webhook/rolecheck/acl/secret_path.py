"""From an annotation's value to the path the agent will read: the agent rewrites paths of KV version 2 mounts."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_to_bytes

from msgspec import Struct

from webhook.rolecheck.bindings.snapshot import SecretMount

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


def read(value: str) -> SecretPath | None:
    """Return the path and the request parameters an annotation's value names; None where it names no path."""
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
    """Return the first segment of a path, which no rewriting changes."""
    return path.split("/", 1)[0]


def locate(path: str, mounts: Mapping[str, SecretMount]) -> Located | None:
    """Return the path as the agent asks for it; None where no mount of the list holds it."""
    if root_of(path) in BUILT_IN:
        return Located(path, "", 0)
    mount = _mount(path, mounts)
    if mount is None:
        return None
    rest = path[len(mount.path) + 1 :]
    if mount.kv_version == 2 and not rest.startswith(PREFIXED):  # noqa: PLR2004 KV version
        path, rest = f"{mount.path}/data/{rest}".rstrip("/"), f"data/{rest}"
    has_data = mount.kv_version > 0 and rest.startswith("data/")
    without = f"{mount.path}/{rest.removeprefix('data/')}" if has_data else ""
    return Located(path, without, mount.kv_version)


def candidates(path: str) -> tuple[tuple[str, ...], bool]:
    """Return what the agent may ask for where mounts are not known, and whether some mount would leave it alone."""
    inserted = []
    is_prefixed = False
    for position, char in enumerate(path):
        if char != "/":
            continue
        head, rest = path[: position + 1], path[position + 1 :]
        if any(rest.startswith(prefix) and rest != prefix for prefix in PREFIXED):
            is_prefixed = True
        else:
            inserted.append(f"{head}data/{rest}")
    return tuple(inserted), is_prefixed


def _mount(path: str, mounts: Mapping[str, SecretMount]) -> SecretMount | None:
    """Return the mount with the longest path that is a prefix in whole segments."""
    head = path
    while head:
        if head in mounts:
            return mounts[head]
        head = head.rpartition("/")[0]
    return None


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
