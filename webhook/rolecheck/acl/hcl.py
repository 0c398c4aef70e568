"""Policy text to items: the dialect Vault and OpenBao read policies in, HCL version 1 or JSON of the same shape.

Nothing here knows what a policy means; policy.py does. The library pyhcl reads this version, JSON and quoted keys too. But it keeps
only the last of two blocks for one path, and so loses rules; that is why this reader exists. The work grows with the length of the
text, and PolicySyntaxError is the only error, whatever the text.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

DEPTH_MAX = 60  # of nested objects and lists, in both forms; a policy needs four
_DIGITS_MAX = 19  # of a whole number: the server keeps them in 64 bits and refuses longer ones

_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*|//[^\n]*|/\*(?s:.*?)\*/)*")
_IDENT = re.compile(r"[^\W\d][\w.-]*")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?![\w.])")
_HEREDOC = re.compile(r"<<(-?)([^\W][\w.-]*)[ \t]*\r?\n")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_PLAIN = re.compile(r"[^\"\\\n$]+")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_UNICODE_MAX = 0x10FFFF
_SHOWN = 60  # characters of a text in a message


class PolicySyntaxError(ValueError):
    """The text is no policy; says where."""


class Item(NamedTuple):
    """One `key = value`, or `key "label" { ... }`."""

    keys: tuple[str, ...]  # one at least
    value: Any  # a text, number, boolean or None; a list of such; or an Items


class Items(tuple[Item, ...]):
    """The members of an object in their order; a key may occur more than once."""

    __slots__ = ()


class _Word(NamedTuple):
    """A token: its kind is `{ } [ ] = ,`, `ident`, `text`, `value`, or `end`."""

    kind: str
    value: Any
    position: int


def parse(text: str) -> Items:
    """Return the items of a policy text, JSON where its first character is a brace.

    Raises:
        PolicySyntaxError: the text is neither.
    """
    if text.lstrip().startswith("{"):
        return _json(text)
    reader = _Reader(text)
    items = reader.items("end", 0)
    return Items(items)


class _Reader:
    """A recursive descent over the words of one text, one word ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = _words(text)
        self._next = next(self._words)

    def items(self, end: str, depth: int) -> list[Item]:
        """Read items up to the end mark, and the mark; commas between them are allowed."""
        items = []
        while self._next.kind != end:
            items.append(self._item(depth))
            if self._next.kind == ",":
                self._take()
        if end != "end":
            self._take()
        return items

    def _item(self, depth: int) -> Item:
        keys = []
        while self._next.kind in ("ident", "text"):
            keys.append(self._take().value)
        mark = self._next.kind
        if not keys or mark not in ("=", "{") or (mark == "=" and len(keys) > 1):
            raise self._unexpected("`key = value` or `key { ... }`")
        if mark == "=":
            self._take()
        return Item(tuple(keys), self._value(depth + 1))

    def _value(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise PolicySyntaxError(f"nested deeper than {DEPTH_MAX}")
        word = self._next
        if word.kind in ("text", "value"):
            return self._take().value
        if word.kind == "{":
            self._take()
            return Items(self.items("}", depth))
        if word.kind == "[":
            self._take()
            return self._list(depth)
        raise self._unexpected("a value")

    def _list(self, depth: int) -> list[Any]:
        values = []
        wants_comma = False
        while self._next.kind != "]":
            if self._next.kind == ",":
                self._take()  # one too many is none too many, to the server
                wants_comma = False
            elif wants_comma:
                raise self._unexpected("a comma or `]`")
            else:
                values.append(self._value(depth + 1))
                wants_comma = True
        self._take()
        return values

    def _take(self) -> _Word:
        word = self._next
        self._next = next(self._words)
        return word

    def _unexpected(self, wanted: str) -> PolicySyntaxError:
        return _error(self._text, self._next.position, f"want {wanted}")


def _words(text: str) -> Iterator[_Word]:
    """Yield the words of the text, the last of them for ever."""
    position = 0
    while True:
        position = _after_space(text, position)
        if position >= len(text):
            yield _Word("end", None, position)
            continue
        word, position = _word(text, position)
        yield word


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    position = space.end() if space else position
    if text.startswith("/*", position):
        raise _error(text, position, "this comment never ends")
    return position


def _word(text: str, position: int) -> tuple[_Word, int]:
    """Return the word that begins here, and where it ends."""
    char = text[position]
    if char in "{}[]=,":
        return _Word(char, None, position), position + 1
    if char == '"':
        value, end = _quoted(text, position)
        return _Word("text", value, position), end
    if heredoc := _HEREDOC.match(text, position):
        value, end = _heredoc(text, heredoc)
        return _Word("value", value, position), end
    if number := _NUMBER.match(text, position):
        found = _number(number[0])
        if found is None:
            raise _error(text, position, "this number is too large")
        return _Word("value", found, position), number.end()
    if ident := _IDENT.match(text, position):
        if ident[0] in ("true", "false"):
            return _Word("value", ident[0] == "true", position), ident.end()
        return _Word("ident", ident[0], position), ident.end()
    raise _error(text, position, "this character has no meaning here")


def _number(text: str) -> int | float | None:
    """Return the number; None where it is a whole one with too many digits."""
    digits = text.lstrip("-")
    is_hexadecimal = digits[:2] in ("0x", "0X")
    if not is_hexadecimal and not digits.isdigit():
        return float(text)
    if len(digits) > _DIGITS_MAX:
        return None
    is_octal = digits.startswith("0") and not digits.strip("01234567")
    return int(text, 16 if is_hexadecimal else 8 if is_octal else 10)


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Read a text in quotes; inside `${ }` everything is taken as it is, quotes and line ends included."""
    parts: list[str] = []
    position = start + 1
    while position < len(text):
        if plain := _PLAIN.match(text, position):
            parts.append(plain[0])
            position = plain.end()
        elif text[position] == '"':
            return "".join(parts), position + 1
        elif text[position] == "\\":
            char, position = _escape(text, position)
            parts.append(char)
        elif text[position] == "$":
            end = _interpolation_end(text, position) if text.startswith("${", position) else position + 1
            parts.append(text[position:end])
            position = end
        else:
            break
    raise _error(text, start, "this text has no closing quote on its line")


def _escape(text: str, position: int) -> tuple[str, int]:
    match = _ESCAPE.match(text, position)
    if match is None:
        raise _error(text, position, "unknown escape")
    simple, octal, *hexadecimal = match.groups()
    if simple:
        return _ESCAPED[simple], match.end()
    code = int(octal, 8) if octal else int(next(filter(None, hexadecimal)), 16)
    if code > _UNICODE_MAX or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 surrogates are no characters
        raise _error(text, position, "no character has this number")
    return chr(code), match.end()


def _interpolation_end(text: str, start: int) -> int:
    depth = 0
    for position in range(start + 1, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position + 1
    raise _error(text, start, "this `${` has no end")


def _heredoc(text: str, opening: re.Match[str]) -> tuple[str, int]:
    """Read lines up to the one that is the marker alone; `<<-` takes the common indentation away."""
    marker, start = opening[2], opening.end()
    lines: list[str] = []
    while start <= len(text):
        end = text.find("\n", start) + 1 or len(text) + 1
        line = text[start:end]
        if line.lstrip(" \t").removesuffix("\n").removesuffix("\r") == marker:
            return _unindented(lines) if opening[1] else "".join(lines), start + len(line.removesuffix("\n"))
        lines.append(line)
        start = end
    raise _error(text, opening.start(), f"no line is {marker[:_SHOWN]} alone")


def _unindented(lines: Sequence[str]) -> str:
    width = min((len(line) - len(line.lstrip(" \t")) for line in lines), default=0)
    return "".join(line[width:] for line in lines)


def _error(text: str, position: int, problem: str) -> PolicySyntaxError:
    line = text.count("\n", 0, position) + 1
    return PolicySyntaxError(f"line {line}: {problem}")


def _json(text: str) -> Items:
    """Read the JSON form; duplicate keys are kept and what follows the object is ignored, as the server does both."""
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: Items(Item((key,), value) for key, value in pairs), parse_int=_json_number
    )
    try:
        document, _ = decoder.raw_decode(text.lstrip())
    except (ValueError, RecursionError) as error:
        raise PolicySyntaxError(f"no JSON: {error}") from error
    _check_depth(document)
    return Items(_labelled(document))


def _json_number(text: str) -> int:
    if len(text) > _DIGITS_MAX + 1:
        raise ValueError("a number is too large")
    return int(text)


def _check_depth(document: Items) -> None:
    level: list[Any] = [document]
    for _ in range(DEPTH_MAX):
        level = [inner for value in level for inner in _inner(value)]
        if not level:
            return
    raise PolicySyntaxError(f"nested deeper than {DEPTH_MAX}")


def _inner(value: Any) -> Iterable[Any]:
    """Return the objects and lists right inside an object or a list."""
    members = (item.value for item in value) if isinstance(value, Items) else value
    return (member for member in members if isinstance(member, (Items, list)))


def _labelled(document: Items) -> Iterator[Item]:
    """Yield the items with the labels of blocks among their keys, as the other form has them."""
    for item in document:
        blocks = item.value if isinstance(item.value, list) else [item.value]
        for block in blocks:
            if isinstance(block, Items):
                yield from (Item((*item.keys, *inner.keys), inner.value) for inner in block)
            else:
                yield Item(item.keys, block)
