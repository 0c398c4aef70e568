"""A problem of the role check in words: the row of its reason, its placeholders filled with names cleaned, cut and quoted.

To reword a refusal: its row in reasons.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from webhook.one_line import clean
from webhook.reasons import CATALOGUE, Reason
from webhook.rolecheck.login_request import FieldNames
from webhook.rolecheck.verdict import FIX, Finding, Level, Problem

LENGTH_MAX = 250  # of cause, remedy and code; the annotation's key comes in front and the line must stay within 300
_WIDTHS = (60, 40, 24)  # how long a name may be, tried in turn
_WORD = re.compile(r"[A-Za-z0-9_./:@=-]{1,80}", re.ASCII)


def word(name: str, value: object) -> str:
    """Return the value as a shell word, or `<name>` where it would need quoting."""
    text = str(value)
    return text if _WORD.fullmatch(text) else f"<{name}>"


def finding(problem: Problem, subject: Mapping[str, Any], fields: FieldNames, *, full: bool) -> Finding:
    """Put a problem into words.

    Args:
        problem: what was found; its details fill placeholders too.
        subject: role, mount, vns, sa, ns: what every sentence may name.
        fields: what the source of the login calls its parts.
        full: disclosure; with it nothing is kept for the operator alone.
    """
    message, hint = _fitting(problem.reason, {**subject, **problem.details}, fields.placeholders())
    return Finding(
        level=problem.level,
        reason=problem.reason,
        message=message,
        hint=hint,
        for_operator=not full and problem.level is Level.WARN and CATALOGUE[problem.reason].for_operator,
    )


def withheld(problem: Problem) -> Finding:
    """Put a problem into words that name nothing of the role."""
    entry = CATALOGUE[problem.reason]
    message = entry.cause[0].lower() + entry.cause[1:].rstrip(".")
    operators = problem.level is Level.WARN and entry.for_operator
    return Finding(level=problem.level, reason=problem.reason, message=message, hint="", for_operator=operators)


def general(reason: Reason, fields: FieldNames) -> str:
    """Return the remedy for a page about all reasons: names in angle brackets, fields as that source has them."""
    entry = CATALOGUE[reason]
    if entry.remedy or not entry.fixes:
        return entry.remedy
    fix = entry.fixes[0].format_map(_Names(fields.placeholders(), mount="auth/<mount>"))
    is_a_command = fix.startswith("`") and fix.find("`", 1) == len(fix) - 1
    return fix if is_a_command else f"{fix[0].upper()}{fix[1:]}."


class _Names(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def _fitting(reason: Reason, values: Mapping[str, Any], fields: dict[str, str]) -> tuple[str, str]:
    """Return cause and remedy within LENGTH_MAX: a shorter remedy first, then shorter names; those of fields stay whole."""
    entry = CATALOGUE[reason]
    words = {name: word(name, value) for name, value in values.items()} | {"label": values.get("label", ""), **fields}
    fixes = [fix.format_map(words) for fix in entry.fixes] or [""]
    room = LENGTH_MAX - len(f". {FIX} ({reason})")
    message = ""
    for width in _WIDTHS:
        message = entry.message.format_map({name: clean(value, width) for name, value in values.items()} | fields)
        for fix in fixes:
            if len(message) + len(fix) <= room:
                return message, fix
    return message, ""
