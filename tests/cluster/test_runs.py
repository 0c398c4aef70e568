"""The sweep: leftovers of killed runs go, live runs and other people's processes stay."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.processes import Identity, identity_of
from tests.cluster.runs import LOCK, RECORD, Run, runs_home, sweep
from tests.cluster.traces import mounts_below

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /runs/vw-1 rw - tmpfs tmpfs rw
31 30 0:27 / /runs/vw-1/kubelet/with\\040blank rw - tmpfs tmpfs rw
32 22 0:28 / /runs/vw-10 rw - tmpfs tmpfs rw
33 30 0:29 / /runs/vw-1/shm rw shared:7 - tmpfs tmpfs rw
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    runs_home().mkdir(parents=True)
    return runs_home()


@pytest.fixture
def sleepers() -> Iterator[list[Identity]]:
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    yield [identity for process in processes if (identity := identity_of(process.pid))]
    for process in processes:
        process.kill()
        process.wait()


def _leftover(home: Path, *recorded: Identity) -> Path:
    folder = home / "vw-0-test"
    folder.mkdir()
    (folder / LOCK).touch()
    lines = [json.dumps({"name": "x", "pid": process.pid, "started": process.started}) for process in recorded]
    (folder / RECORD).write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_recorded_processes_end_and_no_others(home: Path, sleepers: list[Identity]) -> None:
    ours, reused = sleepers
    folder = _leftover(home, ours, Identity(reused.pid, reused.started - 100))
    assert sweep(pytest.fail) == ["vw-0-test"]
    assert not ours.alive()
    assert reused.alive()
    assert not folder.exists()


def test_a_run_whose_owner_lives_is_left_alone(home: Path, sleepers: list[Identity]) -> None:
    folder = _leftover(home, sleepers[0])
    owner = subprocess.Popen(["flock", folder / LOCK, "sh", "-c", "echo locked; read end"], stdin=-1, stdout=-1)
    with owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        assert sweep(pytest.fail) == []
        assert sleepers[0].alive()
        owner.communicate(b"\n")
    assert sweep(pytest.fail) == ["vw-0-test"]


def test_a_leftover_that_cannot_be_removed_is_told_and_stops_nobody(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _leftover(home)
    monkeypatch.setattr("tests.cluster.traces.mounts_below", lambda _: [folder / "busy"])
    told: list[str] = []
    assert sweep(told.append) == []
    assert "still mounted" in told[0]
    assert folder.exists()


def test_other_files_are_left_alone(home: Path) -> None:
    (home / "notes").mkdir()
    assert sweep(pytest.fail) == []
    assert (home / "notes").exists()


def test_a_run_may_be_ended_twice(home: Path) -> None:
    run = Run(_leftover(home), home / "logs")
    run.end()
    run.end()


def test_mounts_are_those_below_the_folder_and_no_namesakes(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTINFO)
    below = mounts_below(Path("/runs/vw-1"), mountinfo)
    assert below == [Path("/runs/vw-1/kubelet/with blank"), Path("/runs/vw-1/shm")]
