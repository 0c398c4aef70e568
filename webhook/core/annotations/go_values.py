"""Parse the text of an annotation or setting: a typed value, or a ValueError that says what would be accepted.

The grammars are those of the reference injector (Go's strconv, time and resource packages), so that a value means the
same here. The caller adds key and value to the error. Nothing is trimmed unless said.
"""

import posixpath
import re
from decimal import Decimal

BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False", ""), False),
}
# Names of log levels, of ours and of others, as the five that our settings have.
LOG_LEVELS = {
    **{level: level for level in ("trace", "debug", "info", "warn", "error")},
    "notice": "info",
    "warning": "warn",
    "err": "error",
}
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1
ID_MAX = 2**31 - 1  # uid and gid, as the API server validates them
PORT_MAX = 65_535
LONGEST = 40  # characters of a number worth reading; keeps hostile texts from costing time

_SIGNED = re.compile(r"[+-]?[0-9]+")
_UNSIGNED = re.compile(r"[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_UNIT_NS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # the micro sign
    "\u03bcs": 10**3,  # the Greek letter; Go takes both
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
}
_PART = rf"([0-9]+\.?[0-9]*|\.[0-9]+)({'|'.join(_UNIT_NS)})"
_DURATION_PART = re.compile(_PART)
_DURATION = re.compile(rf"[+-]?(?:{_PART})+")
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?P<suffix>|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,3})"
)
_SUFFIX = {
    "": Decimal(1),
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in zip(range(-3, 0), "num", strict=True)},
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(2) ** (10 * power) for power, suffix in enumerate("KMGTPE", start=1)},
}
_PERMISSIONS = re.compile(r"0?[0-7]{3,4}")
AGENT_MIN_BACKOFF, AGENT_MAX_BACKOFF = "1s", "5m"  # an agent's own defaults


def text(raw: str) -> str:
    """Return the text as it is."""
    return raw


def boolean(raw: str) -> bool:
    """Read Go's strconv.ParseBool, with the empty text as false."""
    try:
        return BOOLEANS[raw]
    except KeyError:
        raise ValueError('want "true" or "false"') from None


def integer(raw: str) -> int:
    """Read a signed 64 bit integer: ASCII digits with an optional sign; empty is 0."""
    if not raw:
        return 0
    if len(raw) > LONGEST or not _SIGNED.fullmatch(raw) or not -INT64_MAX - 1 <= (number := int(raw)) <= INT64_MAX:
        raise ValueError("want a whole number")
    return number


def unsigned(raw: str) -> int:
    """Read an unsigned 64 bit integer: ASCII digits only."""
    if len(raw) > LONGEST or not _UNSIGNED.fullmatch(raw) or (number := int(raw)) > UINT64_MAX:
        raise ValueError("want a whole number, 0 or more")
    return number


def user_or_group_id(raw: str) -> int:
    """Read a uid or gid: 0 to 2,147,483,647."""
    try:
        number = integer(raw)
    except ValueError:
        number = -1
    if not 0 <= number <= ID_MAX:
        raise ValueError(f"want a number from 0 to {ID_MAX}")
    return number


def port(raw: str) -> str:
    """Read a TCP port, 1 to 65535, and return its text."""
    if len(raw) > LONGEST or not _UNSIGNED.fullmatch(raw) or not 1 <= int(raw) <= PORT_MAX:
        raise ValueError(f"want a port from 1 to {PORT_MAX}")
    return raw


def fraction(raw: str) -> float:
    """Read a number that is 0 or lies in 0 < x <= 1."""
    if len(raw) > LONGEST or not _FLOAT.fullmatch(raw) or not 0 <= (number := float(raw)) <= 1:
        raise ValueError("want 0, or a number above 0 and up to 1")
    return number


def duration_ns(raw: str) -> int:
    """Read a Go duration such as 90s or 1h30m and return nanoseconds, rounded down; "0" needs no unit."""
    if raw in ("0", "+0", "-0"):
        return 0
    if len(raw) > LONGEST or not _DURATION.fullmatch(raw):
        raise ValueError("want a duration such as 30s, 5m or 1h30m")
    total = sum(int(Decimal(number) * _UNIT_NS[unit]) for number, unit in _DURATION_PART.findall(raw))
    if total > INT64_MAX:
        raise ValueError("want a duration below 292 years")
    return -total if raw[0] == "-" else total


def duration(raw: str) -> str:
    """Check a Go duration of 0 or more and return its text; empty stays empty."""
    if raw and duration_ns(raw) < 0:
        raise ValueError("want a duration that is not negative")
    return raw


def seconds_or_duration(raw: str) -> str:
    """Check whole seconds or a Go duration, 0 or more, as the agent takes them; empty stays empty."""
    return raw if _UNSIGNED.fullmatch(raw) and len(raw) <= LONGEST else duration(raw)


def duration_s(raw: str) -> int:
    """Read whole seconds or a Go duration, 0 or more, and return seconds, rounded down."""
    seconds_or_duration(raw)
    return int(raw) if _UNSIGNED.fullmatch(raw) else duration_ns(raw) // 10**9


def quantity(raw: str) -> str:
    """Check a Kubernetes quantity, 0 or more, and return its text; empty means none and stays empty."""
    if raw and quantity_value(raw) < 0:
        raise ValueError("want a quantity that is not negative")
    return raw


def quantity_value(raw: str) -> Decimal:
    """Return the number a Kubernetes quantity stands for: cores, bytes."""
    parts = _QUANTITY.fullmatch(raw) if len(raw) <= LONGEST else None
    if parts is None:
        raise ValueError("want a quantity such as 250m, 1, 64Mi or 1Gi")
    number, suffix = Decimal(parts["number"]), parts["suffix"]
    return number * (_SUFFIX[suffix] if suffix in _SUFFIX else Decimal(10) ** int(suffix[1:]))


def items(raw: str) -> tuple[str, ...]:
    """Split at commas; blanks around an item and empty items are dropped."""
    return tuple(item for part in raw.split(",") if (item := part.strip()))


def permissions(raw: str) -> str:
    """Check an octal file mode of three or four digits, such as 0644 or 440, and return its text."""
    if not _PERMISSIONS.fullmatch(raw):
        raise ValueError("want an octal file mode such as 0644 or 440")
    return raw


def absolute_path(raw: str) -> str:
    """Return an absolute path without doubled or trailing slashes, `.` and `..` resolved; `/` itself is refused."""
    path = clean_path(raw)
    if not raw.startswith("/") or path == "/":
        raise ValueError("want an absolute path below /, such as /vault/secrets")
    if ":" in raw or "\0" in raw:
        raise ValueError("a mount path holds neither ':' nor NUL")
    return path


def clean_path(raw: str) -> str:
    """Clean a path lexically, as Go's path.Clean does."""
    path = posixpath.normpath(raw)
    return path[1:] if path.startswith("//") else path  # POSIX lets two leading slashes stand, Go does not


def backoffs_fit(least: str, most: str) -> bool:
    """Return whether an agent starts with these: the least must be below the most. An empty one is the agent's default."""
    if not least and not most:
        return True
    return duration_ns(least or AGENT_MIN_BACKOFF) < duration_ns(most or AGENT_MAX_BACKOFF)
