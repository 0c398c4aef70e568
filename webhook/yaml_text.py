"""YAML 1.2 text to values that JSON can hold, in two ways behind one guard; with yaml_tree.py all that knows the library.

`documents` gives plain values; core is handed it. `kept_documents` gives values that remember comments and key order, so
that a text can be changed and written again. Both refuse, naming the line: duplicate keys, aliases that hold themselves or
grow without bound, deep nesting, numbers of absurd length, and what JSON has no word for (sets, binary, infinity, keys that
are lists). Times stay text.
"""

import codecs
import io
import json
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import MantissaNoDotYAML1_1Warning, MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import LiteralScalarString

from webhook.one_line import clean
from webhook.yaml_tree import (
    NESTING_MAX,
    NUMBER_LENGTH_MAX,
    TAG,
    TOO_DEEP,
    YamlTextError,
    check,
    short_tag,
    start_line,
    written_out,
)

__all__ = ["YamlTextError", "documents", "kept", "kept_documents", "line_of", "plain", "write"]

NODES_MAX = 5_000_000  # values of one document with every alias written out; about 250,000 roles
KEPT_NODES_MAX = 500_000  # the same where comments are kept, which takes ten times the memory; about 2,500 Deployments
warnings.simplefilter("ignore", MantissaNoDotYAML1_1Warning)  # 1e3 below `%YAML 1.1` is a number all the same
_TIME = f"{TAG}timestamp"
_LATER_MARK = re.compile(r"^(---.*\n)\ufeff", re.MULTILINE)  # of a file that was appended to another
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what PowerShell writes


def documents(text: bytes) -> Iterator[object]:
    """Yield the documents of the text one by one, as dicts, lists, texts, numbers, booleans and None.

    Raises:
        YamlTextError: no YAML, a tag that is not of YAML itself, or what the module says is refused.
    """
    with _guard():
        reader = _reader("safe", _SafeConstructor)
        for node in _nodes(reader, _decoded(text), NODES_MAX):
            yield reader.constructor.construct_document(node)


def kept_documents(text: bytes) -> list[Any]:
    """Return the documents of the text as values that remember comments, key order and style, empty ones left out.

    Aliases and merge keys are written out: no part is shared, so a change stays where it is made. JSON is taken as it is.

    Raises:
        YamlTextError: no YAML, or what the module says is refused.
    """
    with _guard():
        decoded = _decoded(text)
        with suppress(json.JSONDecodeError):
            return [value for value in [_json(decoded)] if value is not None]
        reader = _reader("rt", _KeepingConstructor)
        nodes = (written_out(node) for node in _nodes(reader, decoded, KEPT_NODES_MAX))
        kept = [reader.constructor.construct_document(node) for node in nodes]
        return [document for document in kept if document is not None]


def plain(kept: Any) -> Any:
    """Return a value of `kept_documents` as dicts, lists, texts, numbers, booleans and None; keys become texts."""
    return json.loads(json.dumps(kept, default=_untagged))


def kept(value: Any) -> Any:
    """Return a plain value as `kept_documents` would have read it, to be put among its values; long texts as blocks."""
    if isinstance(value, dict):
        return CommentedMap((key, kept(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(kept(item) for item in value)
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


def write(documents: Sequence[Any]) -> str:
    """Return values of `kept_documents` as YAML."""
    writer = _reader("rt", _KeepingConstructor)
    writer.width = 1_000_000  # no folding of lines that were whole
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump_all(documents, stream)
    return stream.getvalue()


def line_of(text: bytes, place: str) -> int | None:
    """Return the line, from 1, of a place such as `auth[0].roles.web.audience`; None where it cannot be told.

    Of a place that is not there, the line of the last step that is.
    """
    try:
        node = next(_composed(_reader("safe", _SafeConstructor), _decoded(text)), None)
    except Exception:  # noqa: BLE001 the text is broken elsewhere, and that is told already
        return None
    line, rest = None, place
    while node is not None and rest:
        step = _step(node, rest)
        if step is None:
            break
        line, node, rest = step
    return line


@contextmanager
def _guard() -> Iterator[None]:
    """Turn whatever the library raises into the one error."""
    try:
        yield
    except YamlTextError:
        raise
    except (MaxDepthExceededError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise YamlTextError(TOO_DEEP, mark and mark.line + 1) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlTextError(error.problem or error.context or "no YAML", mark and mark.line + 1) from error
    except Exception as error:  # on odd texts the library raises ValueError, IndexError and others
        raise YamlTextError(str(error)) from error


def _decoded(text: bytes) -> str:
    encoding = "utf-16" if text.startswith(_UTF_16) else "utf-8-sig"
    try:
        return _LATER_MARK.sub(r"\1", text.decode(encoding))
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise YamlTextError(f"no UTF-8: byte 0x{text[error.start]:02x}", line) from error


class _Placed:
    """Says at which line a value could not be made, where the library raises Python's own errors."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 the library's signature
        try:
            return super().construct_object(node, deep)  # type: ignore[misc] # of the class beside this one
        except (YAMLError, YamlTextError, RecursionError):
            raise
        except Exception as error:
            raise YamlTextError(f"{clean(node.value, 40)!r} is no {short_tag(node)}", start_line(node)) from error


class _SafeConstructor(_Placed, SafeConstructor):
    """Makes plain values."""


class _KeepingConstructor(_Placed, RoundTripConstructor):
    """Makes values that remember comments and style."""


class _Resolver(VersionedResolver):
    """Leaves times as they are written: YAML 1.2 has no type for them."""

    def add_version_implicit_resolver(self, version: Any, tag: Any, regexp: Any, first: Any) -> None:
        """Take every rule but that of times."""
        if tag != _TIME:
            super().add_version_implicit_resolver(version, tag, regexp, first)


def _reader(kind: str, constructor: type) -> YAML:
    reader = YAML(typ=kind, pure=True)
    reader.Constructor, reader.Resolver = constructor, _Resolver
    reader.preserve_quotes = True
    reader.max_depth = NESTING_MAX
    reader.composer.warn_double_anchors = False  # the later one counts, as YAML has it
    return reader


def _composed(reader: YAML, text: str) -> Iterator[Node]:
    """Yield the tree of each document; no values are made yet."""
    try:
        yield from reader.compose_all(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlTextError(f"character U+{ord(text[error.position]):04X} may not stand in YAML", line) from error


def _nodes(reader: YAML, text: str, most: int) -> Iterator[Node]:
    """Yield the trees that may become values: all checks that need no values are made."""
    for node in _composed(reader, text):
        check(node, most)
        yield node


def _json(text: str) -> Any:
    """Return the value of a JSON text, as quick to read as YAML is slow.

    Raises:
        JSONDecodeError: it is none, or has a key twice; as YAML it may be read, or its line be told.
        YamlTextError: as the module says.
    """
    if not text.lstrip().startswith(("{", "[")):
        raise json.JSONDecodeError("no JSON", text, 0)
    value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_number, parse_float=_number, parse_int=_number)
    _check_depth(value, NESTING_MAX)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise YamlTextError("half of a surrogate pair, which is no character") from error
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise json.JSONDecodeError("a key twice", "", 0)
    return made


def _number(text: str) -> int | float:
    if len(text) > NUMBER_LENGTH_MAX or not math.isfinite(float(text)):
        raise YamlTextError(f"{clean(text, 40)} is beyond the numbers of JSON")
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise YamlTextError(TOO_DEEP)
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, left - 1)


def _untagged(value: Any) -> str:
    """Return the text of a scalar with a tag of its author's own, which kubectl passes over."""
    if isinstance(value, TaggedScalar):
        return str(value.value)
    raise TypeError(f"{type(value).__name__} is no JSON")


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
