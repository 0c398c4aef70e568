"""Log lines through structlog, each a JSON object or readable; the standard library's records take the same way.

A worker hands its lines to a thread, since a reader that stalls must not stop the event loop: `Lines.start`. Everyone
else writes at once. What goes in is chosen at each call: names, codes and counts, never a pod, a token or a template.
"""

import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

from webhook.answer import Answer

STANDARD_OUTPUT = 1
PENDING_MAX = 20_000  # lines a stalled reader may leave behind, some 6 MB; later ones are dropped and counted
WRITE_MAX_BYTES = 65_536  # a pipe holds as much; each write costs the loop a wait for the interpreter's lock
FLUSH_S = 0.05
NAME_MAX = 128  # characters of a name that came with a request

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "notice": logging.INFO,
    "info": logging.INFO,
    "": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "err": logging.ERROR,
    "error": logging.ERROR,
}

Logger = structlog.typing.FilteringBoundLogger
Event = MutableMapping[str, Any]
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_encode_plain = msgspec.json.Encoder().encode


class Lines:
    """Where rendered lines go: written at once, or by a thread after `start`.

    Attributes:
        dropped: lines lost because nobody read the earlier ones.
    """

    def __init__(self, descriptor: int = STANDARD_OUTPUT) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._pending: deque[bytes] = deque()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock: int | None = None

    def start(self, lock: Path) -> None:
        """Write from a thread of our own from here on.

        Args:
            lock: a file all workers share; who writes much at once holds it, else a full pipe would mix their lines.
        """
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is pending, for at most a second, and go back to writing at once."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join(timeout=1)
            self._thread = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def msg(self, line: bytes) -> None:
        """Take one line without its end."""
        if len(self._pending) >= PENDING_MAX:
            self.dropped += 1
            return
        self._pending.append(line)
        if self._thread is None:
            self._flush()

    log = debug = info = warn = warning = error = err = exception = critical = fatal = msg

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        pending = self._pending
        while pending:
            part = [pending.popleft()]
            size = len(part[0]) + 1
            while pending and size + len(pending[0]) < WRITE_MAX_BYTES:
                size += len(pending[0]) + 1
                part.append(pending.popleft())
            part.append(b"")
            self._write(b"\n".join(part))

    def _write(self, part: bytes) -> None:
        rest = memoryview(part)
        try:
            with self._alone():
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # nobody reads any more: the answers matter, the lines do not
            self.dropped += bytes(rest).count(b"\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._lock is None:  # single lines: too short to be mixed
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


class _Clock:
    """RFC 3339 times in UTC; the part up to the second is formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        now_ms = time.time_ns() // 1_000_000
        second, milliseconds = divmod(now_ms, 1_000)
        if second != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._second = second
        return f"{self._text}{milliseconds:03d}Z"


def _renderer(log_format: str) -> Callable[[Any, str, Event], bytes]:
    now = _Clock().now

    def as_json(_: Any, level: str, event: Event) -> bytes:
        return _encode({"time": now(), "level": level, "event": event.pop("event", ""), **event})

    def as_text(_: Any, level: str, event: Event) -> bytes:
        said = event.pop("event", "")
        trace = event.pop("exception", "")
        fields = b"".join(b" %s=%s" % (key.encode(), _encode(value)) for key, value in event.items())
        # A name or a message that came over the wire is escaped like any value: a line stays one line.
        text = _encode(said)[1:-1] if isinstance(said, str) else _encode(said)
        return b"%s %-7s %s%s%s" % (
            now().encode(),
            level.encode(),
            text,
            fields,
            f"\n{trace}".encode() if trace else b"",
        )

    return as_json if log_format == "json" else as_text


def logger_of_decisions(log: Logger, *, log_format: str, lines: Lines) -> Callable[[Answer, float], None]:
    """Return what writes the line of an answer, given the seconds it took.

    There is one for each request, so JSON is written in one step, in the shape structlog would give it and at a
    quarter of its time. Only for level info or below.
    """
    now = _Clock().now
    put = lines.msg

    def write(answer: Answer, took_s: float) -> None:
        put(_encode_plain({"time": now(), "level": "info", "event": answer.decision, **_fields(answer, took_s)}))

    def write_readable(answer: Answer, took_s: float) -> None:
        log.info(answer.decision, **_fields(answer, took_s))

    return write if log_format == "json" else write_readable


def _fields(answer: Answer, took_s: float) -> dict[str, Any]:
    outcome = answer.outcome
    return {
        "reason": answer.reason,
        "uid": answer.uid[:NAME_MAX],
        "namespace": answer.namespace[:NAME_MAX],
        "role": outcome.role[:NAME_MAX],
        "mount": outcome.mount[:NAME_MAX],
        "injection": outcome.injection_type,
        "findings": outcome.findings,
        "dry_run": answer.dry_run,
        "status": answer.status,
        "took_us": int(took_s * 1_000_000),
    }


class _FromStandardLibrary(logging.Handler):
    """Passes records of gunicorn, uvicorn, Flask and asyncio on to structlog."""

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(record.levelno, record.getMessage().strip(), logger=record.name, exc_info=record.exc_info)


def configure(*, level: str, log_format: str, lines: Lines) -> Logger:
    """Send structlog's and the standard library's lines to `lines`, and return the logger.

    Args:
        level: a key of LEVELS.
        log_format: `json`, else readable lines.
        lines: shared by everything in this process.
    """
    threshold = LEVELS[level]
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _renderer(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    log: Logger = structlog.get_logger().bind()
    root = logging.getLogger()
    root.handlers = [_FromStandardLibrary(log)]
    root.setLevel(threshold)
    return log
