"""A started part of the cluster: a process with a log, and the wait until it is ready."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.05
QUOTED_LINES = 15


class PartFailedError(Exception):
    """A part of the cluster ended, or did not become ready; the message quotes the end of its log."""

    def __init__(self, problem: str, log: Path) -> None:
        super().__init__(f"{problem}. The end of {log}:\n{tail(log)}")
        self.log = log


@dataclass(slots=True)
class Part:
    """A process of the cluster."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stopped: bool = False  # by us: that it has ended is no failure

    def wait_ready(self, probe: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until the probe says yes; a probe that raises OSError (nobody listens yet) says no.

        Raises:
            PartFailedError: the process ended, or the time was up.
        """
        deadline = time.monotonic() + timeout_s
        while not _passes(probe):
            if self.process.poll() is not None:
                raise PartFailedError(f"{self.name} ended with exit code {self.process.returncode}", self.log)
            if time.monotonic() > deadline:
                raise PartFailedError(f"{self.name} is not ready after {timeout_s:g} s", self.log)
            time.sleep(POLL_S)

    def stop(self, *, grace_s: float = 10) -> None:
        """Ask it to end, insist after `grace_s` seconds; nothing happens when it has ended."""
        self.stopped = True
        self.process.terminate()
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def tail(log: Path, lines: int = QUOTED_LINES) -> str:
    """Return the last lines of a log, indented; a log that is absent or empty says so."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in text[-lines:]) or "  (empty)"


def _passes(probe: Callable[[], bool]) -> bool:
    try:
        return probe()
    except OSError:
        return False
