"""Ending processes: those that were recorded, and nobody who has their id by now."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.part import Part, PartFailedError, tail
from tests.cluster.processes import Identity, end, identity_of, members

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_an_identity_is_id_and_start(sleeper: Sleeper) -> None:
    process = identity_of(sleeper.pid)
    assert process is not None
    assert process.alive()
    assert not Identity(process.pid, process.started + 1).alive()


def test_a_zombie_does_not_run(sleeper: Sleeper) -> None:
    process = identity_of(sleeper.pid)
    assert process is not None
    process.send(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended; its parent has not asked yet
    assert not process.alive()
    assert identity_of(sleeper.pid) is None


def test_another_process_with_the_same_id_is_left_alone(sleeper: Sleeper) -> None:
    process = identity_of(sleeper.pid)
    assert process is not None
    end([Identity(process.pid, process.started - 1)], grace_s=0)
    assert process.alive()


def test_an_id_that_is_gone_is_no_error() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    end([Identity(process.pid, 1)], grace_s=0.1)


def test_who_ignores_term_is_killed() -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        process = identity_of(stubborn.pid)
        assert process is not None
        end([process], grace_s=0.1)
    assert stubborn.returncode == -signal.SIGKILL


def test_nobody_is_in_a_namespace_and_a_cgroup_that_do_not_exist() -> None:
    assert members(Path("/no/such/namespace"), "/vw-no-such-cgroup") == []


def test_a_namespace_has_its_members(sleeper: Sleeper) -> None:
    assert identity_of(sleeper.pid) in members(Path("/proc/self/ns/net"), "/vw-no-such-cgroup")


def test_a_part_that_ends_is_an_error_that_quotes_its_log(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("first\nflag provided but not defined: -x\n")
    with subprocess.Popen(["sh", "-c", "exit 3"]) as process:
        part = Part("part", process, log)
        with pytest.raises(PartFailedError, match=r"part ended with exit code 3(.|\n)*not defined: -x"):
            part.wait_ready(lambda: False, timeout_s=5)


def test_a_part_that_does_not_become_ready_is_an_error(sleeper: Sleeper, tmp_path: Path) -> None:
    def refuse() -> bool:
        raise ConnectionRefusedError

    with pytest.raises(PartFailedError, match=r"part is not ready after 0\.1 s"):
        Part("part", sleeper, tmp_path / "absent.log").wait_ready(refuse, timeout_s=0.1)


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("1\n2\n3\n")
    assert tail(log, 2) == "  2\n  3"
    assert tail(tmp_path / "absent") == "  (empty)"
