"""Reference pages made from the tables that the code runs on: annotations, settings, reasons."""

from collections.abc import Iterable, Sequence

from webhook.core.annotations.family import OPENBAO, VAULT
from webhook.core.annotations.presets import BASELINE, STRICT
from webhook.core.annotations.table import TABLE, AnnotationRow, Section
from webhook.reasons import CATALOGUE
from webhook.rolecheck.wording import general
from webhook.settings.rows import PREFIX, ROWS, SettingRow
from webhook.sources.agent import FIELDS

_GENERATED = "<!-- Made by `vault-webhook {command}`; edit the table in the code instead. -->"


def annotations() -> str:
    """Return docs/annotations.md."""
    keys = (
        f"Keys are written without their prefix: `role` is `{VAULT.prefix}role`, or `{OPENBAO.prefix}role`. One prefix"
        " serves a pod; both in one pod are refused. `<name>` is the name of a secret, `<param>` a parameter of the auth"
        " method or of telemetry. A value that does not fit is refused, with the annotation named; a key that is not"
        " known is ignored, with a warning."
    )
    booleans = "Booleans are `true` or `false` (also `1 t T TRUE True`, `0 f F FALSE False` and empty for false)."
    parts = ["# Annotations", _GENERATED.format(command="annotations --markdown"), keys, booleans]
    for section in Section:
        rows = [row for row in TABLE if row.section is section]
        parts += [
            f"## {section}",
            _table(("Annotation", "Default", "Setting", "Effect"), map(_annotation_cells, rows)),
        ]
    return "\n\n".join(parts) + "\n"


def annotation_list() -> str:
    """Return one line for each annotation."""
    width = max(len(row.key) for row in TABLE)
    return "".join(f"{row.key:<{width}}  {row.effect.replace('`', '')}\n" for row in TABLE)


def annotation(key: str) -> str:
    """Explain one annotation.

    Raises:
        KeyError: there is none of that key; with or without prefix, a secret's with <name> or a name.
    """
    bare = key.removeprefix(VAULT.prefix).removeprefix(OPENBAO.prefix)
    row = next((row for row in TABLE if row.key == bare), None) or next(
        (row for row in TABLE if row.is_open and bare.startswith(row.stem)), None
    )
    if row is None:
        raise KeyError(f"{key!r} is no annotation; `vault-webhook annotations` lists them")
    setting = _setting_of(row)
    lines = [f"{VAULT.prefix}{row.key}", f"  {row.effect.replace('`', '')}", f"  default: {_default(row) or 'absent'}"]
    if setting:
        lines.append(f"  setting: {PREFIX}{setting.variable}, --{setting.option}")
    if row.empty_unsets:
        lines.append("  an empty value counts as absent")
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Return docs/settings.md."""
    rule = (
        "A flag beats a variable; a variable that is empty is unset; a flag that is empty clears. Everything is checked at"
        " start, and a value that does not fit stops the process with one line that names it."
    )
    header = ("Flag", "Variable", "Default", "Annotation", "Effect")
    table = _table(header, map(_setting_cells, ROWS))
    return "\n\n".join(["# Settings of the server", _GENERATED.format(command="settings"), rule, table]) + "\n"


def reasons() -> str:
    """Return docs/reasons.md."""
    rule = (
        "The code stands at the end of every refusal, and is the same in the answer, the log and the metric. A code"
        " without status only ever warns. After a repair, the controller of a Deployment or a Job tries again by itself,"
        " but waits longer each time, up to 17 minutes; `kubectl rollout restart` makes it try at once."
    )
    rows = (
        (f"`{code}`", str(entry.status or ""), entry.cause, general(code, FIELDS)) for code, entry in CATALOGUE.items()
    )
    table = _table(("Code", "Status", "Cause", "Remedy"), rows)
    return "\n\n".join(["# Reason codes", _GENERATED.format(command="reasons"), rule, table]) + "\n"


def presets() -> str:
    """Return docs/presets.md."""
    rule = (
        "`compat` allows what the reference injector allows. `baseline` forbids what would send tokens or secrets elsewhere or"
        " give the agent more rights. `strict` allows a short list and nothing else. A value that is the operator's own, or a"
        " `false` that changes nothing, passes everywhere. A refusal has the reason `PolicyForbids`;"
        " `AGENT_INJECT_PRESET_MODE=warn` makes it a warning, `AGENT_INJECT_PRESET_ALLOW` opens single annotations by name."
    )
    bounds = (
        "`baseline` and `strict` also bound the number of secrets, the size of a template and of all annotations"
        " (`AGENT_INJECT_MAX_SECRETS`, `_MAX_TEMPLATE_BYTES`, `_MAX_ANNOTATION_BYTES`); `strict` bounds resources"
        " (`_MAX_CPU`, `_MAX_MEMORY`) and wants a secret's own path below the common one."
    )
    table = _table(("Annotation", "compat", "baseline", "strict"), (_preset_cells(row) for row in TABLE))
    return "\n\n".join(["# Presets", _GENERATED.format(command="presets"), rule, bounds, table]) + "\n"


def _preset_cells(row: AnnotationRow) -> Sequence[str]:
    """Return what each preset says of an annotation, or of a parameter with a rule of its own."""
    forbidden = BASELINE.get(row.key)
    if row.stem == "auth-config-":
        return (f"`{row.key}`", "yes", "yes, but `auth-config-token-path`", "only `auth-config-role`")
    baseline = f"no: {forbidden[1]}" if forbidden else "yes"
    return (f"`{row.key}`", "yes", baseline, "yes" if row.stem in STRICT else "no")


def _annotation_cells(row: AnnotationRow) -> Sequence[str]:
    setting = _setting_of(row)
    return (f"`{row.key}`", _code(_default(row)), _code(setting.variable if setting else ""), row.effect)


def _setting_cells(row: SettingRow) -> Sequence[str]:
    return (
        f"`--{row.option}`",
        f"`{PREFIX}{row.variable}`",
        _code(row.default),
        _code(row.annotation),
        row.effect,
    )


def _setting_of(row: AnnotationRow) -> SettingRow | None:
    return next((setting for setting in ROWS if setting.annotation == row.key), None)


def _default(row: AnnotationRow) -> str:
    setting = _setting_of(row)
    return (setting.default if setting else row.default) or ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
