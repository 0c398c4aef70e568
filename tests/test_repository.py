"""What the pages for people say is there is there."""

import re
import tomllib
from pathlib import Path

import pytest

from webhook.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "tests/cluster/README.md")]


def said(page, pattern):
    return re.findall(pattern, page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_and_command_of_a_page_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(said(page, r"\bmake ([a-z][a-z-]+)[`\s]")) <= targets
    assert set(said(page, r"\bvault-webhook ([a-z]+) (?:-|[A-Z`])")) <= cli.commands.keys()


def test_every_file_that_contributing_names_exists():
    named = said(ROOT / "CONTRIBUTING.md", r"`((?:webhook|tests|docs|\.ci)/[\w./-]+)`")
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_licence_is_apache_2_and_the_package_says_so():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE", "NOTICE"])
    text = (ROOT / "LICENSE").read_text()
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text
    assert (ROOT / "NOTICE").read_text().startswith("vault-webhook\n")
