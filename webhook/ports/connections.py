"""Connections of one worker: accepted, bounded in number, each kept to its deadlines, shared fairly among peers.

Theory of operation
-------------------
A connection is a handshake first (a task of ours), then a `Connection`, which is in one phase at a time:

    handshake --> IDLE --> HEAD --> BODY --> ANSWER --> IDLE ...
                                     '------------------^    answered before its body was whole

Rule 1. Each phase has one deadline, for all of it: what drips in does not move it. `since` is when the phase began.
    `sweep` looks at all connections a few times a second, so that a request which comes and goes sets no timer at all.
    IDLE has `idle`, HEAD `head`, BODY `body`, the handshake `handshake` (the event loop's), ANSWER `answer`: an answer is
    made within a second or two, so what takes longer is a peer that does not read. Nor does one keep its place while
    IDLE or closing that leaves bytes of an answer unread for `unread` seconds.
Rule 2. Bytes are bounded too: a head by HEAD_MAX_BYTES and HEADERS_MAX, which count trailers, a body by the application,
    which may refuse it early; the peer may then finish sending, up to twice the limit, so that it sees the answer.
    Requests ahead of their answers by PIPELINE_MAX, and what comes during an answer by a head. Answers that are not read
    by UNREAD_MAX_BYTES for all connections together: beyond, whoever leaves most goes.
Rule 3. Places are bounded, and fair: a peer is a group of addresses (peers.py), half-open handshakes count as much as
    open connections. Who comes when all places are taken gets one, at the cost of the group that then holds most, which
    loses the connection of least use: the oldest handshake, else one that does not read or never had an answer, else the
    longest idle, else the one that stalls for longest. One whose answer is being made goes last, and only for another
    group that holds less.
Rule 4. A full worker leaves the queue alone for YIELD_S, so that a worker with places takes what is there; what is
    left then nobody else wanted.
Rule 5. Leaving: `drain` announces with every answer that its connection closes, `close` stops accepting and ends what
    is idle. Nothing that has sent a request is left without its answer.

A peer that stalls costs a socket and some memory until its deadline, never a thread. Whoever ends a connection early
says why through `cut`: handshake, head, body, answer, idle, unread, oversize, malformed, crowd.

What this relies on in uvicorn's `HttpToolsProtocol` and in the event loop is listed in upstream.py.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from webhook.ports.peers import Peer, peer_group

HEAD_MAX_BYTES = 64 << 10
HEADERS_MAX = 128  # the API server sends 7; proxies add a dozen
PIPELINE_MAX = 4  # the API server sends the next request after the answer
READ_MAX_BYTES = 256 << 10  # the event loop hands over no more at once
UNREAD_MAX_BYTES = 64 << 20  # an answer has a few kB, and the API server reads it at once
PAUSE_S = 0.5  # no accepting for so long when the system has no descriptor left
YIELD_S = 0.05  # a full worker waits so long for another to take what comes
YIELDED_MAX = 128  # taken after that wait, so that a flood cannot keep the loop from its other work
TLS_CLOSE_S = 1.0  # for a peer to answer our farewell
CONTINUE = b"HTTP/1.1 100 "
MISSED = 3  # above every other use of a connection


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
    ANSWER = auto()  # us, or the peer to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Deadlines, in seconds unless the name says otherwise."""

    handshake: float
    head: float
    body: float
    body_bytes: int
    answer: float = 30  # an API server waits no longer
    unread: float = 10  # for a peer to read an answer that is made
    idle: float
    age: float
    connections: int


class Cut(Protocol):
    """Told why a connection ended early, whose it was, and what the library said of it."""

    def __call__(self, cause: str, peer: str, problem: str = "") -> None:
        """Count it, or write it down."""


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
        """Keep the head; send it with what comes next. A peer that waits to be asked for its body is asked at once."""
        if self._head is None:
            if data.startswith(CONTINUE):
                self._transport.write(data)
            else:
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

    def is_closing(self) -> bool:
        """Tell whether the connection is ending."""
        return self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP connection, with phases in place of its timer."""

    def __init__(self, owner: "Connections", config: Config, place: "_Place", loop: asyncio.AbstractEventLoop) -> None:
        """Set up before the handshake."""
        super().__init__(config, owner.state, {}, loop)
        self.access_log = False  # requests have lines of our own
        self.phase = Phase.IDLE
        self.answered = False
        self.since = self.born = loop.time()
        self.place = place
        self._owner = owner
        self._peer = Peer(place.group)
        self._received_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin after the handshake."""
        super().connection_made(transport)
        if self.place.is_cut:  # given up while the handshake came to its end
            transport.abort()
            return
        self._peer = Peer(self.place.group, self._owner.admits(transport))
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        self._owner.lost(self.place)

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent."""
        before = self.phase
        if before is Phase.IDLE:
            self.phase = Phase.HEAD
            self.since = self.loop.time()
            self._received_bytes = 0
        super().data_received(data)
        phase = self.phase
        if phase is Phase.IDLE or (phase is Phase.ANSWER and before is not Phase.ANSWER):
            return
        self._received_bytes += len(data)
        if phase is not before:
            self.since = self.loop.time()
        if self._received_bytes > self._received_max_bytes(phase) or len(self.headers or ()) > HEADERS_MAX:
            self.cut("oversize")

    def _received_max_bytes(self, phase: Phase) -> int:
        if phase is Phase.HEAD:
            return HEAD_MAX_BYTES
        if phase is Phase.BODY:
            return 2 * self._owner.limits.body_bytes + HEAD_MAX_BYTES  # one that is told 413 may finish sending
        return HEAD_MAX_BYTES + READ_MAX_BYTES  # the next head, and what one read may have of a body before it

    def on_headers_complete(self) -> None:
        """Start the request, unless the peer is too far ahead of our answers."""
        if len(self.pipeline) >= PIPELINE_MAX:
            raise ValueError("requests before the answers to earlier ones")
        if len(self.headers) > HEADERS_MAX:
            raise ValueError("too many headers")
        cast("dict[str, Any]", self.scope)["peer"] = self._peer
        super().on_headers_complete()
        # The answer is made later, in a task of its own; of its transport it uses `write`, `close` and `is_closing`.
        if self.scope["method"] != "HEAD":  # whose answers have no body to wait for
            self.cycle.transport = cast("asyncio.Transport", AnswerInOne(self.transport))
        self.phase = Phase.BODY
        if self._owner.draining or self.since - self.born > self._owner.limits.age:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the request is whole, answered already or not."""
        super().on_message_complete()
        self._received_bytes = 0
        self.phase = Phase.IDLE if self.cycle.response_complete else Phase.ANSWER
        self.since = self.loop.time()

    def on_response_complete(self) -> None:
        """Go on with the next request: uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        self.answered = True
        if self.phase is Phase.ANSWER and not self.pipeline:
            self.phase = Phase.IDLE
            self.since = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, ours are below
        """Answer what is no HTTP, and close."""
        body = b'{"error":"this is no HTTP/1.1 request we can read","remedy":"send one over TLS"}'
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"x-content-type-options: nosniff\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()
        self._owner.cut("malformed", self.place.group)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the request is answered as the HTTP/1.1 it is."""

    def cut(self, cause: str) -> None:
        """End the connection at once."""
        if self.transport is not None and not self.place.is_cut:
            self.place.is_cut = True
            self.transport.abort()
            self._owner.cut(cause, self.place.group)

    def overdue(self, limits: Limits, now: float) -> str:
        """Return which deadline has passed, or nothing."""
        waited = now - self.since
        if waited > limits.unread and self._leaves_unread():
            return "unread"
        if self.phase is Phase.IDLE:
            return "idle" if waited > limits.idle else ""
        if self.phase is Phase.HEAD:
            return "head" if waited > limits.head else ""
        if self.phase is Phase.BODY:
            return "body" if waited > limits.body else ""
        return "answer" if waited > limits.answer else ""

    @property
    def unread_bytes(self) -> int:
        """How much of its answers the peer has not taken."""
        return self.transport.get_write_buffer_size()

    def _leaves_unread(self) -> bool:
        return self.transport.is_closing() or self.unread_bytes > 0

    @property
    def use(self) -> tuple[int, float]:
        """How much the connection would be missed: the least first, and MISSED for one whose answer is being made."""
        if self.flow.write_paused:
            return (0, self.born)
        if self.phase is Phase.ANSWER:
            return (MISSED, self.since)
        if not self.answered:
            return (0, self.born)
        return (1 if self.phase is Phase.IDLE else 2, self.since)


class _Place:
    """One of the places, from accept to the end."""

    __slots__ = ("group", "is_cut", "peer", "task")

    def __init__(self, peer: socket.socket, group: str) -> None:
        self.peer = peer
        self.group = group
        self.task: asyncio.Task[None] | None = None  # of the handshake
        self.is_cut = False


class _Group:
    """What one peer holds, oldest first."""

    __slots__ = ("open", "shaking")

    def __init__(self) -> None:
        self.shaking: dict[_Place, None] = {}
        self.open: dict[_Place, Connection] = {}

    def __len__(self) -> int:
        return len(self.shaking) + len(self.open)


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
        cut: Cut,
        listeners: Sequence[socket.socket],
        admits: Callable[[Any], bool] = lambda _: True,
    ) -> None:
        """Set up; nothing is accepted before `open`.

        Args:
            config: uvicorn's, loaded.
            tls: what every handshake begins with; None for plain HTTP.
            limits: deadlines and number.
            cut: told of each connection that ended early.
            listeners: bound sockets, shared with the other workers.
            admits: given a transport after its handshake, tells whether its client may ask; the application refuses.
        """
        self.draining = False
        self.limits = limits
        self.cut = cut
        self.admits = admits
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
        self._groups: dict[str, _Group] = {}
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

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
        for place in [place for group in self._groups.values() for place in group.shaking]:
            self._give_up(place)
        for connection in list(self._each()):
            if connection.phase is Phase.IDLE:
                connection.transport.close()

    def sweep(self) -> None:
        """End every connection whose deadline has passed, and those that leave most unread when all leave too much."""
        now = self._loop.time()
        unread = 0
        for connection in list(self._each()):
            cause = connection.overdue(self.limits, now)
            if cause:
                connection.cut(cause)
            else:
                unread += connection.unread_bytes
        if unread > UNREAD_MAX_BYTES:
            self._cut_unread(unread)

    def _cut_unread(self, unread: int) -> None:
        for connection in sorted(self._each(), key=lambda connection: connection.unread_bytes, reverse=True):
            if unread <= UNREAD_MAX_BYTES:
                return
            unread -= connection.unread_bytes
            connection.cut("unread")

    def opened(self, connection: Connection) -> None:
        """Note that a handshake became a connection."""
        group = self._groups[connection.place.group]
        group.shaking.pop(connection.place, None)
        group.open[connection.place] = connection

    def lost(self, place: _Place) -> None:
        """Note that a place is free."""
        group = self._groups.get(place.group)
        if group is None:
            return
        held = len(group)
        group.shaking.pop(place, None)
        group.open.pop(place, None)
        self._taken -= held - len(group)
        if not group:
            del self._groups[place.group]

    def _each(self) -> Iterator[Connection]:
        return (connection for group in self._groups.values() for connection in group.open.values())

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection: of many that come at once, the other workers get theirs."""
        if self._taken < self.limits.connections:
            self._take(listener)
        else:
            self._loop.remove_reader(listener.fileno())
            self._loop.call_later(YIELD_S, self._accept_what_is_left, listener)

    def _accept_what_is_left(self, listener: socket.socket) -> None:
        if listener.fileno() < 0:
            return
        self._resume(listener)
        for _ in range(YIELDED_MAX):
            if not self._take(listener):
                return

    def _take(self, listener: socket.socket) -> bool:
        """Take the next of the queue; False when there is none."""
        try:
            peer, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker, or it left
            return False
        except OSError:  # no descriptor or memory left: the loop would spin
            self._loop.remove_reader(listener.fileno())
            self._loop.call_later(PAUSE_S, self._resume, listener)
            return False
        peer.setblocking(False)  # noqa: FBT003 - the socket's signature
        group = peer_group(address[0] if isinstance(address, tuple) else "")
        if self._taken >= self.limits.connections and not self._make_room(group):
            self.cut("crowd", group)
            peer.close()
            return True
        place = _Place(peer, group)
        self._groups.setdefault(group, _Group()).shaking[place] = None
        self._taken += 1
        place.task = self._loop.create_task(self._shake(place))
        return True

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    async def _shake(self, place: _Place) -> None:
        new = partial(Connection, self, self._config, place, self._loop)
        try:
            await self._loop.connect_accepted_socket(new, place.peer, **self._security)
        except OSError as error:  # refused our certificate, spoke no TLS, or took too long
            if not place.is_cut:
                self.cut("handshake", place.group, str(error))
            place.peer.close()
            self.lost(place)

    def _give_up(self, place: _Place) -> None:
        """End a handshake, begun or not; the socket is closed here since a task that has not begun never will."""
        place.is_cut = True
        self.lost(place)
        if place.task is not None:
            place.task.cancel()
        place.peer.close()

    def _make_room(self, newcomer: str) -> bool:
        """End the connection of least use of the group that holds most with the newcomer; False when it has none."""
        name = max(self._groups, key=lambda name: len(self._groups[name]) + (name == newcomer))
        group = self._groups[name]
        if group.shaking:
            self._give_up(next(iter(group.shaking)))
            self.cut("crowd", name)
            return True
        connection = min(group.open.values(), key=lambda connection: connection.use)
        own = self._groups.get(newcomer, ())
        if connection.use[0] == MISSED and len(group) <= len(own) + 1:
            return False
        connection.cut("crowd")
        self.lost(connection.place)
        return True
