"""Reference pages made from the tables that the code runs on: annotations, settings, reasons."""

from collections.abc import Iterable, Sequence

from webhook.core.annotations.family import FORMER, OPENBAO, VAULT, without_prefix
from webhook.core.annotations.presets import BASELINE, HARMLESS_TELEMETRY, STRICT, STRICT_NOTES
from webhook.core.annotations.table import TABLE, AnnotationRow, Section
from webhook.core.annotations.template_rules import DENIED_FUNCTIONS
from webhook.reasons import CATALOGUE
from webhook.rolecheck.wording import general
from webhook.settings.rows import PREFIX, ROWS, SettingRow
from webhook.sources.agent import FIELDS

_GENERATED = "<!-- Made by `vault-webhook {command}`; edit the table in the code instead. -->"


def annotations() -> str:
    """Return docs/annotations.md."""
    former = " and ".join(f"`{family.prefix}`" for family in FORMER)
    keys = (
        f"Keys are written without their prefix: `role` is `{VAULT.prefix}role`, or `{OPENBAO.prefix}role`. One prefix"
        f" serves a pod; two in one pod are refused. {former} are read as `{OPENBAO.prefix}`, with a warning. `<name>` is the"
        " name of a secret, `<param>` a parameter of the auth method or of telemetry. A value that does not fit is refused,"
        " with the annotation named; a key that is not known is ignored, with a warning."
    )
    booleans = "Booleans are `true` or `false` (also `1 t T TRUE True`, `0 f F FALSE False` and empty for false)."
    parts = ["# Annotations", _GENERATED.format(command="annotations --markdown"), keys, booleans, _COMMANDS_RUN]
    for section in Section:
        rows = [row for row in TABLE if row.section is section]
        parts += [
            f"## {section}",
            _table(("Annotation", "Default", "Setting", "Effect"), map(_annotation_cells, rows)),
        ]
    return "\n\n".join(parts) + "\n"


_COMMANDS_RUN = """\
`agent-inject-command-<name>` runs in the agent's container each time an agent has written the file. When that is first depends
on the mode: in classic mode the init container writes the file and runs the command before the app starts, and the sidecar
runs it again only when it finds another content than what is there. In native mode the one agent runs it at the first
rendering, also before the app starts; a signal or a restart then finds no process, and a command that fails is tried again
with the template. Let such a command succeed when there is nobody to signal: `pkill -HUP -x app || true`. A guard in
the command that looks for `exit_after_auth` in the agent's configuration never holds in native mode: there is no agent that
exits."""


def annotation_list() -> str:
    """Return one line for each annotation."""
    width = max(len(row.key) for row in TABLE)
    return "".join(f"{row.key:<{width}}  {row.effect.replace('`', '')}\n" for row in TABLE)


def annotation(key: str) -> str:
    """Explain one annotation.

    Raises:
        KeyError: there is none of that key; with or without prefix, a secret's with <name> or a name.
    """
    bare = without_prefix(key)
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
    table = _table(("Annotation", "compat", "baseline", "strict"), (_preset_cells(row) for row in TABLE))
    functions = ", ".join(f"`{name}`" for name in DENIED_FUNCTIONS)
    members = ", ".join(f"`{name}`" for name in sorted(HARMLESS_TELEMETRY))
    lists = (
        f"Template functions that the agent does not run in `strict`: {functions}.",
        f"Members of telemetry that `baseline` takes, since they name no place to send anything to: {members}.",
    )
    parts = [
        "# Presets",
        _GENERATED.format(command="presets"),
        _PRESETS_PROTECT,
        "## Annotation by annotation",
        table,
        *lists,
    ]
    return "\n\n".join(parts) + "\n"


_PRESETS_PROTECT = """\
## Whom a preset protects from whom

Whoever may create a pod may use the service account it runs under: a container of their own can log in to Vault with
that account's token and read all that its roles allow. No preset changes that; the roles in Vault and the right to
create pods do. A preset protects the cluster, the Vault server and other teams from mistakes of an author, and from
using the agent to reach further than that account.

- `compat` forbids nothing. It is for those who come from the reference injector.
- `baseline` forbids annotations that make the agent send its login or its metrics somewhere else, log in with another
  token, trust another server, run another image or configuration, run as root, or write files with set-user-id bits.
  It is no wall between an author and their own agent: `agent-inject-command-<name>` and templates run commands beside
  it, and `agent-inject-token` gives its token to the app.
- `strict` allows the list below and nothing else. It is a wall between an author and the agent: no commands, no
  template function that runs a program or reads or writes outside the secrets, and no way for the app to the agent's
  Vault token.

## What strict does for that

- Each template gets a `function_denylist` and a `sandbox_path`, which the agent itself obeys, for template files too.
  A template that names such a function is admitted with a warning; its file is not rendered.
- A template's calls of `secret`, `secrets` and `pkiCert` must have the Vault path right behind them, as plain text,
  and it may not be one of `auth/` or `sys/`: `auth/token/lookup-self` is the agent's token. The same goes for
  `agent-inject-secret-<name>`. Calls may write to secrets engines, as far as the role's policies allow.
- Template files lie below the read-only mounts `/vault/custom` or `/vault/configs`. The annotations that bring such a
  mount are not on the list: whoever opens one lets in templates that nobody has looked through, and those can read
  `auth/token/lookup-self`.
- Secrets are mounted read-only in the pod's own containers, and the pod's own containers may not mount the volumes of
  the agent or share its process namespace.

What no preset can do: keep a privileged container, one with the host's processes or files, or someone who may run
`kubectl debug` with such rights from the agent. That is for Pod Security and for rights in the cluster.

## Common to all

A value that is the operator's own, or a `false` that changes nothing, passes everywhere. A refusal has the reason
`PolicyForbids`. `AGENT_INJECT_PRESET_MODE=warn` turns refusals into warnings and puts nothing into templates.
`AGENT_INJECT_PRESET_ALLOW` opens single annotations by name, as they stand in the table or as an author completes
them; opening a template annotation lifts all that is said of templates above.

`baseline` and `strict` also bound the number of secrets, the size of a template and of all annotations
(`AGENT_INJECT_MAX_SECRETS`, `_MAX_TEMPLATE_BYTES`, `_MAX_ANNOTATION_BYTES`); `strict` bounds resources (`_MAX_CPU`,
`_MAX_MEMORY`, `_MAX_EPHEMERAL`) and takes no limit of 0, which would be none.

`agent-token-audience` may not be one that the API server accepts: those of `AGENT_INJECT_API_SERVER_AUDIENCES`, the
`AGENT_INJECT_CLUSTER_ISSUER`, and `kubernetes.default.svc` with any domain, as URL or not, whatever the settings say."""


def _preset_cells(row: AnnotationRow) -> Sequence[str]:
    """Return what each preset says of an annotation, or of a parameter with a rule of its own."""
    rule = BASELINE.get(row.key)
    if row.stem == "auth-config-":
        return (f"`{row.key}`", "yes", "yes, but no `token-path`, nor `path` of `jwt`", "only `auth-config-role`")
    baseline = "yes" if rule is None else f"no {rule.what}" if row.is_open else f"no: {rule.what}"
    strict = f"yes: {STRICT_NOTES[row.key]}" if row.key in STRICT_NOTES else "yes"
    return (f"`{row.key}`", "yes", baseline, strict if row.key in STRICT else "no")


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
