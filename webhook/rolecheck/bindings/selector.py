"""The namespace selector of a role: JSON or YAML text in, the labels it demands out, or why the server fails on it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

ParseYaml = Callable[[bytes], Iterator[object]]  # every document of a YAML text; raises ValueError

_KEY_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_KEY_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_KEY_PREFIX_LENGTH = 253  # RFC 1123, as Kubernetes checks label keys
# Brackets in a text that is no JSON. Those of a usable selector are two at most; what is nested takes the YAML reader time that grows
# with the square of the depth.
_BRACKETS_MAX = 64


@dataclass(frozen=True, slots=True)
class Selector:
    """What the server makes of the text."""

    labels: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""  # why no login can pass it; the text itself is never repeated

    @property
    def everything(self) -> bool:
        """Tell whether every namespace passes: a usable selector without labels."""
        return not self.failure and not self.labels

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a namespace with these labels passes."""
        return not self.failure and all(labels.get(key) == value for key, value in self.labels.items())


def parse(text: str, parse_yaml: ParseYaml) -> Selector:
    """Return the selector; never raises. Members other than the two of a label selector are ignored, as Vault does."""
    try:
        document, text_of = _document(text, parse_yaml)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return Selector(failure="it does not parse")
    if document is None:
        return Selector()
    if not isinstance(document, dict):
        return Selector(failure="it is no object")
    return _selector(document, text_of)


TextOf = Callable[[object], str | None]  # a label value as text; None for what is none


def _document(text: str, parse_yaml: ParseYaml) -> tuple[object, TextOf]:
    raw = text.encode(errors="replace")
    try:
        return msgspec.json.decode(raw), _json_text
    except msgspec.DecodeError as error:
        if raw.count(b"[") + raw.count(b"{") > _BRACKETS_MAX:
            raise ValueError("nested too deep") from error
        return next(parse_yaml(raw), None), _yaml_text


def _selector(document: Mapping[object, object], text_of: TextOf) -> Selector:
    members = {str(name).lower(): value for name, value in document.items()}
    if members.get("matchexpressions") is not None:
        return Selector(failure="matchExpressions are not supported")
    wanted = members.get("matchlabels")
    if wanted is None:
        return Selector()
    if not isinstance(wanted, dict):
        return Selector(failure="matchLabels is no object")
    labels = {str(key): text_of(value) for key, value in wanted.items()}
    if any(not _is_key(key) or not _is_value(value) for key, value in labels.items()):
        return Selector(failure="matchLabels holds an illegal key or value")
    return Selector(labels={key: value for key, value in labels.items() if value is not None})


def _json_text(value: object) -> str | None:
    if value is None:
        return ""
    return value if isinstance(value, str) else None


def _yaml_text(value: object) -> str | None:
    """Return a label value as the server's YAML reader does: booleans and numbers as their texts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else str(int(value))
    return str(value) if isinstance(value, (str, int)) else None


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= _KEY_PREFIX_LENGTH and _KEY_PREFIX.fullmatch(prefix)):
        return False
    return bool(_KEY_NAME.fullmatch(name))


def _is_value(value: str | None) -> bool:
    return value is not None and (value == "" or bool(_KEY_NAME.fullmatch(value)))
