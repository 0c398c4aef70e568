"""Which rule decides a path. The rules of all policies of a token are in one set; those with unknown values are kept apart."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from webhook.rolecheck.acl.path_index import Prefixes, SegmentTree
from webhook.rolecheck.acl.policy import Block, PathKind, Rule, Values, kind_of, merged, template_parts
from webhook.rolecheck.acl.template_variables import TemplateVariables, Unresolved
from webhook.rolecheck.acl.uncertain import UncertainRule, UncertainRules, uncertain_rule

WILDCARDS = re.compile(r"[*+]")


class State(Enum):
    """What the rules say of reading one path."""

    READABLE = "readable"
    NONE = "none"  # no rule matches
    DENIED = "denied"
    NO_READ = "no read"
    CONSTRAINED = "constrained"  # response wrapping or parameters the agent does not send
    UNCERTAIN = "uncertain"  # depends on identity values unknown before login


class RuleDecision(NamedTuple):
    """The state of one path, and the rule it comes from."""

    state: State
    rule: Rule | None


class RuleSet:
    """The rules of one token. Finding the one that decides costs the length of the path, whatever the number of rules.

    A set can be built on another one, and then includes its rules: the lower holds what is the same for everyone, the upper what
    depends on who asks.
    """

    __slots__ = ("_below", "_merged", "_prefixes", "_segments", "_uncertain", "_written")

    def __init__(self, below: "RuleSet | None" = None) -> None:
        """Start with the rules of the set below, which must not change any more."""
        self._below = below
        self._written: dict[tuple[PathKind, str], list[Rule]] = {}
        self._merged: dict[tuple[PathKind, str], Rule] = {}  # of _written, with those of the same text below
        self._prefixes = Prefixes()
        self._segments = SegmentTree()
        self._uncertain = UncertainRules()

    def add(self, kind: PathKind, text: str, rule: Rule) -> None:
        """Take in one rule."""
        self._written.setdefault((kind, text), []).append(rule)
        self._merged.pop((kind, text), None)
        if kind is PathKind.PREFIX:
            self._prefixes.add(text)
        elif kind is PathKind.SEGMENTS:
            self._segments.add(text)

    def add_uncertain(self, rule: UncertainRule) -> None:
        """Take in one with a variable nobody knows before login."""
        self._uncertain.add(rule)

    def rule(self, kind: PathKind, text: str) -> Rule | None:
        """Return the one rule of this kind and text, merged of all that were written."""
        key = (kind, text)
        known = self._merged.get(key)
        if known is not None:
            return known
        below = None if self._below is None else self._below.rule(kind, text)
        own = self._written.get(key)
        if own is None:
            return below
        rule = self._merged[key] = merged(*own) if below is None else merged(below, *own)
        return rule

    def decide(self, path: str, parameters: Mapping[str, object]) -> RuleDecision:
        """Return whether the token may read the path."""
        exact = self.rule(PathKind.EXACT, path)
        certain = exact if exact is not None else self._wildcard(path)
        base = _state(certain, parameters)
        if exact is not None and exact.is_denied:
            return RuleDecision(base, certain)
        uncertain = self._may_match(path)
        if uncertain is None:
            return RuleDecision(State.UNCERTAIN, certain)
        others = [other.rule for other in uncertain if exact is None or other.kind is PathKind.EXACT]
        return RuleDecision(_with(base, others, parameters), certain)

    def _wildcard(self, path: str) -> Rule | None:
        """Return the rule with wildcards that decides: the greatest of the longest prefix and all segment rules."""
        ranked = [(_rank(text), PathKind.SEGMENTS, text) for text in self._segments_of(path)]
        prefix = self._longest_prefix(path)
        if prefix is not None:
            ranked.append(((len(prefix), False, 0, len(prefix), prefix.encode()), PathKind.PREFIX, prefix))
        if not ranked:
            return None
        _, kind, text = max(ranked, key=lambda candidate: candidate[0])
        return self.rule(kind, text)

    def _longest_prefix(self, path: str) -> str | None:
        own = self._prefixes.longest_of(path)
        below = None if self._below is None else self._below._longest_prefix(path)  # noqa: SLF001 one of us
        return max((text for text in (own, below) if text is not None), key=len, default=None)

    def _segments_of(self, path: str) -> Iterator[str]:
        yield from self._segments.matching(path)
        if self._below is not None:
            yield from self._below._segments_of(path)  # noqa: SLF001 one of us

    def _may_match(self, path: str) -> list[UncertainRule] | None:
        below = [] if self._below is None else self._below._may_match(path)  # noqa: SLF001 one of us
        own = self._uncertain.matching(path)
        return None if own is None or below is None else own + below


def permits(rule: Rule, parameters: Mapping[str, object]) -> State:
    """Return what one rule says of a read with these request parameters."""
    if rule.is_denied:
        return State.DENIED
    if not rule.can_read:
        return State.NO_READ
    is_free = not any(rule.wrapping_s) and rule.required <= parameters.keys() and _fits(rule, parameters)
    return State.READABLE if is_free else State.CONSTRAINED


def add_block(rules: RuleSet, block: Block, variables: TemplateVariables, *, allows_slashes: bool) -> None:
    """Take in one block with its templates filled; a variable that does not resolve leaves the block out."""
    parts: list[str | None] = []
    for position, part in enumerate(template_parts(block.path)):
        value = variables.resolve(part) if position % 2 else part
        if value is Unresolved.DROPPED or (
            position % 2 and isinstance(value, str) and _is_unfit(value, allows_slashes)
        ):
            return
        parts.append(None if isinstance(value, Unresolved) else value)
    if None in parts:
        rules.add_uncertain(uncertain_rule(parts, block.rule, allows_slashes=allows_slashes))
    else:
        rules.add(*kind_of("".join(part for part in parts if part is not None)), block.rule)


def _is_unfit(value: str, allows_slashes: bool) -> bool:  # noqa: FBT001 private, one caller
    return bool(WILDCARDS.search(value)) or ("/" in value and not allows_slashes)


def _rank(text: str) -> tuple[int, bool, int, int, bytes]:
    """Return what segment rules are compared by, the greatest deciding."""
    closed = text.removesuffix("*")
    return text.index("+"), not text.endswith("*"), -closed.split("/").count("+"), len(closed), closed.encode()


def _state(rule: Rule | None, parameters: Mapping[str, object]) -> State:
    return State.NONE if rule is None else permits(rule, parameters)


def _with(base: State, others: list[Rule], parameters: Mapping[str, object]) -> State:
    """Return the state when any of the other rules may turn out to decide instead."""
    if base is State.READABLE:
        is_sure = all(permits(rule, parameters) is State.READABLE for rule in others)
    else:
        is_sure = not any(rule.can_read for rule in others)
    return base if is_sure else State.UNCERTAIN


def _fits(rule: Rule, parameters: Mapping[str, object]) -> bool:
    """Tell whether the parameters, where there are any, are among the allowed and not among the denied."""
    if not parameters:
        return True
    if "*" in rule.denied or any(
        name in rule.denied and _is_among(value, rule.denied[name]) for name, value in parameters.items()
    ):
        return False
    if not rule.allowed or (len(rule.allowed) == 1 and "*" in rule.allowed):
        return True
    return all(
        _is_among(value, rule.allowed[name]) if name in rule.allowed else "*" in rule.allowed
        for name, value in parameters.items()
    )


def _is_among(value: object, listed: Values) -> bool:
    return not listed or any(_equals(value, entry) for entry in listed)


def _equals(value: object, entry: object) -> bool:
    """Compare a parameter with an entry; a text entry may begin and end with a star, a lone star is a star."""
    if not isinstance(value, str) or not isinstance(entry, str):
        return type(value) is type(entry) and value == entry
    if len(entry) < 2:  # noqa: PLR2004 the server looks for stars in longer texts only
        return value == entry
    core = entry.removeprefix("*").removesuffix("*") if entry != "**" else ""
    if entry.startswith("*"):
        return core in value if entry.endswith("*") else value.endswith(core)
    return value.startswith(core) if entry.endswith("*") else value == entry
