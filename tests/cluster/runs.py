"""One run of a cluster: its folder, its namespace, its processes; and the sweep of runs that were killed.

Everything a run makes carries its name: the folder, the network namespace, the cgroup, the pod network. A live run
holds the lock file in its folder, which the kernel frees when the run dies in whatever manner; so a folder whose lock
can be had is a leftover. Clean stop and sweep are the same function, `Run.end`.
"""

import fcntl
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.cluster.cache import cache_home, locked
from tests.cluster.network import Namespace
from tests.cluster.part import Part
from tests.cluster.processes import Identity, end, identity_of, members
from tests.cluster.traces import remove_traces

RECORD = "processes.jsonl"  # one line per started process, written the moment it was started
LOCK = "lock"


@dataclass(slots=True)
class Run:
    """A run, live or left over; its name is the folder's."""

    folder: Path
    logs: Path  # one file per part
    _lock: IO[str] | None = None
    parts: list[Part] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Unique on this machine."""
        return self.folder.name

    @property
    def namespace(self) -> Namespace:
        """The network namespace everything of the run is in."""
        return Namespace(self.name)

    @property
    def cgroup(self) -> str:
        """The cgroup all containers are in, from the root of each hierarchy."""
        return f"/{self.name}"

    def start(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Part:
        """Start a command inside the namespace, output into the log `name`.log, in a session of its own.

        Args:
            name: unique within the run.
            argv: the program by full path or from PATH, with its arguments.
            env: variables beside those of this process.
        """
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*self.namespace.enter, *argv],
                cwd=self.folder,
                env=os.environ | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end the parts in order
            )
        self._record(name, process.pid)
        part = Part(name, process, log)
        self.parts.append(part)
        return part

    def end(self) -> None:
        """End the run's processes and remove all it made; what is gone already is no error.

        Raises:
            TimeoutError: a process outlived SIGKILL.
            OSError: something is still mounted in the folder, which is then left alone.
        """
        if not self.folder.exists():
            return
        end(self._recorded(), grace_s=0)  # nothing in a throwaway node is worth a goodbye
        while left := members(self.namespace.path, self.cgroup):  # shims and containers; these may be starting more
            end(left, grace_s=0)
        for part in self.parts:
            part.process.wait()
        remove_traces(self.folder, self.cgroup)
        self.namespace.delete()
        if self._lock is not None:
            self._lock.close()

    def _record(self, name: str, pid: int) -> None:
        process = identity_of(pid)
        if process is not None:  # else it has ended already
            with (self.folder / RECORD).open("a") as record:
                record.write(json.dumps({"name": name, "pid": process.pid, "started": process.started}) + "\n")

    def _recorded(self) -> list[Identity]:
        record = self.folder / RECORD
        lines = record.read_text().splitlines() if record.exists() else []
        return [Identity(row["pid"], row["started"]) for row in map(json.loads, lines)]


def claim(say: Callable[[str], None], logs: Path | None = None) -> Run:
    """Return a new run with a folder and a namespace, after sweeping what killed runs left.

    Args:
        say: told of leftovers that cannot be removed; they do not stop us.
        logs: folder for the logs, which stays when the run ends; None: a folder that goes with the run.
    """
    home = runs_home()
    with locked(home / LOCK):
        sweep(say)
        folder = home / f"vw-{os.getpid()}-{secrets.token_hex(3)}"
        folder.mkdir(mode=0o755)
        run = Run(folder, logs or folder / "logs", _lock=_try_lock(folder))
    run.logs.mkdir(parents=True, exist_ok=True)
    try:
        run.namespace.create()
    except BaseException:
        run.end()
        raise
    return run


def sweep(say: Callable[[str], None]) -> list[str]:
    """Remove every leftover of a killed run; return their names. The caller holds the lock of `runs_home`.

    Args:
        say: told what could not be removed, and why; the next sweep tries again.
    """
    swept = []
    for folder in sorted(runs_home().glob("vw-*")):
        lock = _try_lock(folder)
        if lock is None:
            continue
        try:
            Run(folder, folder / "logs", _lock=lock).end()
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"could not remove what the killed run {folder.name} left: {error}")
        else:
            swept.append(folder.name)
        lock.close()
    return swept


def runs_home() -> Path:
    """Return the folder that holds one folder per run."""
    return cache_home() / "runs"


def _try_lock(folder: Path) -> IO[str] | None:
    """Return the open, locked lock file of a run; None when its owner lives."""
    file = (folder / LOCK).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
