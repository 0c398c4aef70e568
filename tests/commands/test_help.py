"""What help shows: examples line by line, a command's own options first, and the settings that can change its answer."""

import pytest
from click.testing import CliRunner

from webhook.cli import cli
from webhook.commands.setting_flags import SettingOption, SettingsCommand
from webhook.settings.parts import FIRST, Part, rows_by_part
from webhook.settings.rows import ROWS

WITH_SETTINGS = [
    *(name for name, command in cli.commands.items() if isinstance(command, SettingsCommand)),
    *(
        f"bindings {name}"
        for name, command in cli.commands["bindings"].commands.items()
        if isinstance(command, SettingsCommand)
    ),
]


def help_of(*arguments):
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def flags_of(text):
    return [line.split()[0] for line in text.splitlines() if line.startswith("  --")]


def test_examples_stand_on_lines_of_their_own():
    lines = [line.strip() for line in help_of("--help").splitlines()]
    assert "See it at work, without a cluster:  vault-webhook demo" in lines
    assert "What becomes of a manifest?         vault-webhook inject -f app.yaml -o diff" in lines


@pytest.mark.parametrize(
    "path", [[], *([name] for name in cli.commands), *(name.split() for name in WITH_SETTINGS)], ids=" ".join
)
def test_no_help_shows_marks_of_its_own_making(path):
    text = help_of(*path, "--help")
    assert "\b" not in text
    assert "\\b" not in text


def test_every_command_of_the_list_is_described_in_whole():
    commands = help_of("--help").partition("Commands:")[2].splitlines()
    assert [line for line in commands if line.endswith("...")] == []


def test_the_reference_injectors_name_of_serve_works_and_is_not_listed():
    assert "agent-inject" not in help_of("--help").partition("Commands:")[2]
    assert "--vault-address" in help_of("agent-inject", "--help")


@pytest.mark.parametrize(
    ("command", "listed", "left_out"),
    [
        (
            "check",
            ["bindings", "policy-check", "preset", "vault-address", "wildcard"],
            ["cpu-limit", "listen", "control-listen"],
        ),
        ("inject", ["bindings", "cpu-limit", "preset", "vault-address"], ["listen", "workers", "control-listen"]),
        ("review", ["bindings", "cpu-limit", "policy-check"], ["listen", "tls-auto", "control-listen"]),
        ("serve", ["listen", "bindings", "cpu-limit", "confirm-socket"], ["control-listen", "tls-auto"]),
        (
            "control",
            ["bindings", "control-listen", "control-vault-role", "log-level"],
            ["listen", "cpu-limit", "preset"],
        ),
        ("bindings pull", ["control-vault-role", "vault-address"], ["listen", "cpu-limit", "bindings"]),
    ],
)
def test_only_settings_that_matter_to_a_command_are_listed(command, listed, left_out):
    shown = flags_of(help_of(*command.split(), "--help"))
    assert [name for name in listed if f"--{name}" not in shown] == []
    assert [name for name in left_out if f"--{name}" in shown] == []


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_own_options_come_first_and_help_all_lists_every_setting_once(command):
    text = help_of(*command.split(), "--help-all")
    flags = flags_of(text)
    assert sorted(set(flags) & {f"--{row.option}" for row in ROWS}) == sorted(f"--{row.option}" for row in ROWS)
    assert len(flags) == len(set(flags))
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options:", *(f"{part}:" for part in Part), "More on settings:"]
    assert "--help-all" in help_of(*command.split(), "--help")


@pytest.mark.parametrize("command", WITH_SETTINGS)
def test_every_flag_is_taken_listed_or_not(command):
    found = cli
    for name in command.split():
        found = found.commands[name]
    assert {param.row.variable for param in found.params if isinstance(param, SettingOption)} == {
        row.variable for row in ROWS
    }


def test_every_part_begins_with_a_row_in_the_tables_order():
    assert list(rows_by_part()) == list(Part) == list(FIRST.values())
    assert [row for rows in rows_by_part().values() for row in rows] == list(ROWS)
    assert [rows[0].variable for rows in rows_by_part().values()] == list(FIRST)
