"""The cache: entries appear whole or not at all, and are named after what they are made from."""

import threading
import time
from pathlib import Path

import pytest

from tests.cluster.cache import cache_home, content_key, entry


@pytest.mark.parametrize("xdg", ["", "relative/is/ignored"])
def test_home_without_a_usable_xdg_folder(xdg: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".cache" / "vault-webhook"


def test_home_is_below_the_xdg_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_home() == tmp_path / "vault-webhook"


def test_key_depends_on_every_part_and_its_boundaries() -> None:
    keys = {content_key(parts) for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"c", b"ab"], [])}
    assert len(keys) == 5
    assert content_key([b"ab", b"c"]) == content_key([b"ab", b"c"])


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    calls: list[Path] = []

    def make(path: Path) -> None:
        calls.append(path)
        path.mkdir()
        (path / "program").write_text("whole")

    kept = [entry(tmp_path / "tool-1", make) for _ in range(2)]
    assert kept == [tmp_path / "tool-1"] * 2
    assert (tmp_path / "tool-1" / "program").read_text() == "whole"
    assert len(calls) == 1


def test_a_failed_making_leaves_no_entry_and_the_next_begins_again(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.mkdir()
        (path / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        entry(tmp_path / "tool-1", fail)
    assert not (tmp_path / "tool-1").exists()
    entry(tmp_path / "tool-1", Path.mkdir)
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == ["tool-1"]


def test_of_two_at_once_one_makes_it(tmp_path: Path) -> None:
    calls: list[float] = []

    def make(path: Path) -> None:
        calls.append(time.monotonic())
        time.sleep(0.05)
        path.touch()

    threads = [threading.Thread(target=entry, args=(tmp_path / "image.tar", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
