"""A port in this process, with an application that a test can hold up, and a record of what was cut."""

import asyncio
import contextlib
import http.client
import socket
import threading
from collections import Counter

import uvloop
from uvicorn.config import Config

from webhook.ports.connections import UVICORN_OPTIONS, Connections, Limits
from webhook.ports.listen import listen
from webhook.settings.parsers import Address

PLACES = 16
LIMITS = {"handshake": 5, "head": 5, "body": 5, "body_bytes": 1 << 20, "idle": 60, "age": 600, "connections": PLACES}
REQUEST = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"


class Port:
    def __init__(self, *, body=b"here", **limits):
        self.cuts = Counter()
        self.hold = threading.Event()  # set: requests of /held are answered
        self.body = body
        self._limits = Limits(**{**LIMITS, **limits})
        self._listener = listen(Address("127.0.0.1", 0))
        self._opened = contextlib.ExitStack()
        self._leaving = threading.Event()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.address = self._listener.getsockname()

    def __enter__(self):
        self._thread.start()
        assert self._open.wait(10)
        return self

    def __exit__(self, *_):
        self._opened.close()
        self.hold.set()
        self._leaving.set()
        self._thread.join(10)

    def _run(self):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self):
        config = Config(self._app, log_config=None, **UVICORN_OPTIONS)
        config.load()
        limits = self._limits
        self.connections = Connections(config, tls=None, limits=limits, cut=self._cut, listeners=[self._listener])
        self.connections.open()
        self._open.set()
        while not self._leaving.is_set():
            self.connections.sweep()
            await asyncio.sleep(0.02)
        self.connections.drain()
        self.connections.close()

    def _cut(self, cause, peer, problem=""):  # noqa: ARG002 - the signature of Cut
        self.cuts[cause, peer] += 1

    async def _app(self, scope, receive, send):
        while scope["path"] == "/held" and not self.hold.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)
        body = self.body
        if scope["method"] == "POST":
            message = await receive()
            while message.get("more_body"):
                message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    # as a peer

    def peer(self, source="127.0.0.1", *, receive_bytes=0):
        """Return a connected socket from a loopback address."""
        peer = self._opened.enter_context(socket.socket())
        if receive_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        peer.settimeout(10)
        peer.bind((source, 0))
        peer.connect(self.address)
        return peer

    def asked(self, source="127.0.0.1", path=b""):
        """Return a socket whose first request was answered."""
        peer = self.peer(source)
        assert ask(peer, path) == (200, self.body)
        return peer


def ask(peer, path=b""):
    peer.sendall(REQUEST % path)
    with contextlib.closing(http.client.HTTPResponse(peer)) as response:
        response.begin()
        return response.status, response.read()


def is_open(peer):
    """Tell whether the other end keeps the connection, without waiting."""
    peer.setblocking(False)
    try:
        return peer.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        peer.settimeout(10)
