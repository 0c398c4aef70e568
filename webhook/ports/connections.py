"""Connections of one worker: accepted, bounded in number, and each kept to its deadlines.

A peer that stalls costs a socket and some memory until its deadline, never a thread. Every connection is in one
phase; `sweep` looks at all of them a few times a second, so that a request which comes and goes sets no timer at all.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_MAX_BYTES = 64 << 10
PIPELINE_MAX = 4  # the API server sends the next request after the answer
PAUSE_S = 0.5  # no accepting for so long when the system has no descriptor left
TLS_CLOSE_S = 1.0  # for a peer to answer our farewell


UVICORN_OPTIONS: dict[str, Any] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
    "lifespan": "off",
    "interface": "asgi3",
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
}


class Phase(Enum):
    """What a connection is waiting for."""

    IDLE = auto()  # a request
    HEAD = auto()  # the rest of a request's head
    BODY = auto()  # the rest of its body
    ANSWER = auto()  # us


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Deadlines, in seconds unless the name says otherwise."""

    handshake: float
    head: float
    body: float
    body_bytes: int
    idle: float
    age: float
    connections: int


class AnswerInOne:
    """The transport as one answer sees it: its head waits for its body, so that the peer is sent one record and woken once.

    uvicorn writes head and body apart, which costs a system call and a wake-up of the API server for each.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Start before the head."""
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """Keep the head; send it with what comes next."""
        if self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def close(self) -> None:
        """Send what is kept, and close."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._transport.close()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP connection, with phases in place of its timer."""

    def __init__(
        self, owner: "Connections", config: Config, server_state: ServerState, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Set up before the handshake."""
        super().__init__(config, server_state, {}, loop)
        self.phase = Phase.IDLE
        self.answered = False
        self.since = self.born = loop.time()
        self._owner = owner
        self._received_bytes = 0
        self._received_max_bytes = (
            2 * owner.limits.body_bytes + HEAD_MAX_BYTES
        )  # one that is told 413 may finish sending

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent."""
        before = self.phase
        if before is Phase.IDLE:
            self.phase = Phase.HEAD
            self.since = self.loop.time()
            self._received_bytes = 0
        super().data_received(data)
        phase = self.phase
        if phase is Phase.HEAD or phase is Phase.BODY:
            self._received_bytes += len(data)
            if phase is not before:
                self.since = self.loop.time()
            if self._received_bytes > (HEAD_MAX_BYTES if phase is Phase.HEAD else self._received_max_bytes):
                self.cut("oversize")

    def on_headers_complete(self) -> None:
        """Start the request, unless the peer is too far ahead of our answers."""
        if len(self.pipeline) >= PIPELINE_MAX:
            raise ValueError("requests before the answers to earlier ones")
        super().on_headers_complete()
        # The answer is made later, in a task of its own; of its transport it uses `write` and `close`.
        self.cycle.transport = cast("asyncio.Transport", AnswerInOne(self.transport))
        self.phase = Phase.BODY
        if self._owner.draining or self.since - self.born > self._owner.limits.age:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the request is whole, answered already or not."""
        super().on_message_complete()
        self.phase = Phase.IDLE if self.cycle.response_complete else Phase.ANSWER

    def on_response_complete(self) -> None:
        """Go on with the next request: uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        self.answered = True
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.phase is Phase.ANSWER:
            self.phase = Phase.IDLE
            self.since = self.loop.time()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, ours are below
        """Answer what is no HTTP, and close."""
        body = b'{"error":"this is no HTTP/1.1 request we can read","remedy":"send one over TLS"}'
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"x-content-type-options: nosniff\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()
        self._owner.cut("malformed")

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as the HTTP/1.1 it is."""

    def cut(self, cause: str) -> None:
        """End the connection at once."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()
            self._owner.cut(cause)

    def overdue(self, limits: Limits, now: float) -> str:
        """Return which deadline has passed, or nothing."""
        waited = now - self.since
        if self.phase is Phase.IDLE:
            return "idle" if waited > limits.idle else ""
        if self.phase is Phase.HEAD:
            return "head" if waited > limits.head else ""
        return "body" if self.phase is Phase.BODY and waited > limits.body else ""


class Connections:
    """All connections of this worker.

    Attributes:
        draining: answers announce that their connection closes.
    """

    def __init__(
        self,
        config: Config,
        *,
        tls: ssl.SSLContext | None,
        limits: Limits,
        cut: Callable[[str], None],
        listeners: Sequence[socket.socket],
    ) -> None:
        """Set up; nothing is accepted before `open`.

        Args:
            config: uvicorn's, loaded.
            tls: what every handshake begins with; None for plain HTTP.
            limits: deadlines and number.
            cut: told why a connection ended early: handshake, head, body, idle, oversize, malformed, crowd.
            listeners: bound sockets, shared with the other workers.
        """
        self.draining = False
        self.limits = limits
        self.cut = cut
        self.state = ServerState()
        self._config = config
        self._security: dict[str, Any] = {}
        if tls is not None:
            self._security = {
                "ssl": tls,
                "ssl_handshake_timeout": limits.handshake,
                "ssl_shutdown_timeout": TLS_CLOSE_S,
            }
        self._listeners = listeners
        self._loop = asyncio.get_running_loop()
        self._shaking: dict[asyncio.Task[None], socket.socket] = {}

    def __len__(self) -> int:
        return len(self.state.connections) + len(self._shaking)

    @property
    def in_flight(self) -> int:
        """Requests whose answer is not complete."""
        return len(self.state.tasks)

    def open(self) -> None:
        """Begin to accept."""
        for listener in self._listeners:
            listener.setblocking(False)  # noqa: FBT003 - the socket's signature
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def drain(self) -> None:
        """Announce with every answer from now on that its connection closes; go on accepting."""
        self.draining = True
        for connection in self._each():
            if connection.cycle is not None:
                connection.cycle.keep_alive = False

    def close(self) -> None:
        """Accept no more, end what is idle; requests under way are answered first. After `drain`."""
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        for task in list(self._shaking):
            self._give_up(task)
        for connection in list(self._each()):
            if connection.phase is Phase.IDLE:
                connection.transport.close()

    def sweep(self) -> None:
        """End every connection whose deadline has passed."""
        now = self._loop.time()
        for connection in list(self._each()):
            cause = connection.overdue(self.limits, now)
            if cause:
                connection.cut(cause)

    def _each(self) -> Iterator[Connection]:
        return (connection for connection in self.state.connections if isinstance(connection, Connection))

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection: of many that come at once, the other workers get theirs."""
        try:
            peer, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker, or it left
            return
        except OSError:  # no descriptor or memory left: the loop would spin
            self._loop.remove_reader(listener.fileno())
            self._loop.call_later(PAUSE_S, self._resume, listener)
            return
        peer.setblocking(False)  # noqa: FBT003 - the socket's signature
        if len(self) >= self.limits.connections and not self._make_room():
            peer.close()
            return
        task = self._loop.create_task(self._shake(peer))
        self._shaking[task] = peer

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    async def _shake(self, peer: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._new_connection, peer, **self._security)
        except OSError:  # refused our certificate, spoke no TLS, or took too long
            self.cut("handshake")
            peer.close()
        finally:
            task: asyncio.Task[Any] | None = asyncio.current_task()
            if task is not None:
                self._shaking.pop(task, None)

    def _give_up(self, task: asyncio.Task[None]) -> None:
        """End a handshake, begun or not; the socket is closed here since a task that has not begun never will."""
        peer = self._shaking.pop(task)
        task.cancel()
        peer.close()

    def _new_connection(self) -> Connection:
        return Connection(self, self._config, self.state, self._loop)

    def _make_room(self) -> bool:
        """End the connection of least use: the oldest in its handshake, else the oldest without an answer yet.

        So a crowd of silent peers pushes out itself and not the API server. False when every connection has proven
        useful.
        """
        for task in self._shaking:
            if not task.done():
                self._give_up(task)
                self.cut("crowd")
                return True
        strangers = [connection for connection in self._each() if not connection.answered]
        if not strangers:
            return False
        min(strangers, key=lambda connection: connection.born).cut("crowd")
        return True
