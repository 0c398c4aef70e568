"""The file: whole at any time, the same when nothing changed, readable by people."""

import json
import threading

import pytest

from webhook import yaml_text
from webhook.controller import bindings_file
from webhook.rolecheck.bindings.load import load


def test_a_reader_never_sees_a_part(tmp_path):
    path = tmp_path / "bindings.json"
    versions = [json.dumps({"n": number, "fill": "x" * 200_000}).encode() for number in (1, 2)]
    bindings_file.write(path, versions[0])
    done = threading.Event()
    seen = set()

    def reads():
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=reads)
    reader.start()
    for number in range(200):
        bindings_file.write(path, versions[number % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "bindings.json"
    bindings_file.write(path, b"old")

    def fails(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        bindings_file.write(path, b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_document_that_cannot_be_written_is_told_and_written_later(controller):
    polling = controller(bindings="/nowhere/bindings.json")
    polling.poll()
    assert "No such file or directory" in polling.loop.health.write_problem
    assert polling.shared.changed


def test_the_file_is_for_people(controller):
    polling = controller()
    polling.poll()
    lines = polling.path.read_text().splitlines()
    assert '        "shop": {' in lines
    assert not any(line.rstrip().endswith('"token_ttl": 0,') for line in lines)
    assert polling.path.stat().st_mode & 0o777 == 0o644


def test_nothing_is_written_while_nothing_changes(controller):
    polling = controller()
    polling.poll()
    written = polling.path.stat().st_ino
    polling.loop.write()
    assert polling.path.stat().st_ino == written
    polling.poll()  # fetchedAt moved on
    assert polling.path.stat().st_ino != written
    assert load(polling.path.read_bytes(), yaml_text.documents).fetched_at == polling.now


def test_a_role_not_read_yet_is_written_like_one_that_may_not_be_read(bao, mount, controller):
    bao.role(mount, "later")
    polling = controller()
    polling.loop.poll()  # lists only
    polling.loop.write()
    content = json.loads(polling.path.read_bytes())
    mounts = {item["path"]: item for item in content["auth"]}
    assert mounts[mount]["roles"] == {"later": None, "shop": None}
    assert mounts["token"] == {
        "path": "token",
        "namespace": "",
        "type": "token",
        "accessor": mounts["token"]["accessor"],
    }
