"""The worker of the admin side: Flask behind the same bounded connections as admission, without TLS.

Not gunicorn's thread worker: any pod can reach the probes' port, and there as many stalled peers as it has threads stop
it (seen with four). Probes would fail and the kubelet would end a healthy pod. Here peers stall on the event loop until
their deadline, and a thread is taken only for a whole request.
"""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

from flask import Flask
from uvicorn_worker import UvicornWorker
from werkzeug.test import run_wsgi_app

from webhook import logs
from webhook.server.asgi import Receive, Scope, Send
from webhook.server.connections import UVICORN_OPTIONS, Connections, Limits

TICK_S = 0.25
THREADS = 4
LEAVE_S = 2.0  # for answers under way when it is told to stop
LIMITS = Limits(handshake=5, head=5, body=5, body_bytes=0, idle=75, age=float("inf"), connections=512)


class AdminWorker(UvicornWorker):  # type: ignore[misc] # the library has no types
    """Answers probes, Prometheus and people."""

    CONFIG_KWARGS = UVICORN_OPTIONS

    def load_wsgi(self) -> None:
        """Leave out gunicorn's loading: the application is wrapped on the loop."""

    async def _serve(self) -> None:
        logs.adopt()
        leaving = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, leaving.set)
        self.config.app = Pages(self.app.load())
        self.config.load()
        connections = Connections(self.config, identity=None, limits=LIMITS, cut=lambda _: None, listeners=self.sockets)
        connections.open()
        while not leaving.is_set() and os.getppid() == self.ppid:
            await self._turn(connections)
        connections.drain()
        connections.close()
        end = loop.time() + LEAVE_S
        while len(connections) and loop.time() < end:
            await self._turn(connections)

    async def _turn(self, connections: Connections) -> None:
        connections.sweep()
        connections.state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self.notify()
        await asyncio.sleep(TICK_S)


class Pages:
    """Flask as an ASGI application, for requests that have no body."""

    def __init__(self, app: Flask) -> None:
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
