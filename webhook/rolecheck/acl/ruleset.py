"""Which rule decides a path: the rules of all policies of a token, those with unknown values kept apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from webhook.rolecheck.acl.policy import Block, PathKind, Rule, Values, kind_of, merged, template_parts
from webhook.rolecheck.acl.template_variables import TemplateVariables, Unresolved

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


@dataclass(frozen=True, slots=True)
class UncertainRule:
    """A rule with a variable nobody knows before login."""

    kind: PathKind
    pattern: tuple[str | None, ...]  # literal texts, variables (None) and the plus sign between them; open end apart
    is_open: bool
    allows_slashes: bool
    rule: Rule

    def may_match(self, path: str) -> bool:
        """Tell whether some value of the variables makes the rule match; each is any run without `*` and `+`."""
        variable = "*+" if self.allows_slashes else "*+/"
        ends = {0}
        for part in self.pattern:
            if part is None:
                ends = _runs(path, ends, variable)
            elif part == "+" and self.kind is PathKind.SEGMENTS:
                ends = _runs(path, ends, "/")
            else:
                ends = {end + len(part) for end in ends if path.startswith(part, end)}
        return bool(ends) if self.is_open else len(path) in ends


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one token, merged."""

    exact: dict[str, Rule] = field(default_factory=dict)
    prefixes: dict[str, Rule] = field(default_factory=dict)
    lengths: set[int] = field(default_factory=set)  # of the prefixes
    segments: dict[str, Rule] = field(default_factory=dict)
    uncertain: list[UncertainRule] = field(default_factory=list)

    def add(self, kind: PathKind, text: str, rule: Rule) -> None:
        """Take in one rule, merged with those of the same kind and text."""
        rules = {PathKind.EXACT: self.exact, PathKind.PREFIX: self.prefixes, PathKind.SEGMENTS: self.segments}[kind]
        if kind is PathKind.PREFIX:
            self.lengths.add(len(text))
        known = rules.get(text)
        rules[text] = rule if known is None else merged(known, rule)

    def decide(self, path: str, parameters: Mapping[str, object]) -> RuleDecision:
        """Return whether the token may read the path."""
        exact = self.exact.get(path)
        certain = exact if exact is not None else self._wildcard(path)
        base = _state(certain, parameters)
        if not self.uncertain or (exact is not None and exact.is_denied):
            return RuleDecision(base, certain)
        others = [
            other.rule
            for other in self.uncertain
            if (exact is None or other.kind is PathKind.EXACT) and other.may_match(path)
        ]
        return RuleDecision(_with(base, others, parameters), certain)

    def _wildcard(self, path: str) -> Rule | None:
        """Return the rule with wildcards that decides: the greatest of the longest prefix and all segment rules."""
        ranked = [(_rank(text), rule) for text, rule in self.segments.items() if segments_match(text, path)]
        prefix = self._longest_prefix(path)
        if not ranked:
            return None if prefix is None else self.prefixes[prefix]
        if prefix is not None:
            ranked.append(((len(prefix), False, 0, len(prefix), prefix.encode()), self.prefixes[prefix]))
        return max(ranked, key=lambda pair: pair[0])[1]

    def _longest_prefix(self, path: str) -> str | None:
        found = [path[:length] for length in self.lengths if path[:length] in self.prefixes]
        return max(found, key=len, default=None)


def segments_match(text: str, path: str) -> bool:
    """Tell whether a segment rule's text, its trailing star included, matches the path."""
    closed = text.removesuffix("*")
    if not path.startswith(closed.partition("+")[0]):
        return False
    is_open = closed != text
    wanted, given = closed.split("/"), path.split("/")
    if len(given) < len(wanted) or (not is_open and len(given) > len(wanted)):
        return False
    last = len(wanted) - 1
    return all(
        part in ("+", given[position]) or (is_open and position == last and given[position].startswith(part))
        for position, part in enumerate(wanted)
    )


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
        rules.uncertain.append(_uncertain(parts, block.rule, allows_slashes=allows_slashes))
    else:
        rules.add(*kind_of("".join(part for part in parts if part is not None)), block.rule)


def _is_unfit(value: str, allows_slashes: bool) -> bool:  # noqa: FBT001 private, one caller
    return bool(WILDCARDS.search(value)) or ("/" in value and not allows_slashes)


_HOLE = "\0"  # stands for an unknown value while a rule's kind is found out; no policy path can hold it


def _uncertain(parts: list[str | None], rule: Rule, *, allows_slashes: bool) -> UncertainRule:
    kind, text = kind_of("".join(_HOLE if part is None else part for part in parts))
    is_open = kind is PathKind.PREFIX or (kind is PathKind.SEGMENTS and text.endswith("*"))
    cut = r"(\0)" if kind is not PathKind.SEGMENTS else r"(\0|(?<![^/])\+(?![^/]))"
    body = text.removesuffix("*") if kind is PathKind.SEGMENTS else text
    pattern = tuple(None if part == _HOLE else part for part in re.split(cut, body) if part)
    return UncertainRule(kind, pattern, is_open, allows_slashes, rule)


def _runs(path: str, starts: set[int], stops: str) -> set[int]:
    """Return where runs without the stop characters, begun at any of the starts, may end."""
    ends: set[int] = set()
    for start in sorted(starts):
        if start in ends:
            continue  # an earlier run came through here
        end = start
        ends.add(end)
        while end < len(path) and path[end] not in stops:
            end += 1
            ends.add(end)
    return ends


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
