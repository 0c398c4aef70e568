"""Pages for probes, Prometheus and people, over plain HTTP: a WSGI application, such as Flask, behind bounded connections.

Any pod can reach these ports. A server with a thread for each connection is stopped there by as many stalled peers as
it has threads (seen with four), or grows a thread for each; probes fail and the kubelet ends a healthy pod. Here peers
stall on an event loop until their deadline, and a thread is taken only for a whole request.

A process that has no event loop of its own gives one a thread:

    port = PagePort(Address("", 8082), app)    # listens; OSError where it cannot
    port.start()
    ...
    port.close()                               # answers what is under way, for at most LEAVE_S

The application is called in one of THREADS threads, with method, path, query, client address and host. A body is never
read: a request that has one of more than HEAD_MAX_BYTES is cut.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import uvloop
from uvicorn.config import Config
from werkzeug.test import run_wsgi_app

from webhook.ports.asgi import Receive, Scope, Send
from webhook.ports.connections import UVICORN_OPTIONS, Connections, Limits
from webhook.ports.listen import listen
from webhook.settings.parsers import Address

TICK_S = 0.25
THREADS = 4
LEAVE_S = 2.0  # for answers under way when it is told to stop
LIMITS = Limits(handshake=5, head=5, body=5, body_bytes=0, idle=75, age=float("inf"), connections=512)

Wsgi = Callable[..., Any]


class PagePort:
    """Serves an application on an address, from a thread with an event loop; `port` is the one listened on."""

    def __init__(self, address: Address, app: Wsgi, *, limits: Limits = LIMITS) -> None:
        """Listen; connections wait until `start`.

        Raises:
            OSError: the address is taken, or not ours; the text names it.
        """
        self._app = app
        self._limits = limits
        self._listener = listen(address)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Listen no more; answers under way are given, for at most LEAVE_S."""
        self._leaving.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S + 2 * TICK_S)
        self._listener.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(self._app, [self._listener], goes_on=self._goes_on, limits=self._limits))

    def _goes_on(self) -> bool:
        return not self._leaving.is_set()


async def serve(
    app: Wsgi, listeners: Sequence[socket.socket], *, goes_on: Callable[[], bool], limits: Limits = LIMITS
) -> None:
    """Answer until `goes_on`, which is asked every TICK_S, says no; what is under way then has LEAVE_S."""
    config = Config(Pages(app), log_config=None, **UVICORN_OPTIONS)
    config.load()
    connections = Connections(config, tls=None, limits=limits, cut=_say_nothing, listeners=listeners)
    connections.open()
    while goes_on():
        await _turn(connections)
    connections.drain()
    connections.close()
    loop = asyncio.get_running_loop()
    end = loop.time() + LEAVE_S
    while len(connections) and loop.time() < end:
        await _turn(connections)


def _say_nothing(cause: str, peer: str, problem: str = "") -> None:
    """Count nothing: what a peer of these ports does is no news."""


async def _turn(connections: Connections) -> None:
    connections.sweep()
    connections.state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
    await asyncio.sleep(TICK_S)


class Pages:
    """A WSGI application as an ASGI application, for requests that have no body."""

    def __init__(self, app: Wsgi) -> None:
        """Wrap app."""
        self._app = app
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pages")

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        status, headers, body = await loop.run_in_executor(self._threads, self._answer, _environ(scope))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, environ: dict[str, Any]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        parts, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        encoded = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers]
        return int(status.split()[0]), encoded, b"".join(parts)


def _environ(scope: Scope) -> dict[str, Any]:
    """Return what our pages look at: method, path, client and host. A body is never read."""
    named = dict(scope["headers"])
    return {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "REMOTE_ADDR": (scope["client"] or ("",))[0],
        "HTTP_HOST": named.get(b"host", b"").decode("latin1"),
        "SERVER_NAME": "vault-webhook",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
