"""Places in an agent container: paths whatever their spelling, and which of them no mount of the author's may cover.

A mount covers a place that lies at, below or above it: one above hides what the image has there, and one below would be made
inside the volume that is mounted above it.
"""

import posixpath
from collections.abc import Iterable
from typing import Any

Parts = tuple[str, ...]  # of a place: ("run", "secrets") for /var/run/secrets/, run/secrets and /run//x/../secrets

_PROGRAMS = frozenset(("bin", "dev", "proc", "sbin", "sys", "usr"))  # and all that begins with lib
_LIBRARIES = "lib"
# In /etc: whom the agent and its programs trust, who they are, and which libraries they load.
_TRUST = frozenset(
    (
        *("ca-certificates", "ca-certificates.conf", "crypto-policies", "pki", "ssl"),
        *("gai.conf", "host.conf", "hostname", "hosts", "nsswitch.conf", "resolv.conf"),
        *("group", "gshadow", "passwd", "shadow"),
    )
)
_LOADER = ("ld.so.", "ld-")


def parts_of(path: str) -> Parts:
    """Return the place a path names: cleaned lexically, from the root even where it is relative, as the kubelet mounts it.

    /var/run is /run in every image we know of, by a link.
    """
    parts = tuple(posixpath.normpath(f"/{path}").strip("/").split("/"))
    if parts[:2] == ("var", "run"):
        parts = parts[1:]
    return () if parts == ("",) else parts


def is_system(parts: Parts, *, whole_etc: bool) -> bool:
    """Tell whether a mount at this place would change what the image's programs are or whom they trust.

    Args:
        parts: of the place.
        whole_etc: count all of /etc, not what is known to matter alone.
    """
    if not parts or parts[0] in _PROGRAMS or parts[0].startswith(_LIBRARIES):
        return True
    if parts[0] != "etc":
        return False
    return whole_etc or len(parts) == 1 or parts[1] in _TRUST or parts[1].startswith(_LOADER)


class Places:
    """A set of places; asking costs no more than the path asked about has parts."""

    __slots__ = ("_root",)

    def __init__(self, paths: Iterable[str]) -> None:
        """Take the paths in."""
        self._root: dict[str, Any] = {}
        for path in paths:
            node = self._root
            for part in parts_of(path):
                node = node.setdefault(part, {})
            node[""] = {}  # no part is empty: here a place ends

    def are_covered_by(self, parts: Parts) -> bool:
        """Tell whether a mount at this place lies at, above or below one of them."""
        node = self._root
        for part in parts:
            if "" in node:
                return True
            if part not in node:
                return False
            node = node[part]
        return bool(node)
