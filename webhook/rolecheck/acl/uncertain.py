"""Rules with a variable nobody knows before login, and which of them may turn out to match a path.

A pattern is compared with all of a path at once: a set of positions is one integer, bit n for position n.
"""

import re
from dataclasses import dataclass

from webhook.rolecheck.acl.path_index import Prefixes
from webhook.rolecheck.acl.policy import PathKind, Rule, kind_of

# Characters of patterns compared with one path: some 80 templated rules that begin like it. A path that more of them may match is
# not decided, which makes a warning of a refusal and nothing else.
COMPARED_MAX = 1_024

_HOLE = "\0"  # stands for an unknown value while a rule's kind is found out; no policy path can hold it


@dataclass(frozen=True, slots=True)
class UncertainRule:
    """A rule with a variable nobody knows before login."""

    kind: PathKind
    pattern: tuple[str | None, ...]  # literal texts, variables (None) and the plus sign between them; open end apart
    is_open: bool
    allows_slashes: bool
    rule: Rule

    @property
    def beginning(self) -> str:
        """Return the literal text that every path it matches begins with."""
        first = self.pattern[0] if self.pattern else ""
        return first if first and not self._is_plus(first) else ""

    @property
    def length(self) -> int:
        """Return what comparing it costs, in characters."""
        return sum(1 if part is None else len(part) for part in self.pattern)

    def may_match(self, path: "_Positions") -> bool:
        """Tell whether some value of the variables makes the rule match; each is any run without `*` and `+`."""
        variable = "*+" if self.allows_slashes else "*+/"
        reached = 1  # where the pattern so far may end
        for part in self.pattern:
            if part is None:
                reached = path.after_run(reached, variable)
            elif self._is_plus(part):
                reached = path.after_run(reached, "/")
            else:
                reached = path.after_text(reached, part)
            if not reached:
                return False
        return self.is_open or bool(reached >> path.length & 1)

    def _is_plus(self, part: str) -> bool:
        return part == "+" and self.kind is PathKind.SEGMENTS


class UncertainRules:
    """Such rules, found by the literal texts they begin with."""

    __slots__ = ("_beginnings", "_rules")

    def __init__(self) -> None:
        """Be empty."""
        self._rules: dict[str, list[UncertainRule]] = {}
        self._beginnings = Prefixes()

    def add(self, rule: UncertainRule) -> None:
        """Take in a rule."""
        self._rules.setdefault(rule.beginning, []).append(rule)
        self._beginnings.add(rule.beginning)

    def matching(self, path: str) -> list[UncertainRule] | None:
        """Return the rules that may match; None: too many begin like the path to tell."""
        found: list[UncertainRule] = []
        positions, compared = None, 0
        for beginning in self._beginnings.of(path):
            for rule in self._rules[beginning]:
                compared += rule.length
                if compared > COMPARED_MAX:
                    return None
                positions = positions or _Positions(path)
                if rule.may_match(positions):
                    found.append(rule)
        return found


def uncertain_rule(parts: list[str | None], rule: Rule, *, allows_slashes: bool) -> UncertainRule:
    """Return the rule of a block: its path cut at its variables, None for each whose value is not known."""
    kind, text = kind_of("".join(_HOLE if part is None else part for part in parts))
    is_open = kind is PathKind.PREFIX or (kind is PathKind.SEGMENTS and text.endswith("*"))
    cut = r"(\0)" if kind is not PathKind.SEGMENTS else r"(\0|(?<![^/])\+(?![^/]))"
    body = text.removesuffix("*") if kind is PathKind.SEGMENTS else text
    pattern = tuple(None if part == _HOLE else part for part in re.split(cut, body) if part)
    return UncertainRule(kind, pattern, is_open, allows_slashes, rule)


class _Positions:
    """Where in a path each character stands, for steps from one set of positions to the next."""

    __slots__ = ("_of", "length")

    def __init__(self, path: str) -> None:
        """Read the path."""
        self.length = len(path)
        self._of: dict[str, int] = {}
        for position, char in enumerate(path):
            self._of[char] = self._of.get(char, 0) | 1 << position

    def after_text(self, starts: int, text: str) -> int:
        """Return where the text ends that begins at one of the starts."""
        for char in text:
            starts = (starts & self._of.get(char, 0)) << 1
            if not starts:
                break
        return starts

    def after_run(self, starts: int, stops: str) -> int:
        """Return where runs without the stop characters, begun at any of the starts, may end.

        Added to the characters a run may hold, a start is carried on up to the first stop, and turns the bits it passes.
        """
        runs = (1 << self.length) - 1
        for stop in stops:
            runs &= ~self._of.get(stop, 0)
        begun = starts & runs
        return starts | begun | ((runs + begun) ^ runs)
