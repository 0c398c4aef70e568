"""JSON with slots: what many pods share is encoded once, what is one pod's own is filled in.

A list with one slot for a value and one for further elements:

    template = JsonTemplate([{"name": "CONFIG", "value": slot("config")}, more("more")])
    template.fill({b"config": b'"e30="', b"more": elements([{"name": "REGION", "value": "eu"}])})
"""

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw
from pybase64 import b64encode

_encode = msgspec.json.Encoder().encode
# Bytes that JSON never holds as such: in its texts they are escaped.
_SLOT = re.compile(rb"(?:\x00|,\x01)(\w+)\x02")


def slot(name: str) -> Raw:
    """Return what stands for one value."""
    return Raw(b"\x00%b\x02" % name.encode())


def more(name: str) -> Raw:
    """Return what stands for any number of further elements, at the end of a list that has one."""
    return Raw(b"\x01%b\x02" % name.encode())


def elements(items: Sequence[object]) -> bytes:
    """Return the JSON that fills a `more`."""
    return b"," + _encode(items)[1:-1] if items else b""


def base64_text(raw: bytes) -> bytes:
    """Return the JSON text that holds these bytes in base64."""
    return b'"%b"' % b64encode(raw)


class JsonTemplate:
    """A JSON text with named slots."""

    __slots__ = ("_format",)

    def __init__(self, value: object) -> None:
        """Encode a value that holds slots."""
        self._format = _SLOT.sub(rb"%(\1)b", _encode(value).replace(b"%", b"%%"))

    def fill(self, parts: Mapping[bytes, bytes]) -> bytes:
        """Return the text with each slot filled by the JSON of its name; names without a slot are passed over."""
        return self._format % parts
