"""Which program is server and agent of the tests, and what is left out with it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.vault_program import OPENBAO, VARIABLE, VAULT, VaultBinaryError, bao, is_given, vault_program

Make = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Make:
    """Return what makes a program that says something of itself."""

    def make(says: str) -> Path:
        path = tmp_path / "vault"
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)
        return path

    return make


def test_it_is_openbao_of_the_wheel_unless_told_otherwise() -> None:
    for environment in ({}, {VARIABLE: ""}):
        usual = vault_program(environment)
        assert (usual.path, usual.product, is_given(environment)) == (bao().resolve(), OPENBAO, False)
        assert usual.image_files == {"bin/bao": usual.path}
    assert bao().read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("says", "product", "version", "title"),
    [
        ("Vault v1.21.4 (4a1ac1c2), built 2026-01-01T00:00:00Z", VAULT, "1.21.4", "HashiCorp Vault 1.21.4"),
        ("Vault v1.21.4+ent (4a1ac1c2)", VAULT, "1.21.4+ent", "HashiCorp Vault 1.21.4+ent"),
        ("OpenBao v2.5.0 (4a1ac1c2)", OPENBAO, "2.5.0", "OpenBao 2.5.0"),
    ],
)
def test_one_that_is_given_says_what_it_is(program: Make, says: str, product: str, version: str, title: str) -> None:
    given = vault_program({VARIABLE: str(program(says))})
    assert (given.product, given.version, given.title) == (product, version, title)


def test_an_agent_image_holds_the_program_given_and_bao(program: Make) -> None:
    path = program("Vault v1.21.4")
    assert vault_program({VARIABLE: str(path)}).image_files == {"bin/bao": bao(), "bin/vault": path}


def test_a_path_from_here_means_the_same_elsewhere(program: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program("Vault v1.21.4")
    monkeypatch.chdir(path.parent)
    assert vault_program({VARIABLE: "./vault"}).path == path


@pytest.mark.parametrize(
    ("name", "mention"), [("/no/such/vault", "no program"), ("true", "says neither"), (os.devnull, "no program")]
)
def test_what_is_no_vault_is_refused_by_name(name: str, mention: str) -> None:
    with pytest.raises(VaultBinaryError, match=mention) as error:
        vault_program({VARIABLE: name})
    assert f"{VARIABLE}={name}" in str(error.value)


ROOT = Path(__file__).parents[2]
BEARER = "tests/controller/test_polls.py::test_mounts_of_a_vault_namespace_are_polled_there"


def collected(*arguments: str, binary: Path | str) -> str:
    """Return what pytest says of the polls' tests without running them."""
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", BEARER.partition("::")[0]]
    env = {**os.environ, VARIABLE: str(binary)}
    ended = subprocess.run([*argv, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    return ended.stdout + ended.stderr


@pytest.mark.slow
def test_what_only_openbao_can_do_is_left_out_by_name_and_counted(program: Make) -> None:
    said = collected(binary=program("Vault v1.21.4"))
    assert f"{VARIABLE}: HashiCorp Vault 1.21.4 is server and agent" in said
    assert "1 left out: HashiCorp Vault 1.21.4 cannot do it" in said
    assert f"\n{BEARER}: namespaces need no licence" in said
    assert "1 deselected" in said
    assert "<Function test_mounts_of_a_vault_namespace_are_polled_there>" not in said


@pytest.mark.slow
def test_nothing_is_left_out_otherwise(program: Make) -> None:
    for said in (collected(binary=""), collected(binary=program("OpenBao v2.5.0"))):
        assert "<Function test_mounts_of_a_vault_namespace_are_polled_there>" in said
        assert "left out" not in said
    assert "left out" not in collected("-k", "whole", binary=program("Vault v1.21.4"))


@pytest.mark.slow
def test_a_program_that_cannot_be_used_is_one_line() -> None:
    assert f"ERROR: {VARIABLE}=/no/such/vault: no program" in collected(binary="/no/such/vault")
