"""YAML 1.2 text to plain values: duplicate keys refused, alias bombs bounded, times left as text.

The one place that imports the YAML library; core is handed `documents`.
"""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from webhook.rolecheck.bindings.vault_values import clean

NODES_MAX = 5_000_000  # of one document with every alias written out; about 250,000 roles


class YamlTextError(ValueError):
    """The text is no YAML we take; says where."""


class _Constructor(SafeConstructor):
    """Leaves times as they are written: YAML 1.2 has no type for them."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def documents(text: bytes) -> Iterator[object]:
    """Yield the documents of the text one by one, as dicts, lists, texts, numbers, booleans and None.

    Raises:
        YamlTextError: no UTF-8, no YAML, a duplicate key, an unknown tag, nested too deep, or too large written out.
    """
    try:
        yield from _documents(text.decode())
    except MarkedYAMLError as error:
        raise YamlTextError(_where(error)) from error
    except YamlTextError:
        raise
    except RecursionError as error:
        raise YamlTextError("nested too deep") from error
    except Exception as error:  # on odd texts the library raises ValueError, IndexError and others
        raise YamlTextError(clean(error, 120)) from error


def _documents(text: str) -> Iterator[object]:
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Constructor
    constructor, parser = reader.get_constructor_parser(text)
    try:
        while constructor.composer.check_node():
            node = constructor.composer.get_node()
            if _size(node, {}) > NODES_MAX:
                raise YamlTextError(f"more than {NODES_MAX} values once every alias is written out")
            yield constructor.construct_document(node)
    finally:
        parser.dispose()


def _size(node: Node, known: dict[int, int]) -> int:
    """Return how many nodes the tree holds when shared ones are counted each time they occur."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = NODES_MAX + 1  # an alias to its own parent never ends
    size = 1 + sum(_size(child, known) for child in _children(node))
    known[id(node)] = size
    return size


def _children(node: Node) -> Iterator[Any]:
    if isinstance(node, SequenceNode):
        yield from node.value
    elif isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair


def _where(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}: " if mark is not None else ""
    return clean(f"{place}{error.problem or error.context or 'no YAML'}", 120)


def line_of(text: bytes, place: str) -> int | None:
    """Return the line, from 1, of a place such as `auth[0].roles.web.audience`; None where it cannot be told.

    Of a place that is not there, the line of the last step that is.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text.decode())
    except Exception:  # noqa: BLE001 the text is broken elsewhere, and that is told already
        return None
    line, rest = None, place
    while node is not None and rest:
        step = _step(node, rest)
        if step is None:
            break
        line, node, rest = step
    return line


def _step(node: Node, place: str) -> tuple[int, Node, str] | None:
    """Return line and node of the first step of a place, and the steps behind it; a key may hold dots."""
    if isinstance(node, SequenceNode):
        index, bracket, rest = place.removeprefix("[").partition("]")
        if not bracket or not index.isdecimal() or int(index) >= len(node.value):
            return None
        item = node.value[int(index)]
        return item.start_mark.line + 1, item, rest.removeprefix(".")
    if isinstance(node, MappingNode):
        for key, value in sorted(node.value, key=lambda pair: -len(str(pair[0].value))):
            rest = place.removeprefix(str(key.value))
            if rest != place and (not rest or rest[0] in ".["):
                return key.start_mark.line + 1, value, rest.removeprefix(".")
    return None
