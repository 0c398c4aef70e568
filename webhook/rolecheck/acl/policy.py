"""Policy text to rules, and how several rules for the same path become one.

To add a key of a path block: a row of KEYS; if it can stop a read, a field of Rule and a line in `merged`.
The work grows with the length of the text: values given many times are collected first, and joined once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from webhook.one_line import clean
from webhook.rolecheck.acl.hcl import Item, Items, PolicySyntaxError, parse
from webhook.rolecheck.bindings.vault_values import seconds, unix_time

CAPABILITIES = frozenset(
    ("create", "read", "update", "patch", "delete", "list", "sudo", "deny", "scan", "subscribe", "recover")
)
_WRITE = ("create", "read", "update", "delete", "list")
OLD_POLICIES: dict[str, tuple[str, ...]] = {
    "": (),
    "deny": ("deny",),
    "read": ("read", "list"),
    "write": _WRITE,
    "sudo": (*_WRITE, "sudo"),
}

Values = tuple[object, ...]  # of one parameter; empty: any value


class PathKind(Enum):
    """How a rule's text is compared with a path."""

    EXACT = "exact"
    PREFIX = "prefix"
    SEGMENTS = "segments"  # with a `+` that stands for one segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one path block grants, or what several for the same path grant together."""

    can_read: bool
    is_denied: bool = False  # then nothing else is set
    wrapping_s: tuple[float, float] = (0, 0)  # smallest and largest response wrapping time demanded; 0: none
    required: frozenset[str] = frozenset()  # parameters, lower case
    allowed: Mapping[str, Values]
    denied: Mapping[str, Values]
    needs_approval: bool = False  # MFA or a control group


@dataclass(frozen=True, slots=True)
class Block:
    """One path block of a policy, its templates not yet filled."""

    path: str
    rule: Rule
    expires_at: float | None  # Unix seconds; OpenBao ignores the block afterwards

    @property
    def is_templated(self) -> bool:
        """Tell whether the path depends on who asks."""
        return "{{" in self.path


DENY = Rule(can_read=False, is_denied=True, allowed={}, denied={})


def blocks(text: str) -> tuple[Block, ...]:
    """Return the path blocks of a policy text.

    Raises:
        PolicySyntaxError: the server would refuse the text.
    """
    found = []
    for item in parse(text):
        if item.keys[0] == "path":
            found.append(_block(item))
        elif item.keys != ("name",):
            raise PolicySyntaxError(f"unknown key {clean(' '.join(item.keys))}")
    return tuple(found)


def kind_of(path: str) -> tuple[PathKind, str]:
    """Return how the path of a block, its templates filled, is compared, and with what text."""
    path = path.removeprefix("/")
    if path == "+" or path.startswith("+/") or "/+" in path:
        return PathKind.SEGMENTS, path
    if path.endswith("*"):
        return PathKind.PREFIX, path[:-1]
    return PathKind.EXACT, path


def template_parts(path: str) -> list[str]:
    """Return the path cut at its templates: literal, variable, literal, ..., each variable trimmed.

    Raises:
        PolicySyntaxError: the braces do not pair up.
    """
    literal, *rest = path.split("{{")
    parts = [literal]
    if "}}" in literal:
        raise PolicySyntaxError("unbalanced {{ }}")
    for piece in rest:
        variable, *literals = piece.split("}}")
        if len(literals) != 1:
            raise PolicySyntaxError("unbalanced {{ }}")
        parts += [variable.strip(), literals[0]]
    return parts


def merged(*rules: Rule) -> Rule:
    """Return the one rule that the rules for one path, one at least, make together; a deny swallows the others."""
    if len(rules) == 1:
        return rules[0]
    if any(rule.is_denied for rule in rules):
        return DENY
    shortest, longest = zip(*(rule.wrapping_s for rule in rules), strict=True)
    return Rule(
        can_read=any(rule.can_read for rule in rules),
        wrapping_s=(_smallest(shortest), _smallest(longest)),
        required=frozenset(name for rule in rules for name in rule.required),
        allowed=_united(item for rule in rules for item in rule.allowed.items()),
        denied=_united(item for rule in rules for item in rule.denied.items()),
        needs_approval=any(rule.needs_approval for rule in rules),
    )


def _smallest(times_s: Iterable[float]) -> float:
    return min(filter(None, times_s), default=0)


def _united(named: Iterable[tuple[str, Iterable[object]]]) -> dict[str, Values]:
    """Return the values of each parameter, joined; one list without values means any value, whatever the others say."""
    joined: dict[str, list[object]] = {}
    unlimited = set()
    for name, values in named:
        listed = joined.setdefault(name, [])
        before = len(listed)
        listed.extend(values)
        if len(listed) == before:
            unlimited.add(name)
    return {name: () if name in unlimited else tuple(values) for name, values in joined.items()}


def _block(item: Item) -> Block:
    path = item.keys[1] if len(item.keys) > 1 else item.keys[0]
    if not isinstance(item.value, Items):
        raise PolicySyntaxError(f"path {clean(path)} is no block")
    if "+*" in path:
        raise PolicySyntaxError(f"path {clean(path)}: `+*` is forbidden")
    template_parts(path)
    members: dict[str, Any] = {}
    for member in item.value:
        key = member.keys[0]
        if key not in KEYS:
            raise PolicySyntaxError(f"path {clean(path)}: unknown key {clean(key)}")
        read = KEYS[key](_value(member))
        if key in _LISTS:
            members.setdefault(key, []).extend(read)
        else:
            members[key] = read
    return Block(path, _rule(members), members.get("expiration"))


def _value(member: Item) -> Any:
    """Return a member's value; of a labelled one, `factor "x" { ... }`, an object with the label as key."""
    return Items((Item(member.keys[1:], member.value),)) if len(member.keys) > 1 else member.value


def _rule(members: Mapping[str, Any]) -> Rule:
    granted = {*members.get("capabilities", ()), *OLD_POLICIES[members.get("policy", "")]}
    if "deny" in granted:
        return DENY
    shortest, longest = members.get("min_wrapping_ttl", 0), members.get("max_wrapping_ttl", 0)
    if 0 < longest < shortest:
        raise PolicySyntaxError("max_wrapping_ttl is less than min_wrapping_ttl")
    return Rule(
        can_read="read" in granted,
        wrapping_s=(shortest, longest),
        required=frozenset(name.lower() for name in members.get("required_parameters", ())),
        allowed=members.get("allowed_parameters", {}),
        denied=members.get("denied_parameters", {}),
        needs_approval=bool(members.get("mfa_methods") or members.get("control_group")),
    )


def _capabilities(value: object) -> tuple[str, ...]:
    listed = _texts(value)
    unknown = [name for name in listed if name not in CAPABILITIES]
    if unknown:
        raise PolicySyntaxError(f"unknown capability {clean(unknown[0])}")
    return listed


def _old_policy(value: object) -> str:
    if not isinstance(value, str) or value not in OLD_POLICIES:
        raise PolicySyntaxError(f"unknown policy {clean(value)}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or any(isinstance(item, (list, Items)) for item in value):
        raise PolicySyntaxError(f"{clean(value)} is no list of texts")
    return tuple(str(item) for item in value)


def _parameters(value: object) -> dict[str, Values]:
    """Return parameter names, lower case, with the values each is about."""
    items = list(_members(value))
    for item in items:
        if not isinstance(item.value, list) or len(item.keys) != 1:
            raise PolicySyntaxError(f"parameter {clean(item.keys[0])}: want a list of values")
    return _united((item.keys[0].lower(), item.value) for item in items)


def _members(value: object) -> Iterable[Item]:
    if isinstance(value, Items):
        return value
    if isinstance(value, list) and all(isinstance(part, Items) for part in value):
        return [item for part in value for item in part]
    raise PolicySyntaxError(f"{clean(value)} is no object")


def _duration(value: object) -> float:
    """Return seconds; a negative time demands nothing and counts as none."""
    if isinstance(value, (bool, list, Items)):
        raise PolicySyntaxError(f"{clean(value)} is no duration")
    text = str(value)
    try:
        length_s = seconds(text.removeprefix("-"))
    except ValueError as error:
        raise PolicySyntaxError(f"{error} is no duration") from error
    return 0 if text.startswith("-") else length_s


def _expiration(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return unix_time(value if isinstance(value, str) else clean(value))
    except ValueError as error:
        raise PolicySyntaxError(f"{error} is no time") from error


def _limit(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PolicySyntaxError(f"{clean(value)} is no whole number")
    return value


def _as_written(value: object) -> object:
    return value


_LISTS = ("capabilities", "required_parameters", "mfa_methods")  # given twice, they add up

KEYS: dict[str, Callable[[object], Any]] = {
    "comment": _as_written,
    "policy": _old_policy,
    "capabilities": _capabilities,
    "allowed_parameters": _parameters,
    "denied_parameters": _parameters,
    "required_parameters": _texts,
    "min_wrapping_ttl": _duration,
    "max_wrapping_ttl": _duration,
    "mfa_methods": _texts,
    "control_group": _as_written,
    "pagination_limit": _limit,
    "expiration": _expiration,
    "list_scan_response_keys_filter_path": _as_written,
    "subscribe_event_types": _as_written,
}
