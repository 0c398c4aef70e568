"""Read a pod's annotations: raw texts in, one Intent out, or the refusal of the first one that does not fit.

The rows of `table.py` say how each text is read. Server defaults are read once, by the same rows, when a Reader is made.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from msgspec.structs import replace

from webhook.core import secrets, telemetry
from webhook.core.coherence import check, doubts
from webhook.core.family import FAMILIES, Family
from webhook.core.intent import Intent
from webhook.core.reasons import Reason
from webhook.core.refusal import Refused, refused, warning
from webhook.core.table import BY_KEY, OPEN, TABLE, Row
from webhook.core.texts import boolean

SWITCH = "agent-inject"
STATUS = "agent-inject-status"
WARNINGS_MAX = 10  # the API server drops what exceeds 4,096 characters in all
_SECRET_FIELDS = {row.field for row in OPEN if row.stem.startswith(("agent-inject-", "agent-template-"))} | {
    "error_on_missing_key",
    "mount_path",
    "preserve_case",
}


class Found:
    """Our annotations of one pod: a family, its keys without prefix, and what the other family's prefix holds."""

    __slots__ = ("family", "foreign", "texts")

    def __init__(self, family: Family, texts: dict[str, str], foreign: dict[str, str]) -> None:
        self.family, self.texts, self.foreign = family, texts, foreign

    @property
    def status(self) -> str | None:
        """The status annotation, None when absent."""
        return self.texts.get(STATUS)


def find(annotations: Mapping[str, str | None]) -> Found | None:
    """Return our annotations if they ask for injection, else None.

    Raises:
        Refused: `agent-inject` is no boolean, or both prefixes are used.
    """
    texts: dict[str, dict[str, str]] = {family.prefix: {} for family in FAMILIES}
    for key, value in annotations.items():
        head, slash, name = key.partition("/")
        if slash and (mine := texts.get(head + slash)) is not None:
            mine[name] = value or ""
    for family, other in (FAMILIES, FAMILIES[::-1]):
        if _wanted(family, texts[family.prefix]):
            found = Found(family, texts[family.prefix], texts[other.prefix])
            _refuse_both(found, other)
            return found
    return None


def _wanted(family: Family, texts: Mapping[str, str]) -> bool:
    raw = texts.get(SWITCH)
    if raw is None:
        return False
    try:
        return boolean(raw)
    except ValueError as error:
        raise refused(Reason.ANNOTATION_INVALID, family.prefix + SWITCH, str(error), value=raw) from error


def _refuse_both(found: Found, other: Family) -> None:
    ours = next((key for key in sorted(found.foreign) if _row_of(key)), None)
    if ours is not None:
        raise refused(
            Reason.ANNOTATION_CONFLICT,
            other.prefix + ours,
            f"the pod asks for injection under {found.family.prefix} as well",
            "Use one prefix for all annotations of a pod",
        )


class Reader:
    """Reads Intents with one set of server defaults."""

    def __init__(self, defaults: Mapping[str, str], images: Mapping[str, str]) -> None:
        """Read the defaults once.

        Args:
            defaults: annotation key without prefix to the server's text for it; others keep the table's.
            images: family prefix to the agent's default image.

        Raises:
            ValueError: a default does not fit its annotation's row; names the annotation.
        """
        fields: dict[str, Any] = {}
        for row in TABLE:
            raw = defaults.get(row.key, row.default)
            if raw is None or row.is_open or not row.field or row.key == "agent-image":
                continue
            try:
                fields[row.field] = row.read(raw)
            except ValueError as error:
                raise ValueError(f"default of {row.key} {raw!r}: {error}") from error
        self._preserve_case = fields.pop("preserve_case")
        given = frozenset(key for key, raw in defaults.items() if raw != BY_KEY[key].default)
        self._base = {
            family: Intent(family=family, by_server=given, image=images[family.prefix], **fields) for family in FAMILIES
        }

    def read(self, found: Found, *, namespace: str) -> Intent:
        """Return what the author asks for.

        Args:
            found: the pod's annotations, as `find` returned them.
            namespace: that of the admission request.

        Raises:
            Refused: an annotation does not fit, alone or beside another; the first by the table's order.
        """
        try:
            intent = self._read(found, namespace)
        except _Unfit as error:
            raise _first_refusal(found) from error
        except secrets.SecretError as error:
            key = found.family.prefix + error.stem + error.name
            raise refused(Reason.ANNOTATION_INVALID, key, str(error), value=error.value) from error
        check(intent)
        return intent

    def _read(self, found: Found, namespace: str) -> Intent:
        fields: dict[str, Any] = {"request_namespace": namespace}
        by_secret: dict[str, dict[str, Any]] = {}
        by_param: dict[str, dict[str, str]] = {}
        unknown: list[str] = []
        for key, raw in found.texts.items():
            row = BY_KEY.get(key)
            if row is not None:
                if row.field and (raw or not row.empty_unsets):
                    fields[row.field] = _value(row, raw)
                continue
            row = _open_row(key)
            if row is None:
                unknown.append(key)
            elif row.field in _SECRET_FIELDS:
                if raw or not row.empty_unsets:
                    by_secret.setdefault(key[len(row.stem) :], {})[row.field] = _value(row, raw)
            else:
                by_param.setdefault(row.field, {})[key[len(row.stem) :]] = raw
        base = self._base[found.family]
        preserve_case = fields.pop("preserve_case", self._preserve_case)
        if by_secret:
            secrets.disambiguate(by_secret)
            volume_path = fields.get("secret_volume_path", base.secret_volume_path)
            fields["secrets"] = tuple(secrets.requests(by_secret, volume_path=volume_path, preserve_case=preserve_case))
        for field, params in by_param.items():
            fields[field] = _members(field, params)
        fields["in_pod"] = found.texts.keys()
        intent = replace(base, **fields)
        remarks = _remarks(found, unknown, by_secret, by_param) + doubts(intent)
        return replace(intent, warnings=tuple(remarks[:WARNINGS_MAX])) if remarks else intent


class _Unfit(ValueError):
    """A text its row does not read; `_first_refusal` words the refusal."""


def _value(row: Row, raw: str) -> Any:  # noqa: ANN401 the type is the row's
    try:
        return row.read(raw)
    except ValueError as error:
        raise _Unfit(row.key) from error


def _first_refusal(found: Found) -> Refused:
    """Word the refusal of the first annotation, by the table's order and then by key, that its row does not read."""
    order = {row.key: position for position, row in enumerate(TABLE)}
    rows = ((row, key) for key in found.texts if (row := _row_of(key)))
    for row, key in sorted(rows, key=lambda pair: (order[pair[0].key], pair[1])):
        raw = found.texts[key]
        try:
            if raw or not row.empty_unsets:
                telemetry.member(_underscored(key[len(row.stem) :]), raw) if row.field == "telemetry" else row.read(raw)
        except ValueError as error:
            return refused(
                Reason.ANNOTATION_INVALID, found.family.prefix + key, str(error), value=raw, secret=row.masked
            )
    raise AssertionError("no annotation is unfit")  # we are here because one was


def _row_of(key: str) -> Row | None:
    return BY_KEY.get(key) or _open_row(key)


def _open_row(key: str) -> Row | None:
    for row in OPEN:
        if key.startswith(row.stem) and len(key) > len(row.stem):
            return row
    return None


def _underscored(param: str) -> str:
    return param.replace("-", "_")


def _members(field: str, params: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a stanza's members by their real names; the form with underscores wins over one with dashes."""
    ordered = sorted(params, key=lambda param: (param == _underscored(param), param))
    if field != "telemetry":
        return {_underscored(param): params[param] for param in ordered}
    try:
        names = {param: _underscored(param).lower() for param in ordered}
        return telemetry.stanza({names[param]: telemetry.member(names[param], params[param]) for param in ordered})
    except ValueError as error:
        raise _Unfit(field) from error


def _remarks(
    found: Found,
    unknown: list[str],
    by_secret: Mapping[str, Mapping[str, Any]],
    by_param: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Return what is worth a warning: keys and parameters we do not know, orphans, doubtful values."""
    prefix = found.family.prefix
    remarks = [warning(prefix + key, _unknown(prefix, key)) for key in sorted(unknown)[:WARNINGS_MAX]]
    for name, fields in by_secret.items():
        if not secrets.declared(fields):
            problem = (
                f"no secret of this name is declared; add {prefix}agent-inject-secret-{name}, or check its spelling"
            )
            remarks.append(warning(f"{prefix}...-{name}", problem))
    for field, params in by_param.items():
        names = [_underscored(param) for param in params]
        stem = "agent-telemetry-" if field == "telemetry" else "auth-config-"
        for name in sorted({name for name in names if names.count(name) > 1}):
            remarks.append(warning(f"{prefix}{stem}{name}", "given with dashes too; the form with underscores counts"))
        if field == "telemetry":
            remarks.extend(
                warning(prefix + stem + name, "no telemetry setting we know of; passed on")
                for name in names
                if not telemetry.is_known(name.lower())
            )
    for key, raw in found.texts.items():
        row = BY_KEY.get(key)
        if row is not None and (doubt := row.doubt(raw)):
            remarks.append(warning(f"{prefix}{key}", doubt))
    return remarks


def _unknown(prefix: str, key: str) -> str:
    stems = [*BY_KEY, *(row.stem for row in OPEN)]
    close = get_close_matches(key[:63], stems, n=1, cutoff=0.8)
    if not close:
        # <name> is free: compare only as much of the key as the stem is long
        close = [row.stem for row in OPEN if get_close_matches(key[: len(row.stem)], [row.stem], cutoff=0.9)]
    if not close:
        return "no annotation of this injector; ignored"
    rest = "<name>" if close[0].endswith("-") else ""
    return f"unknown and ignored; did you mean {prefix}{close[0]}{rest}?"
