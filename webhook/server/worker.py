"""One worker process: uvicorn's gunicorn worker (uvloop, httptools), with a server loop of our own.

Ours: accepting (connections.py), the certificate that changes (tls.py, files.py), the state file, and leaving without
a lost request.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from uvicorn_worker import UvicornWorker

from webhook import logs, yaml_text
from webhook.answer import Answer
from webhook.ports.connections import UVICORN_OPTIONS, Connections, Limits
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.server import decision_lines, state
from webhook.server.asgi import Application, Bounds
from webhook.server.confirmation_client import ConfirmationClient
from webhook.server.files import Keeper, Watched
from webhook.server.metrics import Tally
from webhook.server.runtime import Running
from webhook.server.state import BEAT_S, BindingsState, CertificateState, WorkerState
from webhook.server.tls import Certificate, serving_tls
from webhook.settings.read import Settings

T = TypeVar("T")

TICK_S = 0.1
CONNECTIONS_MAX = 512  # an API server keeps at most 25 idle ones; a stalled peer is 55 kB of ours, at worst 400
DESCRIPTORS_OURS = 64  # files and pipes of the process itself
SWITCH_S = 0.001  # how soon the loop gets its turn while another thread runs Python code
GARBAGE_THRESHOLDS = (20_000, 20, 20)  # a request leaves no cycles behind: few rounds, over the young only


# A crowd keeps others waiting, an operator should know; that a peer was idle for long is no news.
_CUT_LEVELS = {"crowd": logging.WARNING, "idle": logging.DEBUG}


class AdmissionWorker(UvicornWorker):  # type: ignore[misc] # the library has no types
    """Answers the API server."""

    CONFIG_KWARGS = UVICORN_OPTIONS

    def load_wsgi(self) -> None:
        """Leave out gunicorn's loading: the application is made on the loop, with what it uses."""

    async def _serve(self) -> None:
        serving = _Serving(self, self.app.running)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.drain)
        loop.add_signal_handler(signal.SIGQUIT, serving.hurry)
        await serving.run()


class _Document(NamedTuple):
    """A bindings document in use; counted once, a large one takes a while."""

    snapshot: Snapshot
    size_bytes: int
    roles: int
    mounts: int


class _Serving:
    """The life of one worker, on its event loop."""

    def __init__(self, worker: AdmissionWorker, running: Running) -> None:
        settings = running.settings
        self._worker = worker
        self._settings = settings
        self._folders = running.folders
        self._lines = logs.Lines()
        self._log = logs.configure(level=settings.log_level, log_format=settings.log_format, lines=self._lines)
        self._tally = Tally(running.folders.metrics)
        self._started_at = time.time()
        self._beat = time.monotonic()
        self._beat_written = 0.0
        self._draining = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._identity = serving_tls(settings)
        files = [settings.tls_cert_file, settings.tls_key_file, *filter(None, (settings.client_ca_file,))]
        self._certificate: Watched[Certificate] = self._watch(
            "certificate", files, lambda paths: self._identity.read(*paths)
        )
        self._spared = logs.Spared()
        self._bindings: Watched[_Document] = self._watch("bindings", (settings.bindings,), _load_bindings)
        self._watched: Sequence[Watched[object]] = cast(
            "Sequence[Watched[object]]",
            (self._certificate, self._bindings) if settings.bindings else (self._certificate,),
        )
        self._keeper = Keeper(self._watched, chore=self._after_poll)
        config = worker.config
        config.app = Application(
            {"/mutate": running.admission.answer},
            bindings=self._snapshot,
            bounds=Bounds(body_bytes=settings.body_limit_bytes, refusals_per_second=settings.refusals_per_second),
            tally=self._tally,
            log=self._log,
            log_decision=self._log_decision(),
            confirmations=ConfirmationClient(settings.confirm_socket) if settings.confirm_socket else None,
        )
        config.load()
        self._connections = Connections(
            config,
            tls=self._identity.context,
            limits=_limits(settings),
            cut=self._cut,
            admits=self._identity.admits,
            listeners=worker.sockets,
        )

    def _watch(self, name: str, paths: Sequence[str], load: Callable[[Sequence[str]], T]) -> Watched[T]:
        return Watched(name, paths, load=load, now=time.time, loaded=self._tally.loaded, log=self._log)

    def _cut(self, cause: str, peer: str, problem: str = "") -> None:
        """Count a connection that ended early, and write down the first of many."""
        self._tally.cut(cause)
        more = {"problem": problem} if problem else {}
        self._spared.write(
            self._log, _CUT_LEVELS.get(cause, logging.INFO), f"connection cut: {cause}", peer=peer, **more
        )

    def drain(self) -> None:
        """Begin to leave: SIGTERM."""
        self._connections.drain()
        self._draining.set()
        self._beat_written = 0.0  # readiness ends with the next poll, not with the next beat

    def hurry(self) -> None:
        """Leave now: SIGQUIT."""
        self.drain()
        self._hurrying.set()

    async def run(self) -> None:
        """Serve until told to leave, then leave."""
        self._lines.start(self._folders.log_lock)
        sys.setswitchinterval(SWITCH_S)
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        self._keeper.poll()
        self._after_poll()
        gc.collect()
        gc.freeze()
        self._keeper.start()
        self._connections.open()
        await self._turn_until(self._draining)
        if self._settings.drain_s:
            self._log.info("draining", seconds=self._settings.drain_s)
            await self._turn_until(self._hurrying, seconds=self._settings.drain_s)
        self._connections.close()
        while len(self._connections) and not self._hurrying.is_set():
            await self._turn()
        self._tally.flush(lost_lines=self._lines.dropped)
        self._keeper.stop()
        self._lines.stop()

    async def _turn_until(self, event: asyncio.Event, *, seconds: float = float("inf")) -> None:
        end = time.monotonic() + seconds
        while not event.is_set() and time.monotonic() < end:
            await self._turn()

    async def _turn(self) -> None:
        """Do what is due a few times a second, and once a second."""
        self._connections.sweep()
        now = time.monotonic()
        if now - self._beat >= BEAT_S or not self._connections.state.default_headers:
            self._beat = now
            self._connections.state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
            self._tally.flush(lost_lines=self._lines.dropped)
            self._worker.notify()
            if os.getppid() != self._worker.ppid:  # gunicorn's master is gone: nobody would stop us
                self._log.error("the master process is gone, leaving")
                self.drain()
        await asyncio.sleep(TICK_S)

    def _log_decision(self) -> Callable[[Answer, float], None] | None:
        settings = self._settings
        if logs.LEVELS[settings.log_level] > logging.INFO:
            return None
        return decision_lines.writer(self._log, log_format=settings.log_format, lines=self._lines)

    def _snapshot(self) -> Snapshot | None:
        current = self._bindings.current
        return None if current is None else current.snapshot

    def _after_poll(self) -> None:
        """Take the certificate into use and write the state file; runs in the keeper's thread."""
        self._identity.certificate = self._certificate.current
        if self._beat == self._beat_written:
            return
        self._beat_written = self._beat
        try:
            state.write(self._folders.workers, self._state())
        except OSError as error:
            self._log.error("cannot write the state file", problem=str(error))

    def _state(self) -> WorkerState:
        certificate, loaded = self._certificate, self._certificate.current
        document, current = self._bindings, self._bindings.current
        return WorkerState(
            pid=os.getpid(),
            beat=self._beat,
            started_at=self._started_at,
            draining=self._draining.is_set(),
            in_flight=self._connections.in_flight,
            connections=len(self._connections),
            certificate=CertificateState(
                source=self._settings.tls_cert_file,
                loaded_at=certificate.loaded_at,
                problem=certificate.problem,
                size_bytes=0 if loaded is None else loaded.size_bytes,
                not_before=0.0 if loaded is None else loaded.not_before,
                not_after=0.0 if loaded is None else loaded.not_after,
            ),
            bindings=BindingsState(
                source=self._settings.bindings,
                loaded_at=document.loaded_at,
                problem=document.problem if self._settings.bindings else "",
                size_bytes=0 if current is None else current.size_bytes,
                fetched_at=None if current is None else current.snapshot.fetched_at,
                roles=0 if current is None else current.roles,
                mounts=0 if current is None else current.mounts,
            ),
        )


def _load_bindings(paths: Sequence[str]) -> _Document:
    document = Path(paths[0]).read_bytes()
    snapshot = load(document, yaml_text.documents)
    return _Document(snapshot, len(document), snapshot.role_count, snapshot.mount_count)


def _limits(settings: Settings) -> Limits:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        handshake=settings.handshake_timeout_s,
        head=settings.header_timeout_s,
        body=settings.body_timeout_s,
        body_bytes=settings.body_limit_bytes,
        idle=settings.keep_alive_s,
        age=settings.connection_max_age_s,
        connections=max(16, min(CONNECTIONS_MAX, descriptors - DESCRIPTORS_OURS)),
    )
