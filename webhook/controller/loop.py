"""What runs when: a poll (lists, then texts in the order schedule.py gives), the document after it, a pause.

One thread runs the loop. Others, the confirmations, read through the same Reader, and call `wake` when a pod asked for
a role whose text is not known yet.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from webhook.controller import bindings_file, schedule
from webhook.controller.errors import DeniedError, MalformedError, NoRouteError, RefusedError, SourceError
from webhook.controller.known import Key
from webhook.controller.reading import Result, Shared, VaultReader
from webhook.rolecheck.bindings.load import BindingsError, load_json
from webhook.settings.control import Control

IN_FLIGHT = 4  # texts read at once
BATCH = 20  # texts read between two looks at what else is due
FIRST_WRITE_S = 5.0  # so long the first document may wait for texts; readiness waits for 10 s
WRITE_S = 5.0  # between two documents of one poll: the server parses each
_OF_ONE_TEXT = (DeniedError, MalformedError, NoRouteError, RefusedError)


class Log(Protocol):
    """Where the loop says what happened; structlog has this shape."""

    def info(self, event: str, **fields: Any) -> object:
        """Say what went well."""

    def warning(self, event: str, **fields: Any) -> object:
        """Say what is lacking."""


@dataclass(slots=True, kw_only=True)
class Health:
    """How the loop fares; read by other threads. Times are Unix seconds."""

    started_at: float
    beat: float = 0.0  # monotonic
    polls: int = 0
    failures: int = 0  # in a row
    failed: dict[str, int] = field(default_factory=dict)  # polls by cause, all
    problems: dict[str, str] = field(default_factory=dict)  # of the last poll: place to text
    causes: dict[str, str] = field(default_factory=dict)  # the same: place to cause
    last_poll_at: float | None = None
    next_poll_at: float | None = None
    written_at: float | None = None
    write_problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, for tests to replace.

    Attributes:
        unix: seconds since 1970.
        steady: seconds that never go back.
        sleep: waits for seconds.
        chance: a number from 0 to 1.
    """

    unix: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random


class Loop:
    """Keeps the document fresh until it is stopped."""

    def __init__(self, control: Control, reader: VaultReader, shared: Shared, *, log: Log, clock: Clock) -> None:
        """Set up; nothing is asked before `run`."""
        self._control = control
        self._reader = reader
        self._shared = shared
        self._log = log
        self._clock = clock
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="texts")
        self._written = b""
        self._write_after = 0.0
        self.health = Health(started_at=clock.unix(), beat=clock.steady())

    def run(self) -> None:
        """Poll, write and pause until `stop`."""
        while not self._stopping.is_set():
            self.once()
        self.close()

    def close(self) -> None:
        """Begin no further reads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def once(self) -> None:
        """Do one poll with its pause: lists, texts until the next poll is due, documents in between."""
        order, pause_s = self.poll()
        end = self._clock.steady() + pause_s
        self.health.next_poll_at = self._clock.unix() + pause_s
        self._read_until(end, order)

    def wake(self) -> None:
        """Look now at what pods ask for."""
        self._wake.set()

    def stop(self) -> None:
        """End soon: after the requests under way, which have deadlines."""
        self._stopping.set()
        self._wake.set()

    def poll(self) -> tuple[list[Key], float]:
        """Read the lists; return the texts to read in order, and the seconds until the next poll."""
        self._beat()
        result = self._reader.lists()
        self._note(result)
        if result.ended_early:
            return [], self._pause(result.retry_after_s)
        now = self._clock.unix()
        with self._shared.lock:
            asked = self._shared.asked
            for key in [key for key, at in asked.items() if now - at > schedule.ASKED_S]:
                del asked[key]
            order = schedule.reading_order(
                self._shared.known.texts(), asked, now=now, interval_s=self._control.poll_interval_s
            )
        return order, self._pause(result.retry_after_s)

    def read(self, keys: Sequence[Key]) -> SourceError | None:
        """Read texts, several at once; return why Vault is not there, None when it is."""
        futures = [self._pool.submit(self._text, key) for key in keys]
        return next((error for future in futures if (error := future.result()) is not None), None)

    def wanted(self) -> list[Key]:
        """Return, once, texts that were never read and that a pod asked for, or a role that was just read names."""
        with self._shared.lock:
            wanted = self._shared.wanted
            keys = list(wanted)[:BATCH]
            for key in keys:
                del wanted[key]
        return keys

    def write(self) -> None:
        """Write the document if it changed; one that could not be loaded is not written."""
        self._labels()
        with self._shared.lock:
            self._shared.changed = False
            content = bindings_file.of(self._shared.known, self._control)
            is_empty = not self._shared.known.mounts and self._shared.known.fetched_at is None
        encoded = bindings_file.encode(content)
        self._write_after = self._clock.steady() + WRITE_S
        if is_empty or encoded == self._written:
            return
        try:
            load_json(encoded)
            bindings_file.write(Path(self._control.document), encoded)
        except (BindingsError, OSError) as error:
            self._shared.changed = True
            self._tell_write_problem(str(error))
            return
        self._tell_write_problem("")
        self._written = encoded
        self.health.written_at = self._clock.unix()

    def _read_until(self, end: float, order: list[Key]) -> None:
        """Read texts in order, those that pods ask for now before all others; write now and then; wait for the rest."""
        position, was_done = 0, False
        self._write_after = self._clock.steady() + (FIRST_WRITE_S if self.health.written_at is None else WRITE_S)
        while not self._stopping.is_set() and (now := self._beat()) < end:
            keys = self.wanted()
            if not keys:
                keys = order[position : position + BATCH]
                position += len(keys)
            if keys and (problem := self.read(keys)) is not None:
                position = len(order)
                end = self._clock.steady() + self.failed(problem)
            is_done = position >= len(order) and not self._shared.wanted  # policies of roles just read come behind them
            if self._shared.changed and ((is_done and not was_done) or self._clock.steady() >= self._write_after):
                self.write()
            was_done = was_done or is_done
            if is_done and not keys:
                self._wake.wait(max(0.0, min(end - now, 1.0)))
                self._wake.clear()

    def _text(self, key: Key) -> SourceError | None:
        try:
            self._reader.text(key)
        except _OF_ONE_TEXT as error:
            self._log.warning("no usable answer", name=key.name, mount=key.mount, problem=str(error))
        except SourceError as error:
            return error
        return None

    def _labels(self) -> None:
        try:
            self._reader.labels()
        except SourceError as error:
            self._problem("kubernetes/namespaces", error)
        else:
            self.health.problems.pop("kubernetes/namespaces", None)
            self.health.causes.pop("kubernetes/namespaces", None)

    def _note(self, result: Result) -> None:
        health = self.health
        health.polls += 1
        health.last_poll_at = self._clock.unix()
        kept = {place for place in health.problems if place.startswith("kubernetes/")}
        for place in set(health.problems) - set(result.problems) - kept:
            self._log.info("reads again", place=place)
            del health.problems[place], health.causes[place]
        for place, problem in result.problems.items():
            self._problem(place, problem)
        if result.is_failure:
            health.failures += 1
        else:
            health.failures = 0

    def failed(self, problem: SourceError) -> float:
        """Note that Vault is not there for texts; return the seconds until the next poll."""
        self.health.failures += 1
        self._problem("texts", problem)
        return self._pause(getattr(problem, "retry_after_s", 0.0))

    def _problem(self, place: str, problem: SourceError) -> None:
        """Count a problem, and log it when it is new."""
        health = self.health
        health.failed[problem.cause] = health.failed.get(problem.cause, 0) + 1
        if health.causes.get(place) != problem.cause:
            self._log.warning("cannot read", place=place, cause=problem.cause, problem=str(problem))
        health.problems[place], health.causes[place] = str(problem), problem.cause

    def _tell_write_problem(self, problem: str) -> None:
        if problem and problem != self.health.write_problem:
            self._log.warning("cannot write the document", path=self._control.document, problem=problem)
        self.health.write_problem = problem

    def _pause(self, retry_after_s: float) -> float:
        return schedule.pause_s(
            self._control.poll_interval_s,
            failures=self.health.failures,
            retry_after_s=retry_after_s,
            chance=self._clock.chance(),
        )

    def _beat(self) -> float:
        self.health.beat = self._clock.steady()
        return self.health.beat
