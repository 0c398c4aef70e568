"""Indexes over the texts of rules: which of them match a path, without trying all of them.

A look-up costs the length of the path and the number of texts that match its beginning, not the number of all texts.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field


class Prefixes:
    """Texts, asked which of them a path begins with."""

    __slots__ = ("_parents", "_sorted", "_texts")

    def __init__(self) -> None:
        """Be empty."""
        self._texts: set[str] = set()
        self._sorted: list[str] = []  # of _texts, made by the first question after an addition
        self._parents: list[int] = []  # where the longest text stands that this one begins with; -1: none

    def add(self, text: str) -> None:
        """Take in a text."""
        self._texts.add(text)

    def of(self, path: str) -> Iterator[str]:
        """Yield the texts that the path begins with, the longest first.

        The greatest text that is not greater than the path begins with each of them.
        """
        if len(self._sorted) < len(self._texts):
            self._sort()
        at = bisect_right(self._sorted, path) - 1
        while at >= 0:
            if path.startswith(self._sorted[at]):
                yield self._sorted[at]
            at = self._parents[at]

    def longest_of(self, path: str) -> str | None:
        """Return the longest text that the path begins with."""
        return next(self.of(path), None)

    def _sort(self) -> None:
        self._sorted = sorted(self._texts)
        self._parents = []
        beginnings: list[int] = []  # of the text at hand, each the beginning of the next
        for at, text in enumerate(self._sorted):
            while beginnings and not text.startswith(self._sorted[beginnings[-1]]):
                beginnings.pop()
            self._parents.append(beginnings[-1] if beginnings else -1)
            beginnings.append(at)


@dataclass(slots=True)
class _Node:
    """What follows the same first segments in all rules."""

    named: dict[str, "_Node"] = field(default_factory=dict)  # by the next segment
    any_segment: "_Node | None" = None  # the next segment is a plus sign
    closed: str | None = None  # the rule that ends here
    open: dict[str, str] = field(default_factory=dict)  # rules with a star, by their last segment
    open_ends: Prefixes = field(default_factory=Prefixes)  # those last segments

    def child(self, segment: str) -> "_Node":
        """Return what follows a segment of a rule, made where it is new."""
        if segment != "+":
            return self.named.setdefault(segment, _Node())
        if self.any_segment is None:
            self.any_segment = _Node()
        return self.any_segment

    def next(self, segment: str) -> Iterator["_Node"]:
        """Yield what follows a segment of a path."""
        if (named := self.named.get(segment)) is not None:
            yield named
        if self.any_segment is not None:
            yield self.any_segment


class SegmentTree:
    """Segment rules: paths with plus signs for whole segments, and perhaps a star at the end."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        """Be empty."""
        self._root = _Node()

    def add(self, text: str) -> None:
        """Take in a rule's text, with its star."""
        closed = text.removesuffix("*")
        *heads, last = closed.split("/")
        node = self._root
        for segment in heads:
            node = node.child(segment)
        if closed == text:
            node.child(last).closed = text
        else:
            node.open[last] = text
            node.open_ends.add(last)

    def matching(self, path: str) -> Iterator[str]:
        """Yield the texts that match; of those that differ in an open last segment only, the longest."""
        nodes = [self._root]
        for segment in path.split("/"):
            for node in nodes:
                if node.open and (last := node.open_ends.longest_of(segment)) is not None:
                    yield node.open[last]
            nodes = [following for node in nodes for following in node.next(segment)]
        yield from (node.closed for node in nodes if node.closed is not None)
