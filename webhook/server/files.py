"""Watches files that somebody else replaces. A change is taken in whole, a broken one is refused.

Kubernetes swaps a mounted ConfigMap or Secret by a symlink, the controller and careful people by a rename: either way
the resolved path, or what is there, changes. Looking every quarter of a second needs no inotify, works on any file
system and costs a few microseconds.
"""

import gc
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from webhook.logs import Logger

POLL_S = 0.25

T = TypeVar("T")
Stamp = tuple[object, ...]


class Watched(Generic[T]):
    """Files read as one value, such as a certificate and its key.

    Attributes:
        current: the last good value, None before the first.
        loaded_at: unix time of the last good load.
        problem: why the newest version is not in use; empty when it is.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[str],
        *,
        load: Callable[[Sequence[str]], T],
        now: Callable[[], float],
        loaded: Callable[[str, bool], None],
        log: Logger,
    ) -> None:
        """Set up; nothing is read before `poll`.

        Args:
            name: what it is, for logs and metrics.
            paths: of the files.
            load: reads the resolved paths; what it raises is the reason to refuse.
            now: unix time.
            loaded: told name and success of each load.
            log: told each change, good or not, once.
        """
        self.name = name
        self.paths = paths
        self.current: T | None = None
        self.loaded_at: float | None = None
        self.problem = "not read yet"
        self._load = load
        self._now = now
        self._loaded = loaded
        self._log = log
        self._seen: Stamp | None = None

    def poll(self) -> bool:
        """Look, and load when something changed. Return True when there is a new value."""
        stamp, resolved = _stamp(self.paths)
        if stamp == self._seen:
            return False
        try:
            value = self._load(resolved)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the last good version stays
            if _stamp(self.paths)[0] == stamp:  # else half old, half new: look again at the next poll
                self._refuse(stamp, error)
            return False
        if _stamp(self.paths)[0] != stamp:
            return False
        self._seen = stamp
        self.current = value
        self.loaded_at = self._now()
        self.problem = ""
        self._loaded(self.name, True)  # noqa: FBT003 - the callback's one flag
        self._log.info("file loaded", file=self.name, paths=list(self.paths))
        return True

    def _refuse(self, stamp: Stamp, error: Exception) -> None:
        self._seen = stamp
        self.problem = _one_line(error)
        self._loaded(self.name, False)  # noqa: FBT003 - the callback's one flag
        said = (
            "file refused, waiting for a good one" if self.current is None else "file refused, last good version kept"
        )
        self._log.error(said, file=self.name, paths=list(self.paths), problem=self.problem)


class Keeper(threading.Thread):
    """Polls watched files in a thread, and does the worker's other slow chores there.

    What the thread buys: reading a file, on a disk that hangs too, and the Python part of parsing do not hold up
    answers. What it does not: one call into C, such as decoding a document's JSON, keeps the interpreter's lock until
    it returns, and the loop waits for it; elsewhere the loop gets its turn after the switch interval (worker.py makes
    it short).
    """

    def __init__(self, watched: Sequence[Watched[object]], *, chore: Callable[[], None]) -> None:
        """Set up; `chore` is called after each round of polls and must not raise."""
        super().__init__(name="files", daemon=True)
        self._watched = watched
        self._chore = chore
        self._stopping = threading.Event()

    def poll(self) -> None:
        """Look at every file once, and keep what is new out of the garbage collector's rounds.

        A snapshot of bindings is many objects that live long: frozen, no collection walks through them. They go by
        reference count when they are replaced, frozen or not.
        """
        gc.disable()
        try:
            if sum(file.poll() for file in self._watched):
                gc.freeze()
        finally:
            gc.enable()

    def run(self) -> None:
        """Poll until `stop`."""
        while not self._stopping.wait(POLL_S):
            self.poll()
            self._chore()

    def stop(self) -> None:
        """End the thread, and wait for it at most a second."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=1)


def _stamp(paths: Sequence[str]) -> tuple[Stamp, Sequence[str]]:
    """Return what identifies the files' present content, and their resolved paths."""
    resolved = [os.path.realpath(path) for path in paths]
    return tuple(_identity(path) for path in resolved), resolved


def _identity(path: str) -> Stamp:
    try:
        status = Path(path).stat()
    except OSError as error:
        return (path, error.errno)
    # ctime as well: a file that could not be read and now may be has changed nothing else.
    return (path, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
