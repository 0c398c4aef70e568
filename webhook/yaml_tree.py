"""The tree of a YAML text before values are made of it: what cannot become JSON, or would cost too much, is refused here.

All work is linear in the text, and in what its aliases stand for only up to a limit.
"""

import math
import re
from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webhook.one_line import clean

NESTING_MAX = (
    100  # levels, aliases followed; schemas of custom resources, the deepest things people apply, have some 60
)
NUMBER_LENGTH_MAX = 400  # characters, more than any float has; Python's conversions are quadratic and end at 4,300
TOO_DEEP = f"nested deeper than {NESTING_MAX} levels"
TAG = "tag:yaml.org,2002:"  # what `!!` stands for
_NUMBER_TAGS = (f"{TAG}int", f"{TAG}float")
_JSON_TAGS = frozenset(TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value"))
_MERGE = f"{TAG}merge"
_ENDLESS = re.compile(r"[-+]?\.?(inf|nan)", re.IGNORECASE)


class YamlTextError(ValueError):
    """The text is no YAML we take; says why, and the line where it is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        self.line = line  # from 1
        self.problem = clean(problem, 120)
        super().__init__(f"line {line}: {self.problem}" if line else self.problem)


def check(node: Node, nodes_max: int) -> None:
    """Refuse a document that may not become values.

    Raises:
        YamlTextError: it holds what JSON cannot hold, is nested too deep, or is too large with every alias written out.
    """
    if _measured(node, {}, nodes_max).size > nodes_max:
        raise YamlTextError(f"more than {nodes_max} values once every alias is written out", start_line(node))


def written_out(node: Node) -> Node:
    """Return a checked tree without aliases, anchors and merge keys; comments stay where they were written."""
    return _written_out(node, set())


def short_tag(node: Node) -> str:
    """Return the tag as people write it."""
    return str(node.tag).replace(TAG, "!!")


def start_line(node: Node) -> int:
    """Return the line, from 1, on which the node begins."""
    line: int = node.start_mark.line + 1
    return line


class _Measure(NamedTuple):
    """How large a tree is when shared parts are counted each time they occur."""

    size: int  # nodes
    depth: int  # levels


_GROWING = _Measure(0, 0)  # of a node whose children are being measured


def _measured(node: Node, known: dict[int, _Measure], most: int) -> _Measure:
    found = known.get(id(node))
    if found is _GROWING:
        raise YamlTextError("an alias stands inside of what it names", start_line(node))
    if found is None:
        known[id(node)] = _GROWING
        _check(node)
        parts = [_measured(child, known, most) for child in _children(node)]
        size = min(1 + sum(part.size for part in parts), most + 1)
        found = known[id(node)] = _Measure(size, 1 + max((part.depth for part in parts), default=0))
    if found.depth > NESTING_MAX:
        raise YamlTextError(TOO_DEEP, start_line(node))
    return found


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
    elif isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair


def _check(node: Node) -> None:
    """Refuse what JSON cannot hold, and texts that take long to become a number."""
    tag = str(node.tag)
    if tag == "!!" or (tag.startswith(TAG) and tag not in _JSON_TAGS):
        raise YamlTextError(f"{short_tag(node)} is no type of JSON", start_line(node))
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise YamlTextError("a key that is a list or a mapping", start_line(key))
            if not str(key.tag).startswith(TAG):
                raise YamlTextError(f"a key with a tag, {short_tag(key)}", start_line(key))
    elif isinstance(node, ScalarNode):
        _check_scalar(node, tag)


def _check_scalar(node: ScalarNode, tag: str) -> None:
    if tag in _NUMBER_TAGS and (len(node.value) > NUMBER_LENGTH_MAX or not _is_finite(node.value)):
        raise YamlTextError(f"{clean(node.value, 40)} is beyond the numbers of JSON", start_line(node))
    if not node.value.isascii():
        try:
            node.value.encode()
        except UnicodeEncodeError as error:
            raise YamlTextError("half of a surrogate pair, which is no character", start_line(node)) from error


def _is_finite(text: str) -> bool:
    """Tell whether a text is finite if it is a number; what is none is refused when its value is made."""
    if _ENDLESS.fullmatch(text):
        return False
    try:
        return math.isfinite(float(text.replace("_", "")))
    except ValueError:
        return True


def _written_out(node: Node, seen: set[int]) -> Node:
    """Return the tree without aliases, anchors and merge keys; comments stay where they were written."""
    own = copy(node)
    own.anchor = None
    if id(node) in seen:
        own.comment = None
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        own.value = [_written_out(item, seen) for item in node.value]
    elif isinstance(node, MappingNode):
        own.value = [(_written_out(key, seen), _written_out(value, seen)) for key, value in _merged(node)]
    return own


def _merged(node: MappingNode) -> list[tuple[Node, Node]]:
    """Return the pairs of a mapping, those of `<<` behind its own; one `<<` that names no mappings stays, to be refused."""
    pairs: list[tuple[Node, Node]] = []
    added: list[tuple[Node, Node]] = []
    for key, value in node.value:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        if key.tag != _MERGE or not all(isinstance(source, MappingNode) for source in sources):
            pairs.append((key, value))
        else:
            added += [pair for source in sources for pair in _merged(source)]
    names = {key.value for key, _ in pairs}
    for key, value in added:
        if key.value not in names:
            names.add(key.value)
            pairs.append((key, value))
    return pairs
