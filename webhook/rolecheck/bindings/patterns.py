"""Names against patterns, as Vault's kubernetes auth reads them: `*` is any run of characters, the rest is literal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

TEXT_MAX = 1_024  # characters; a subject holds two names of Kubernetes, of 253 at most


def matches(pattern: str, text: str) -> bool:
    """Tell whether the pattern covers the whole text; its literal parts may not overlap (`ab*ba` is not `aba`).

    A text of more than TEXT_MAX characters names nobody: it is covered by itself and by stars alone.
    """
    if "*" not in pattern or len(text) > TEXT_MAX:
        return pattern == text or is_only_stars(pattern)
    head, *middle, tail = pattern.split("*")
    if not text.startswith(head):
        return False
    position = len(head)
    for part in middle:
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return text.endswith(tail, position)


def is_only_stars(pattern: str) -> bool:
    """Tell whether the pattern admits every text: one star or more, and nothing else."""
    return bool(pattern) and not pattern.strip("*")


@dataclass(frozen=True, slots=True)
class Patterns:
    """One list of a role, sorted once so that the usual question is a set look-up."""

    texts: tuple[str, ...]  # as written, in their order
    literals: frozenset[str]
    globs: tuple[str, ...]
    everything: bool  # one of them admits every text

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the compiled list; an empty one admits nothing."""
        written = tuple(texts)
        return cls(
            texts=written,
            literals=frozenset(text for text in written if "*" not in text),
            globs=tuple(text for text in written if "*" in text),
            everything=any(is_only_stars(text) for text in written),
        )

    def admit(self, text: str) -> bool:
        """Tell whether any pattern of the list covers the text."""
        return text in self.literals or self.everything or any(matches(glob, text) for glob in self.globs)
