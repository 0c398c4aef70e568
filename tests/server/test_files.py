"""Watched files, one poll at a time."""

from pathlib import Path

import pytest
import structlog

from tests.server.process import swap
from webhook.server.files import Watched


@pytest.fixture
def loads():
    return []


@pytest.fixture
def watched(tmp_path, loads):
    def load(paths):
        text = Path(paths[0]).read_text()
        if text == "broken":
            raise ValueError("line 1:\n  broken")
        return text

    def loaded(name, good):
        loads.append((name, good))

    path = tmp_path / "mount" / "file"
    return Watched("bindings", (str(path),), load=load, now=lambda: 7.0, loaded=loaded, log=structlog.get_logger())


def test_a_swap_is_taken_once(watched, loads, tmp_path):
    swap(tmp_path / "mount", {"file": b"one"})
    assert (watched.poll(), watched.poll(), watched.current) == (True, False, "one")
    swap(tmp_path / "mount", {"file": b"two"})
    assert (watched.poll(), watched.poll(), watched.current) == (True, False, "two")
    assert (loads, watched.loaded_at, watched.problem) == ([("bindings", True)] * 2, 7.0, "")


def test_a_broken_version_is_refused_once_and_the_last_good_one_stays(watched, loads, tmp_path):
    swap(tmp_path / "mount", {"file": b"one"})
    watched.poll()
    swap(tmp_path / "mount", {"file": b"broken"})
    assert (watched.poll(), watched.poll(), watched.current) == (False, False, "one")
    assert (loads[1:], watched.problem) == ([("bindings", False)], "ValueError: line 1: broken")
    swap(tmp_path / "mount", {"file": b"two"})
    assert (watched.poll(), watched.current, watched.problem) == (True, "two", "")


def test_a_file_written_in_place_is_seen(watched, tmp_path):
    (tmp_path / "mount").mkdir()
    path = tmp_path / "mount" / "file"
    path.write_text("one")
    watched.poll()
    path.write_text("three")
    assert (watched.poll(), watched.current) == (True, "three")


def test_a_file_that_goes_leaves_the_last_good_version(watched, tmp_path):
    swap(tmp_path / "mount", {"file": b"one"})
    watched.poll()
    (tmp_path / "mount" / "file").unlink()
    assert (watched.poll(), watched.current) == (False, "one")
    assert watched.problem.startswith("FileNotFoundError")


def test_a_change_while_reading_is_looked_at_again(tmp_path, loads):
    mount = tmp_path / "mount"
    swap(mount, {"file": b"one"})
    reads = []

    def load(paths):
        text = Path(paths[0]).read_text()
        if not reads:
            swap(mount, {"file": b"two"})
        reads.append(text)
        return text

    watched = Watched(
        "bindings",
        (str(mount / "file"),),
        load=load,
        now=lambda: 7.0,
        loaded=lambda *load: loads.append(load),
        log=structlog.get_logger(),
    )
    assert (watched.poll(), watched.current, loads) == (False, None, [])
    assert (watched.poll(), watched.current) == (True, "two")
