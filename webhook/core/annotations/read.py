"""Read a pod's annotations: strings in, one Intent out, or a refusal that names the first invalid one.

The rows of `table.py` say how each value is parsed. Server defaults are parsed once, by the same rows, when a Reader is made.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from webhook.core.annotations import secret_paths, secrets, telemetry
from webhook.core.annotations.combinations import check, doubts
from webhook.core.annotations.family import FAMILIES, STATUS, SWITCH, Family
from webhook.core.annotations.go_values import boolean
from webhook.core.annotations.intent import Intent, SharedIntent
from webhook.core.annotations.key_warnings import doubtful_params, orphans, underscored, unknown_keys, written_paths
from webhook.core.annotations.table import BY_KEY, TABLE, AnnotationRow, open_row, row_of, secret_row
from webhook.core.refusal import Refused, refused, warning
from webhook.reasons import Reason

_SWITCHES = (SWITCH, STATUS)
ROLE = "role"
PATCHES = ("agent-json-patch", "agent-init-json-patch")
ANNOTATIONS_MAX = 262_144  # bytes of all annotations of an object, prefixes included: the API server's own limit
SHARED_MAX = 64  # kept of those asked for last; a cluster has few
SHARED_TEXT_MAX = 4_096  # characters of annotations; more is read anew for each pod


class Found:
    """Our annotations of one pod: a family, and its keys without prefix."""

    __slots__ = ("family", "texts")

    def __init__(self, family: Family, texts: dict[str, str]) -> None:
        self.family, self.texts = family, texts

    @property
    def status(self) -> str | None:
        """The status annotation, None when absent."""
        return self.texts.get(STATUS)


def find(annotations: Mapping[str, str | None]) -> Found | None:
    """Return our annotations if they ask for injection, else None.

    Raises:
        Refused: `agent-inject` is no boolean, or several prefixes are used.
    """
    texts: dict[str, dict[str, str]] = {family.prefix: {} for family in FAMILIES}
    for key, value in annotations.items():
        slash = key.find("/") + 1
        if (mine := texts.get(key[:slash])) is not None:
            mine[key[slash:]] = value or ""
    family = next((family for family in FAMILIES if _wanted(family, texts[family.prefix])), None)
    if family is None:
        return None
    mine = texts.pop(family.prefix)
    if family.read_as and (status := texts[family.read_as].pop(STATUS, None)) is not None:
        mine[STATUS] = status  # written by ourselves, an earlier time
    _refuse_others(family, texts)
    patches = sum(len(mine.get(key, "")) for key in PATCHES)  # weighed when they are applied
    if sum(len(key) + len(value or "") for key, value in annotations.items()) - patches > ANNOTATIONS_MAX:
        raise refused(
            Reason.ANNOTATION_INVALID,
            family.prefix + SWITCH,
            f"the pod has more than {ANNOTATIONS_MAX} bytes of annotations, which the API server refuses too",
            "Shorten them; templates may come from a ConfigMap, see agent-configmap",
        )
    return Found(family, mine)


def _wanted(family: Family, texts: Mapping[str, str]) -> bool:
    raw = texts.get(SWITCH)
    if raw is None:
        return False
    try:
        return boolean(raw)
    except ValueError as error:
        raise refused(Reason.ANNOTATION_INVALID, family.prefix + SWITCH, str(error), value=raw) from error


def _refuse_others(family: Family, others: Mapping[str, Mapping[str, str]]) -> None:
    for prefix, texts in others.items():
        ours = min((key for key in texts if row_of(key)), default=None)
        if ours is not None:
            raise refused(
                Reason.ANNOTATION_CONFLICT,
                prefix + ours,
                f"the pod asks for injection under {family.prefix} as well",
                f"Use one prefix for all annotations of a pod, {family.own_prefix}",
            )


class Reader:
    """Reads Intents with one set of server defaults."""

    def __init__(self, defaults: Mapping[str, str], images: Mapping[str, str]) -> None:
        """Read the defaults once.

        Args:
            defaults: annotation key without prefix to the server's text for it; others keep the table's.
            images: prefix to use, of each family, to the agent's default image.

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
        fields["by_server"] = frozenset(key for key, raw in defaults.items() if raw != BY_KEY[key].default)
        self._fields = {
            family.prefix: {
                **fields,
                "family": family,
                "image": images[family.own_prefix],
                "warnings": _former_prefix(family),
            }
            for family in FAMILIES
        }
        self._usual = {prefix: SharedIntent(Intent(**own)) for prefix, own in self._fields.items()}
        self._kept = lru_cache(SHARED_MAX)(self._read_shared)

    def usual(self, family: Family) -> Intent:
        """Return what a pod gets that has no annotation but the switch."""
        return self._usual[family.prefix].intent

    def read(self, found: Found) -> Intent:
        """Return what the author asks for.

        Args:
            found: the pod's annotations, as `find` returned them.

        Raises:
            Refused: an annotation is invalid, or contradicts another. Of several invalid ones, the first in the table's order.
        """
        try:
            intent = self._read(found)
        except _UnfitError as error:
            raise _first_refusal(found) from error
        except secrets.SecretError as error:
            key = found.family.prefix + error.stem + error.name
            raise refused(Reason.ANNOTATION_INVALID, key, str(error), value=error.value) from error
        check(intent)
        return intent

    def _read(self, found: Found) -> Intent:
        role = ""
        shared_texts: list[tuple[str, str]] = []
        by_secret: dict[str, dict[str, Any]] = {}
        for key, raw in found.texts.items():
            if key in _SWITCHES:
                continue
            if key == ROLE:
                role = raw
            elif (completed := secret_row(key)) is None:
                shared_texts.append((key, raw))
            elif raw or not completed[0].empty_unsets:
                row, name = completed
                by_secret.setdefault(name, {})[row.field] = _value(row, raw)
        shared = self._shared_of(found.family.prefix, tuple(shared_texts))
        base = shared.intent
        if not by_secret:
            return replace(base, shared=shared, texts=found.texts, role=role)
        secrets.disambiguate(by_secret)
        requests = secrets.requests(by_secret, volume_path=base.secret_volume_path, preserve_case=base.preserve_case)
        intent = replace(base, shared=shared, texts=found.texts, role=role, secrets=tuple(requests))
        remarks = [*secret_paths.warnings(intent), *written_paths(found.family, intent.secrets)]
        if len(intent.secrets) < len(by_secret):  # some are not declared
            remarks += orphans(found.family, by_secret, inject_token=base.inject_token)
        return replace(intent, warnings=tuple(sorted({*base.warnings, *remarks}))) if remarks else intent

    def _shared_of(self, prefix: str, shared_texts: tuple[tuple[str, str], ...]) -> SharedIntent:
        if not shared_texts:
            return self._usual[prefix]
        is_light = sum(len(key) + len(raw) for key, raw in shared_texts) <= SHARED_TEXT_MAX
        return self._kept(prefix, shared_texts) if is_light else self._read_shared(prefix, shared_texts)

    def _read_shared(self, prefix: str, shared_texts: tuple[tuple[str, str], ...]) -> SharedIntent:
        """Read all annotations but the role and those of secrets."""
        fields = {**self._fields[prefix], "texts": dict(shared_texts)}
        family: Family = fields["family"]
        by_param: dict[str, dict[str, str]] = {}
        remarks: list[str] = [*fields["warnings"]]
        unknown: list[str] = []
        for key, raw in shared_texts:
            row = BY_KEY.get(key)
            if row is not None:
                if row.field and (raw or not row.empty_unsets):
                    fields[row.field] = _value(row, raw)
                    if row.doubt and (doubt := row.doubt(raw)):
                        remarks.append(warning(family.prefix + key, doubt))
            elif (completed := open_row(key)) is None:
                unknown.append(key)
            else:
                by_param.setdefault(completed[0].field, {})[completed[1]] = raw
        for field, params in by_param.items():
            fields[field] = _members(field, params)
            remarks += doubtful_params(family, field, params)
        remarks += unknown_keys(family, unknown)
        intent = Intent(**fields)
        remarks += [*doubts(intent), *secret_paths.warnings(intent)]
        return SharedIntent(replace(intent, warnings=tuple(sorted(remarks))))


def _former_prefix(family: Family) -> tuple[str, ...]:
    if not family.read_as:
        return ()
    return (warning(family.prefix + SWITCH, f"read as {family.read_as}{SWITCH}; write that prefix in all annotations"),)


class _UnfitError(ValueError):
    """A value its row does not accept; `_first_refusal` writes the refusal."""


def _value(row: AnnotationRow, raw: str) -> Any:
    try:
        return row.read(raw)
    except ValueError as error:
        raise _UnfitError(row.key) from error


def _first_refusal(found: Found) -> Refused:
    """Return the refusal for the first invalid annotation, in the table's order and then by key."""
    order = {row.key: position for position, row in enumerate(TABLE)}
    rows = ((row, key) for key in found.texts if (row := row_of(key)))
    for row, key in sorted(rows, key=lambda pair: (order[pair[0].key], pair[1])):
        raw = found.texts[key]
        try:
            if row.field == "telemetry":
                telemetry.member(underscored(key[len(row.stem) :]).lower(), raw)
            elif raw or not row.empty_unsets:
                row.read(raw)
        except ValueError as error:
            return refused(
                Reason.ANNOTATION_INVALID, found.family.prefix + key, str(error), value=raw, secret=row.masked
            )
    raise AssertionError("no annotation is unfit")  # we are here because one was


def _members(field: str, params: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a stanza's members by their real names; the spelling with underscores wins over one with dashes."""
    ordered = sorted(params, key=lambda param: (param == underscored(param), param))
    if field != "telemetry":
        return {underscored(param): params[param] for param in ordered}
    try:
        names = {param: underscored(param).lower() for param in ordered}
        return telemetry.stanza({names[param]: telemetry.member(names[param], params[param]) for param in ordered})
    except ValueError as error:
        raise _UnfitError(field) from error
