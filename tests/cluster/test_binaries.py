"""Where programs come from: the user's when they fit, and cache keys that follow the pinned sources."""

import shutil
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.binaries import ETCD, KUBERNETES, build_key, find_installed, link_flags, pinned_version, same_minor
from tests.cluster.golang import go_version


def _program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Client Version: v1.36.1\nKustomize Version: v5.8.1", True),
        ("Client Version: v1.36.9-dispatcher", True),
        ("Kubernetes v1.36.0", True),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", False),
        ("Kubernetes v1.3.6", False),
        ("Kubernetes v1.360.1", False),
        ("", False),
        ("no version here", False),
    ],
)
def test_minor_version_is_read_from_a_programs_own_words(text: str, same: bool) -> None:
    assert same_minor(text, "v1.36.1") is same


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version devel go1.28-1234abcd", (1, 28)), ("", (0, 0))],
)
def test_go_says_its_version(text: str, version: tuple[int, int]) -> None:
    assert go_version(text) == version


def test_the_pinned_versions_are_those_of_go_mod() -> None:
    assert pinned_version(KUBERNETES).startswith("v1.36.")
    assert pinned_version(ETCD).startswith("v3.6.")


def test_kubernetes_is_told_its_version_by_the_linker() -> None:
    version = pinned_version(KUBERNETES)
    flags = link_flags(KUBERNETES)
    for package in binaries.STAMPED:
        assert f"-X {package}.gitVersion={version}" in flags
        assert f"-X {package}.gitMajor=1" in flags
    assert "-X" not in link_flags(ETCD)


def test_the_key_follows_go_mod_and_go_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(binaries.TOOLS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(binaries, "TOOLS", tmp_path)
    before = build_key(ETCD)
    with (tmp_path / "etcd" / "go.sum").open("a") as sums:
        sums.write("\n")
    assert build_key(ETCD) != before
    assert build_key(KUBERNETES) != before


def test_assets_of_the_user_win_whatever_their_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = _program(tmp_path / "assets", "kubectl", "Client Version: v1.29.0")
    _program(tmp_path / "bin", "kubectl", "Client Version: v1.36.1")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert find_installed("kubectl", "v1.36.1") == theirs


@pytest.mark.parametrize(("says", "taken"), [("Client Version: v1.36.4", True), ("Client Version: v1.32.4", False)])
def test_a_program_on_path_has_to_be_of_the_pinned_minor(
    says: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _program(tmp_path / "bin", "kubectl", says)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert find_installed("kubectl", "v1.36.1") == (found if taken else None)
