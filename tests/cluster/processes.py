"""Processes as (id, start time): a pair that names one process for ever, so that nobody else's is ever ended."""

import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its id, which is used again some day, and its start in clock ticks since boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Tell whether it runs; one that has ended and waits for its parent (a zombie) does not."""
        return identity_of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended, even if another process has its id by now."""
        try:
            handle = os.pidfd_open(self.pid)  # from here on the handle means the process that had the id at this moment
        except ProcessLookupError:
            return
        try:
            if self.alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


def identity_of(pid: int) -> Identity | None:
    """Return the identity of the running process with this id; None when there is none, or only a zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = stat.rpartition(")")[2].split()  # the name before it, in brackets, may hold anything
    return None if state in {"Z", "X"} else Identity(pid, int(rest[18]))  # field 22 of proc_pid_stat(5)


def end(processes: Collection[Identity], *, grace_s: float) -> None:
    """End them all: TERM, and KILL for those that still run after `grace_s` seconds (0: KILL at once); wait for it.

    Raises:
        TimeoutError: one outlived KILL by 10 s, stuck in the kernel.
    """
    if grace_s > 0:
        for process in processes:
            process.send(signal.SIGTERM)
        if all_ended(processes, grace_s):
            return
    for process in processes:
        process.send(signal.SIGKILL)
    if not all_ended(processes, 10):
        raise TimeoutError(f"killed, but still there: {[process.pid for process in processes if process.alive()]}")


def all_ended(processes: Collection[Identity], timeout_s: float) -> bool:
    """Wait until none of them runs; tell whether that came within the time."""
    deadline = time.monotonic() + timeout_s
    while any(process.alive() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def members(namespace: Path, cgroup: str) -> list[Identity]:
    """Return who runs in this network namespace (its file; may be absent) or in this cgroup ("/name") or below."""
    wanted = _inode(namespace)
    found = []
    for pid in _pids():
        inside = wanted is not None and _inode(PROC / str(pid) / "ns" / "net") == wanted
        process = identity_of(pid) if inside or _is_in_cgroup(pid, cgroup) else None
        if process is not None:
            found.append(process)
    return found


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())


def _inode(namespace: Path) -> tuple[int, int] | None:
    try:
        found = namespace.stat()
    except OSError:  # ended meanwhile, or a kernel thread
        return None
    return found.st_dev, found.st_ino


def _is_in_cgroup(pid: int, cgroup: str) -> bool:
    try:
        lines = (PROC / str(pid) / "cgroup").read_text().splitlines()
    except OSError:  # ended meanwhile
        return False
    paths = [line.split(":", 2)[2] for line in lines]
    return any(path == cgroup or path.startswith(cgroup + "/") for path in paths)
