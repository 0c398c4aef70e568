"""Starts and watches the two sides of `vault-webhook serve`: admission and admin, each a gunicorn with its own workers.

    supervisor (this process: binds, waits, forks, nothing else)
      +- admission: gunicorn master, N workers of worker.AdmissionWorker   TLS, event loop
      +- admin:     gunicorn master, 1 worker of admin_worker.AdminWorker  plain HTTP, Flask

A supervisor of our own and not one gunicorn with hooks, because gunicorn's master reaps every child as if it were a
worker and closes what it listens on as soon as it is told to stop. Here probes and metrics answer until the last
request of admission is done, each side may die without the other, and it takes a screen of code. A worker that dies
is replaced by its master. An admin side that dies is started again; an admission side that dies, or an admin side
that dies again and again, ends the whole with exit code 1, so that whoever runs us sees it.
"""

import ctypes
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger

from webhook import logs
from webhook.admit import Admission
from webhook.ports.listen import BACKLOG, listen
from webhook.server import admin, state
from webhook.server.admin_worker import AdminWorker
from webhook.server.runtime import Folders, Running
from webhook.server.tls import serving_tls
from webhook.server.worker import AdmissionWorker
from webhook.settings.read import Settings

WORKER_TIMEOUT_S = 30  # a worker whose loop stood still for so long is killed and replaced
STOP_MARGIN_S = 5  # for a worker to leave after its last deadline
ADMIN_STOP_S = 3
RESTARTS_MAX = 5  # of the admin side
RESTARTS_WINDOW_S = 60
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
PR_SET_PDEATHSIG = 1  # linux/prctl.h

Side = Callable[[], None]


def serve(settings: Settings, *, admission: Admission | None = None) -> int:
    """Answer the API server until SIGTERM or SIGINT; return 0 after a drain, 1 when it could not go on.

    Args:
        settings: all of them.
        admission: what answers reviews; by default those settings' own.
    """
    log = logs.configure(level=settings.log_level, log_format=settings.log_format, lines=logs.Lines())
    with ExitStack() as held:
        try:
            serving_tls(settings)  # or ValueError
            root = settings.runtime_dir or held.enter_context(tempfile.TemporaryDirectory(prefix="vault-webhook-"))
            folders = Folders(Path(root))
            folders.prepare()
            sockets = [held.enter_context(listen(address)) for address in (settings.listen, settings.admin_listen)]
        except (OSError, ValueError) as error:
            sys.stderr.write(f"vault-webhook: {error}\n")
            return 1
        if settings.binding_check == "off":
            log.warning("the role check is off: roles of pods are not looked at", setting="BINDING_CHECK")
        running = Running(settings, admission or Admission(settings), folders)
        return _Supervisor(running, sockets, log).run()


class _Supervisor:
    def __init__(self, running: Running, sockets: Sequence[socket.socket], log: logs.Logger) -> None:
        self._running = running
        self._admission_socket, self._admin_socket = sockets
        self._log = log
        self._sides: dict[int, str] = {}
        self._restarts: deque[float] = deque(maxlen=RESTARTS_MAX)
        self._stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Start both sides and stay until both are gone."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._announce()
            self._start("admin")
            self._start("admission")
            while self._sides:
                number = signal.sigwait(SIGNALS)
                if number == signal.SIGCHLD:
                    self._reap()
                else:
                    self._stop(number)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._log.info("stopped", exit_code=self._exit_code)
        return self._exit_code

    def _announce(self) -> None:
        addresses = {"admission": _address(self._admission_socket), "admin": _address(self._admin_socket)}
        state.write_whole(self._running.folders.addresses, msgspec.json.encode({"pid": os.getpid(), **addresses}))
        self._log.info("listening", pid=os.getpid(), **addresses)

    def _start(self, side: str) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._sides[pid] = side
            return
        code = 1
        try:
            _leave_with_parent()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._become(side)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - nothing of the child may go on in the parent's code
            self._log.critical("an error nobody caught", side=side, exc_info=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _become(self, side: str) -> None:
        """Run a side to its end, in a child; gunicorn leaves by SystemExit."""
        if side == "admission":
            self._admin_socket.close()
            _admission_side(self._running, self._admission_socket.detach()).run()
        else:
            self._admission_socket.close()
            _admin_side(self._running, self._admin_socket.detach()).run()

    def _stop(self, number: int) -> None:
        """Tell admission to drain; a second time, to leave at once."""
        self._log.info("stopping", signal=signal.Signals(number).name, again=self._stopping)
        self._tell("admission", signal.SIGINT if self._stopping else signal.SIGTERM)
        self._stopping = True
        # The workers have the socket of their own; ours would keep a queue open that nobody serves.
        self._admission_socket.close()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            side = self._sides.pop(pid, None)  # as process 1 we inherit orphans too
            if side is not None:
                self._ended(side, os.waitstatus_to_exitcode(status))

    def _ended(self, side: str, code: int) -> None:
        if side == "admission":
            if not self._stopping or code:
                self._fail(side, code)
            self._stopping = True
            self._tell("admin", signal.SIGTERM)
        elif self._stopping:
            return
        elif self._may_restart():
            self._log.error("a side ended, starting it again", side=side, code=code)
            self._start(side)
        else:
            self._fail(side, code)
            self._stop(signal.SIGTERM)

    def _may_restart(self) -> bool:
        now = time.monotonic()
        if len(self._restarts) == RESTARTS_MAX and now - self._restarts[0] < RESTARTS_WINDOW_S:
            return False
        self._restarts.append(now)
        return True

    def _fail(self, side: str, code: int) -> None:
        self._log.error("a side ended, leaving", side=side, code=code)
        self._exit_code = 1

    def _tell(self, side: str, number: int) -> None:
        for pid, name in self._sides.items():
            if name == side:
                os.kill(pid, number)


def _address(bound: socket.socket) -> Mapping[str, object]:
    host, port, *_ = bound.getsockname()
    return {"host": host, "port": port}


def _leave_with_parent() -> None:
    """Ask for SIGTERM when the parent dies however it dies, and keep the terminal's Ctrl-C to the parent."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class _Log(GunicornLogger):  # type: ignore[misc] # the library has no types
    """Gunicorn's log, in our lines."""

    def setup(self, cfg: Any) -> None:
        """Let records go to the root logger; requests have lines of their own."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        # What gunicorn says of its own well-being is noise beside our lines.
        self.error_log.setLevel(logging.DEBUG if cfg.loglevel == "debug" else logging.WARNING)


class _Gunicorn(BaseApplication):  # type: ignore[misc] # the library has no types
    """A gunicorn configured in code: no file, no arguments, no variables."""

    def __init__(self, running: Running, descriptor: int, load: Callable[[], object], **options: object) -> None:
        self.running = running
        self.load = load  # what gunicorn calls in each worker
        self._options = {
            "bind": f"fd://{descriptor}",
            "backlog": BACKLOG,
            "logger_class": _Log,
            "loglevel": "debug" if logs.LEVELS[running.settings.log_level] <= logging.DEBUG else "info",
            "worker_tmp_dir": str(running.folders.root),
            "control_socket_disable": True,
            "timeout": WORKER_TIMEOUT_S,
            **options,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)


def _admission_side(running: Running, descriptor: int) -> _Gunicorn:
    settings = running.settings
    longest_s = settings.header_timeout_s + settings.body_timeout_s
    return _Gunicorn(
        running,
        descriptor,
        lambda: running.admission,
        proc_name="vault-webhook admission",
        worker_class=AdmissionWorker,
        workers=settings.workers,
        graceful_timeout=int(settings.drain_s + longest_s + STOP_MARGIN_S),
        child_exit=lambda _master, worker: state.forget(running.folders.workers, worker.pid),
    )


def _admin_side(running: Running, descriptor: int) -> _Gunicorn:
    return _Gunicorn(
        running,
        descriptor,
        lambda: admin.create_app(running.settings, running.folders),
        proc_name="vault-webhook admin",
        worker_class=AdminWorker,
        workers=1,
        graceful_timeout=ADMIN_STOP_S,
    )
