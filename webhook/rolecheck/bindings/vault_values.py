"""Values as people, Terraform and Vault's own JSON write them: texts that mean seconds, flags, lists and times."""

import math
import re
from datetime import datetime

from webhook.one_line import clean

Names = tuple[str, ...] | str | None  # a tuple: the garbage collector does not follow tuples of texts
Number = int | float | str | None
Flag = bool | int | str | None

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNIT = "|".join(sorted(_SECONDS, key=len, reverse=True))
_PART = re.compile(rf"([0-9]{{1,15}}(?:\.[0-9]{{0,9}})?|\.[0-9]{{1,9}})({_UNIT})")
_PLAIN = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,9})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


def names(value: Names) -> tuple[str, ...]:
    """Return a list field: elements trimmed, as the server does on writing; a text is cut at commas, empty parts dropped."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part for raw in value.split(",") if (part := raw.strip()))
    return tuple(part.strip() for part in value)


def seconds(value: Number) -> float:
    """Return a duration in seconds, absent as 0: a number, a text of one, or `1h30m` in Vault's units.

    Raises:
        ValueError: the value is negative, no number, or a text in another form.
    """
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        return _seconds_of(value.strip())
    if isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ValueError(clean(value))
    return value


def _seconds_of(text: str) -> float:
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(clean(text))
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)


def flag(value: Flag, *, default: bool = False) -> bool:
    """Return a boolean, absent as the default; the texts `true` and `false` count as what they say.

    Raises:
        ValueError: the value is neither.
    """
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in _FLAGS:
        raise ValueError(clean(value))
    return _FLAGS[text]


def unix_time(value: str | None) -> float | None:
    """Return an RFC 3339 time in Unix seconds; absent or empty is None.

    Raises:
        ValueError: the text is no such time.
    """
    if not value:
        return None
    if not _TIME.fullmatch(value):
        raise ValueError(clean(value))
    # more than microseconds: cut, datetime cannot hold them
    text = re.sub(r"(\.\d{6})\d+", r"\1", value)
    return datetime.fromisoformat(text.upper()).timestamp()
