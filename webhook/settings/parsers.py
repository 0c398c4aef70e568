"""How the texts of settings are read: each function takes one text, and raises ValueError with what is wanted instead."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import NamedTuple

from webhook.core.annotations import go_values
from webhook.rolecheck.role_ref import RoleRef

TOKEN_EXPIRATION_MIN_S = 600  # ServiceAccountTokenProjection, core/v1
TOKEN_EXPIRATION_MAX_S = 2**32
_PATH = re.compile(r"(?:[\w.-]*[\w-]/)*[\w.-]*[\w-]", re.ASCII)  # of a mount or a namespace; no segment ends with a dot
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----", re.DOTALL)


class Address(NamedTuple):
    """Where to listen; an empty host means every address, IPv4 and IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in a setting."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(raw: str) -> Address:
    """Read `host:port`, `:port` or `[ipv6]:port`; port 0 lets the system choose."""
    parts = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", raw)
    if parts is None or int(parts["port"]) > go_values.PORT_MAX:
        raise ValueError("want an address such as :8080, 127.0.0.1:8080 or [::1]:8080")
    return Address(parts["six"] or parts["host"] or "", int(parts["port"]))


def certificates(raw: str) -> str:
    """Read PEM certificates, or the base64 of them; empty for none."""
    text = raw
    if raw and "-----BEGIN" not in raw:
        try:
            text = base64.b64decode("".join(raw.split()), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            text = "?"
    if text and not _PEM.search(text):
        raise ValueError("want certificates as PEM, or the base64 of PEM")
    return text


def choice(*allowed: str) -> Callable[[str], str]:
    """Return the reader of one of these words."""

    def read(raw: str) -> str:
        if raw not in allowed:
            raise ValueError("want one of " + ", ".join(allowed))
        return raw

    return read


def between(low: int, high: int) -> Callable[[str], int]:
    """Return the reader of a whole number from low to high, both included."""

    def read(raw: str) -> int:
        number = go_values.integer(raw)
        if not low <= number <= high:
            raise ValueError(f"want a number from {low} to {high}")
        return number

    return read


def deadline_s(raw: str) -> int:
    """Read a duration of at least one second, in seconds."""
    seconds = go_values.duration_s(raw)
    if not seconds:
        raise ValueError("want a duration of at least 1s")
    return seconds


def url_path(raw: str) -> str:
    """Read a path of a URL, such as /metrics; empty for none."""
    if raw and not re.fullmatch(r"/[A-Za-z0-9._/-]+", raw):
        raise ValueError("want a path such as /metrics, or nothing")
    return raw


def log_level(raw: str) -> str:
    """Read a log level, other programs' names for them included."""
    try:
        return go_values.LOG_LEVELS[raw.strip().lower() or "info"]
    except KeyError:
        raise ValueError("want trace, debug, info, warn or error") from None


def token_expiration_s(raw: str) -> int:
    """Read the lifetime of a projected token, in seconds."""
    seconds = go_values.duration_s(raw)
    if not TOKEN_EXPIRATION_MIN_S <= seconds <= TOKEN_EXPIRATION_MAX_S:
        raise ValueError(f"want a duration of at least {TOKEN_EXPIRATION_MIN_S} s (10m)")
    return seconds


def audience(raw: str) -> str:
    """Read an audience, or `auto`."""
    if not raw:
        raise ValueError("must not be empty; want an audience such as vault, or auto")
    return raw


def auth_mounts(raw: str) -> tuple[tuple[str, str], ...]:
    """Read auth mounts, each as its Vault namespace and its path without `auth/`."""
    return tuple(dict.fromkeys(_auth_mount(item) for item in go_values.items(raw)))


def _auth_mount(raw: str) -> tuple[str, str]:
    ref = RoleRef.parse(raw)
    if not _PATH.fullmatch(ref.mount) or not _PATH.fullmatch(ref.namespace or "root"):
        raise ValueError("want auth mounts such as auth/kubernetes or team-a/auth/kubernetes")
    return ref.namespace, ref.mount


def amount(raw: str) -> str:
    """Read a quantity of the API server, such as 512Mi."""
    go_values.quantity_value(raw)
    return raw


def names(raw: str) -> tuple[str, ...] | None:
    """Read a list; empty means that nothing is known."""
    return go_values.items(raw) or None
