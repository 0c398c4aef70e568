"""Settings as flags: every command takes all of them, and its help lists those that can change what it does.

`--help-all` lists the rest, too. To let a command list another setting: its Scope below.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from msgspec import Struct

from webhook.settings.parts import Part, rows_by_part
from webhook.settings.rows import PREFIX, SettingRow

_ALL = "webhook.help_all"  # in the context: --help-all was given


class Scope(Struct, frozen=True):
    """What a command's help lists of the settings, by variable without prefix or by part."""

    parts: frozenset[Part] = frozenset()
    variables: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()  # those that stand among the command's own options

    def lists(self, part: Part, row: SettingRow) -> bool:
        """Tell whether help lists a setting without being asked for all."""
        return part in self.parts or row.variable in self.variables


_LOGIN = frozenset(("VAULT_ADDR", "VAULT_AUTH_TYPE", "VAULT_AUTH_PATH", "VAULT_NAMESPACE"))
_BINDINGS = frozenset(("BINDINGS",))
SERVE = Scope(
    parts=frozenset((Part.SERVING, Part.AGENTS, Part.INJECTION, Part.ROLE_CHECK)),
    variables=frozenset(("CONFIRM_SOCKET",)),
)
CONTROL = Scope(
    parts=frozenset((Part.CONTROLLER,)),
    variables=_LOGIN | {"VAULT_CACERT_BYTES", "POLICY_CHECK", "BINDINGS_MAX_STALENESS", "LOG_LEVEL", "LOG_FORMAT"},
    own=_BINDINGS,
)
PULL = Scope(
    parts=frozenset((Part.CONTROLLER,)), variables=_LOGIN - {"VAULT_AUTH_TYPE"} | {"VAULT_CACERT_BYTES", "POLICY_CHECK"}
)
ANSWER = Scope(parts=frozenset((Part.AGENTS, Part.INJECTION, Part.ROLE_CHECK)), own=_BINDINGS)
CHECK = Scope(parts=frozenset((Part.INJECTION, Part.ROLE_CHECK)), variables=_LOGIN, own=_BINDINGS)


class SettingOption(click.Option):
    """The flag of one setting."""

    def __init__(self, row: SettingRow, part: Part, *, listed: bool, own: bool) -> None:
        super().__init__(
            [f"--{row.option}", f"flag_{row.variable}"], metavar="FILE" if own else "VALUE", help=_help(row)
        )
        self.row, self.part, self.listed, self.own = row, part, listed, own


class SettingsCommand(click.Command):
    """A command with a flag for every setting; help lists its own options first, then settings by their parts."""

    def __init__(self, *args: Any, scope: Scope, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.params += [
            SettingOption(row, part, listed=scope.lists(part, row), own=row.variable in scope.own)
            for part, rows in rows_by_part().items()
            for row in rows
        ]
        self.params.append(
            click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_all,
                help="Show this message with every setting, and exit.",
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings listed, by parts, and where the rest is."""
        settings = [param for param in self.params if isinstance(param, SettingOption)]
        own = [param for param in self.get_params(ctx) if not isinstance(param, SettingOption) or param.own]
        _write(ctx, formatter, "Options", own)
        shown = [option for option in settings if not option.own and (option.listed or ctx.meta.get(_ALL))]
        for part in Part:
            _write(ctx, formatter, part, [option for option in shown if option.part is part])
        with formatter.section("More on settings"):
            formatter.write_text(_rest(ctx.command_path, all_shown=bool(ctx.meta.get(_ALL))))


def _write(ctx: click.Context, formatter: click.HelpFormatter, heading: str, params: Sequence[click.Parameter]) -> None:
    records = [record for param in params if (record := param.get_help_record(ctx))]
    if records:
        with formatter.section(heading):
            formatter.write_dl(records, col_max=28)


def _rest(path: str, *, all_shown: bool) -> str:
    """Return where to read on; a paragraph a line."""
    every = f"Each is also a variable: --vault-address is {PREFIX}VAULT_ADDR. All, explained: vault-webhook settings"
    return every if all_shown else f"{every}\n\nAll other settings are taken, too: {path} --help-all"


def _show_all(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 click's signature
    if value and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _help(row: SettingRow) -> str:
    irregular = f" {PREFIX}{row.variable}." if row.option != row.variable.lower().replace("_", "-") else ""
    return row.effect.replace("`", "") + irregular + (f" [default: {row.default}]" if row.default else "")


def given(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings given as flags: option without dashes to text."""
    rows = [row for rows in rows_by_part().values() for row in rows]
    return {row.option: flags[f"flag_{row.variable}"] for row in rows if flags[f"flag_{row.variable}"] is not None}
