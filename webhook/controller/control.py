"""The process `vault-webhook control`: puts the parts together, and ends with 0 on SIGTERM.

    main thread      waits for a signal, writes the state file
    loop             polls, writes the document            loop.py
    texts, confirm   read roles                            loop.py, confirmation_server.py
    pages            probes and metrics                    health.py

Also what the command line uses of it once: `pull`.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from webhook import logs
from webhook.controller import bindings_file
from webhook.controller.bucket import Bucket
from webhook.controller.confirmation_server import ConfirmationServer, ConfirmationService
from webhook.controller.errors import SourceError
from webhook.controller.health import Pages, Report
from webhook.controller.known import Known
from webhook.controller.kube import Kube
from webhook.controller.loop import BATCH, Clock, Log, Loop
from webhook.controller.reading import Shared, VaultReader
from webhook.controller.session import Session
from webhook.controller.vault import READ_TIMEOUT_S
from webhook.settings.control import Control
from webhook.settings.read import Settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STATE_S = 1.0
QUESTIONS_SHARE = 0.5  # of the requests a second: questions must not stop the polls
STOP_S = 8.0  # for requests under way


class Parts:
    """Everything between the settings and the loop."""

    def __init__(
        self,
        control: Control,
        known: Known,
        log: Log,
        *,
        clock: Clock | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Make the parts.

        Args:
            control: the settings.
            known: what is known at the start.
            log: told what happens.
            clock: time, for tests to replace.
            read_timeout_s: longest wait for an answer of Vault.
        """
        self.clock = clock or Clock()
        self.shared = Shared(known)
        bucket = self._bucket(control.reads_per_second)
        self.session = Session(control, bucket, now=self.clock.steady, read_timeout_s=read_timeout_s)
        kube = Kube(control) if control.reads_labels else None
        self.reader = VaultReader(control, self.session, self.shared, kube=kube, now=self.clock.unix)
        self.loop = Loop(control, self.reader, self.shared, log=log, clock=self.clock)
        self.confirmer = ConfirmationService(
            control,
            self.reader,
            self.shared,
            share=self._bucket(control.reads_per_second * QUESTIONS_SHARE),
            now=self.clock.unix,
            wake=self.loop.wake,
        )

    def _bucket(self, per_second: float) -> Bucket:
        return Bucket(per_second, now=self.clock.steady, sleep=self.clock.sleep)


def run(settings: Settings) -> int:
    """Keep the document fresh until SIGTERM or SIGINT; return 0 then, 1 when it cannot start."""
    control = settings.control
    lines = logs.Lines()
    log = logs.configure(level=settings.log_level, log_format=settings.log_format, lines=lines)
    if not control.document:
        return _cannot("BINDINGS is not set: name the file to keep fresh")
    parts = Parts(control, _last(control, log), log)
    stopping = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: stopping.set())
    answerer = ConfirmationServer(control.confirm_socket, parts.confirmer) if control.confirm_socket else None
    report = Report(parts.shared, parts.loop.health, parts.session, parts.confirmer)
    try:
        pages = Pages(control.listen, report)
    except OSError as error:
        return _cannot(f"cannot listen on {control.listen}: {error.strerror or error}")
    if answerer is not None:
        answerer.start()
        answerer.is_open.wait()
        if answerer.problem:
            pages.close()
            return _cannot(f"cannot open {control.confirm_socket}: {answerer.problem}")
    lines.start()  # a reader that stalls must not stop the answers
    loop = threading.Thread(target=parts.loop.run, name="loop", daemon=True)
    loop.start()
    log.info("started", document=control.document, vault=control.vault_address, port=pages.port)
    while not stopping.wait(STATE_S) and loop.is_alive():
        _write_state(control, report, log)
    code = 0 if loop.is_alive() else 1
    parts.loop.stop()
    if answerer is not None:
        answerer.stop()
    loop.join(STOP_S)
    parts.session.close()
    pages.close()
    log.info("stopped", exit_code=code)
    lines.stop()
    return code


def pull(control: Control, *, progress: Callable[[int, int], None], log: Log) -> bytes:
    """Do one whole poll, every text included, and return the document.

    Args:
        control: the settings.
        progress: told how many texts are read, of how many.
        log: told what could not be read.

    Raises:
        SourceError: Vault is not there, or nothing could be listed.
    """
    parts = Parts(control, Known(), log)
    with _ended(parts):
        result = parts.reader.lists()
        for place, problem in result.problems.items():
            log.warning("cannot read", place=place, cause=problem.cause, problem=str(problem))
        with parts.shared.lock:
            is_empty = not parts.shared.known.mounts
        if result.problems and (result.ended_early or is_empty):
            raise next(iter(result.problems.values()))
        done: set[object] = set()
        while True:
            with parts.shared.lock:  # once more for the policies that the roles named
                keys = [key for key, _ in parts.shared.known.texts() if key not in done]
            if not keys:
                break
            for start in range(0, len(keys), BATCH):
                progress(len(done), len(done) + len(keys) - start)
                batch = keys[start : start + BATCH]
                problem_met = parts.loop.read(batch)
                if problem_met is not None:
                    raise problem_met
                done.update(batch)
        progress(len(done), len(done))
        try:
            parts.reader.labels()
        except SourceError as error:
            log.warning("cannot read", place="kubernetes/namespaces", cause=error.cause, problem=str(error))
        return bindings_file.encode(bindings_file.of(parts.shared.known, control))


@contextmanager
def _ended(parts: Parts) -> Iterator[None]:
    try:
        yield
    finally:
        parts.loop.close()
        parts.confirmer.close()
        parts.session.close()


def _last(control: Control, log: Log) -> Known:
    """Return what the last document told, so that a restart forgets nothing; what is old is told by its times."""
    path = Path(control.document)
    try:
        known = bindings_file.read(path.read_bytes())
    except FileNotFoundError:
        return Known()
    except (OSError, ValueError) as error:
        log.warning("cannot go on from the last document", path=str(path), problem=str(error))
        return Known()
    log.info("going on from the last document", path=str(path), mounts=len(known.mounts))
    return known


def _write_state(control: Control, report: Report, log: Log) -> None:
    if not control.state_file:
        return
    path = Path(control.state_file)
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(report.state()), indent=2) + b"\n")
        aside.replace(path)
    except OSError as error:
        log.warning("cannot write the state file", path=str(path), problem=str(error))


def _cannot(problem: str) -> int:
    sys.stderr.write(f"vault-webhook: {problem}\n")
    return 1
