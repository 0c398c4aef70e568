"""Log lines of both processes, each a JSON object or readable: ours through structlog, and every library's the same way.

`configure` sends all of a process there: structlog, the standard library's loggers, warnings, and errors that nobody
caught. What goes in is chosen at each call: names, codes and counts, never a pod, a token or a template. No text that
came over the wire can end a line, begin another, or move a terminal's cursor: what does not print is escaped.

A server's worker hands its lines to a thread, since a reader that stalls must not stop the event loop: `Lines.start`.
`Lines` and not `logging.handlers.QueueListener`, because a line is written for each request: handing over one rendered
line costs 0.1 to 0.3 microseconds here and some 30 there (a record, a lock, a formatter and a system call for each),
memory is bounded here and not there, and several workers write to one pipe, which mixes what is longer than a page
unless they take turns.
"""

import fcntl
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog

STANDARD_OUTPUT = 1
PENDING_MAX = 20_000  # lines a stalled reader may leave behind, some 6 MB; later ones are dropped and counted
WRITE_MAX_BYTES = 65_536  # a pipe holds as much; each write costs the loop a wait for the interpreter's lock
FLUSH_S = 0.05
NAME_MAX = 128  # characters of a name that came with a request
TEXT_MAX = 2_000  # characters of a library's message
SPARED_S = 10.0  # so long lines of one kind are counted
SPARED_LINES = 10  # of one kind in that time; later ones are left out, and the next one says how many
SPARED_KINDS = 256  # a kind is a place in the code, so there are few

# The names that settings have (go_values.LOG_LEVELS reads others' names into these) as the standard library's numbers.
LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}

Logger = structlog.typing.FilteringBoundLogger
Event = MutableMapping[str, Any]
# Delete, C1 controls, and what Unicode has to break lines or turn the order of characters; JSON escapes the rest.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_encoder = msgspec.json.Encoder(enc_hook=repr).encode


def encode(value: object) -> bytes:
    """Return a value as one line of JSON, in which everything prints."""
    try:
        line = _encoder(value)
    except UnicodeEncodeError:  # half of a pair, such as in a file's name that is no UTF-8
        line = _encoder(_whole(value))
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNPRINTABLE.sub(_escaped, line.decode()).encode()


def _whole(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _whole(msgspec.structs.asdict(value))
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


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
        self._one_at_a_time = threading.Lock()  # of the threads that write at once

    def start(self, lock: Path | None = None) -> None:
        """Write from a thread of our own from here on.

        Args:
            lock: a file all workers share; who writes much at once holds it, else a full pipe would mix their lines.
                None where no other process writes to the same place.
        """
        if lock is not None:
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
        with self._one_at_a_time:
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


class Clock:
    """RFC 3339 times in UTC; the part up to the second is formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def now(self) -> str:
        """Return the time, such as 2026-02-03T04:05:06.789Z."""
        now_ms = time.time_ns() // 1_000_000
        second, milliseconds = divmod(now_ms, 1_000)
        if second != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._second = second
        return f"{self._text}{milliseconds:03d}Z"


def _renderer(log_format: str) -> Callable[[Any, str, Event], bytes]:
    now = Clock().now

    def as_json(_: Any, level: str, event: Event) -> bytes:
        return encode({"time": now(), "level": level, "event": event.pop("event", ""), **event})

    def as_text(_: Any, level: str, event: Event) -> bytes:
        said = event.pop("event", "")
        trace = event.pop("exception", "")
        fields = b"".join(b" %s=%s" % (key.encode(), encode(value)) for key, value in event.items())
        # A name or a message that came over the wire is escaped like any value: a line stays one line.
        text = encode(said)[1:-1] if isinstance(said, str) else encode(said)
        return b"%s %-7s %s%s%s" % (now().encode(), level.encode(), text, fields, _indented(trace))

    return as_json if log_format == "json" else as_text


def _indented(trace: str) -> bytes:
    """Return a trace below its line, set in: none of its lines can pass for a line of the log."""
    lines = _CONTROL.sub(_escaped, trace).split("\n") if trace else ()
    return "".join(f"\n    {line}" for line in lines).encode(errors="backslashreplace")


class Spared:
    """Counts lines by kind, so that what a peer can cause any number of times does not fill the log."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kinds: dict[Hashable, tuple[float, int]] = {}  # when its window began, lines in it

    def left_out(self, kind: Hashable) -> int | None:
        """Return how many lines were left out before this one; None: leave out this one too."""
        now = self._now()
        began, count = self._kinds.get(kind, (now, 0))
        if now - began >= SPARED_S:
            self._kinds[kind] = (now, 1)
            return max(0, count - SPARED_LINES)
        if kind not in self._kinds and len(self._kinds) >= SPARED_KINDS:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[kind] = (began, count + 1)
        return None if count >= SPARED_LINES else 0

    def write(self, log: Logger, level: int, event: str, **fields: Any) -> None:
        """Write a line whose kind is its event, unless there were enough of them lately."""
        left_out = self.left_out(event)
        if left_out is not None:
            log.log(level, event, **fields, **({"left_out": left_out} if left_out else {}))


class _FromStandardLibrary(logging.Handler):
    """Passes records of gunicorn, uvicorn, Flask, asyncio and others on to structlog; a kind is a place in their code."""

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log
        self._spared = Spared()

    def emit(self, record: logging.LogRecord) -> None:
        left_out = self._spared.left_out((record.name, record.pathname, record.lineno))
        if left_out is not None:
            more = {"left_out": left_out} if left_out else {}
            text = record.getMessage().strip()[:TEXT_MAX]
            self._log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info, **more)


def configure(*, level: str, log_format: str, lines: Lines) -> Logger:
    """Send all lines of this process to `lines`, and return the logger for ours.

    A line has `time` (UTC, milliseconds), `level`, `event`, and then its fields in the order they were given.

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
    logging.captureWarnings(capture=True)
    adopt()
    _hook(log)
    return log


def adopt() -> None:
    """Take from every logger there is the handlers of its own; call it again after a library made some.

    uvicorn's gunicorn worker does: what its loggers had to say went out bare, to standard error.
    """
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers = []
            logger.propagate = True


def _hook(log: Logger) -> None:
    """Write errors that nobody caught as lines."""

    def uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("an error nobody caught", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit and args.exc_value is not None:
            name = args.thread.name if args.thread else ""
            trace = args.exc_type, args.exc_value, args.exc_traceback
            log.critical("an error nobody caught", thread=name, exc_info=trace)

    def unraisable(args: Any) -> None:
        trace = args.exc_type, args.exc_value, args.exc_traceback
        log.error("an error nobody could catch", where=args.err_msg or "", exc_info=trace)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
