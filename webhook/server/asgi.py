"""The HTTP face of admission: bytes of a POST in, bytes of a review out, on the event loop.

A path more is a row in `Application`'s routes. What is refused here never reached admission: it has a JSON body that
names problem and remedy. Nothing redirects: an API server would follow.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from time import perf_counter, time

import msgspec
from msgspec import Struct

from webhook.admit import withhold
from webhook.answer import MALFORMED, REFUSED, Answer, Answers
from webhook.logs import NAME_MAX, Logger, Spared
from webhook.ports.asgi import Header, Message, Receive, Scope, Send
from webhook.ports.peers import Allowance, Peer, Shares
from webhook.rolecheck.bindings.load import Snapshot
from webhook.server.confirmation_client import ConfirmationClient
from webhook.server.metrics import Tally

# Of requests that arrive in parts, all together in one worker; beyond a peer's share of it, 503. Half is one peer's
# alone, which is ten of the largest reviews there can be.
BODIES_MAX_BYTES = 64 << 20

_JSON = b"application/json"
_HEADERS: tuple[Header, ...] = ((b"content-type", _JSON), (b"x-content-type-options", b"nosniff"))
_encode = msgspec.json.Encoder().encode


class _RefusedError(Exception):
    """The request is not for admission: an HTTP status, and a body for whoever sent it."""

    def __init__(self, status: int, error: str, remedy: str, *headers: Header) -> None:
        super().__init__(error)
        self.status = status
        self.body = _encode({"error": error, "remedy": remedy})
        self.headers = headers


_TOO_MANY = _RefusedError(
    429, "too many requests that are no review", "send an AdmissionReview, or fewer of these", (b"retry-after", b"1")
)
_WRONG_CLIENT = _RefusedError(
    403,
    "the client certificate has none of the names that may ask",
    "present one of a name in CLIENT_ALLOWED_NAMES of the webhook",
)
_AMISS = frozenset((400, 403, 404, 405, 413, 415))  # what a client does wrong; 503 is none of it


class _DisconnectedError(Exception):
    """The peer went away before its body was whole."""


class Bounds(Struct, frozen=True, kw_only=True):
    """What one request, and one peer, may ask for."""

    body_bytes: int
    refusals_per_second: int  # of one peer, that are given with reasons; 0 for any number


class Application:
    """An ASGI application of one worker."""

    def __init__(
        self,
        routes: Mapping[str, Answers],
        *,
        bindings: Callable[[], Snapshot | None],
        bounds: Bounds,
        tally: Tally,
        log: Logger,
        log_decision: Callable[[Answer, float], None] | None,
        confirmations: ConfirmationClient | None = None,
    ) -> None:
        """Set up.

        Args:
            routes: path to what answers its reviews.
            bindings: the snapshot of this moment.
            bounds: what one request, and one peer, may ask for.
            tally: counts.
            log: logs.
            log_decision: writes the line of an answer that took so many seconds, None when lines of level info are not written.
            confirmations: asked before a refusal, None when nobody can be asked.
        """
        self._routes = routes
        self._bindings = bindings
        self._limit = bounds.body_bytes
        self._tally = tally
        self._log = log
        self._log_decision = log_decision
        self._confirmations = confirmations
        self._bodies = Shares(BODIES_MAX_BYTES)
        self._refusals = Allowance(bounds.refusals_per_second)
        self._malformed = Allowance(
            bounds.refusals_per_second
        )  # apart: what one peer sends amiss costs no author a reason
        self._spared = Spared()
        paths = " or ".join(routes)
        self._no_path = _RefusedError(404, "there is nothing at this path", f"post an AdmissionReview to {paths}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = perf_counter()
        peer: Peer = scope["peer"]
        try:
            answers = self._checked(scope, peer)
            message = await receive()
            body = await self._whole(message, receive, peer) if message.get("more_body") else message.get("body", b"")
            _check_not_empty(body, message)
            snapshot = self._bindings()
            answer = answers(body, snapshot, time())
            if self._confirmations is not None and answer.outcome.question is not None:
                answer = await self._confirmations.second(
                    answer,
                    snapshot,
                    lambda newer: answers(body, newer, time()),
                    query=scope["query_string"],
                    began=began,
                    peer=peer.group,
                )
            answer = self._within_allowance(answer, peer)
        except _RefusedError as refused:
            await self._refuse(scope, send, refused, began)
        except _DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the API server gets an answer and the worker lives
            failed = _RefusedError(500, "the webhook failed on this request", "see the webhook's log; report it")
            await _send(send, failed.status, failed.body)
            self._tally.refused(failed.status, (perf_counter() - began) * 1_000)
            self._trace(error)
        else:
            body = answer.body  # as _send, without its call: this is the path of every review
            headers = [*_HEADERS, (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            self._decided(answer, perf_counter() - began)

    def _within_allowance(self, answer: Answer, peer: Peer) -> Answer:
        """Return the answer; a refusal without its reasons where the peer was given enough of them lately.

        What admits is never touched, and what refuses goes on refusing.

        Raises:
            _RefusedError: the body was no review, as many of the peer's before it.
        """
        if answer.decision == MALFORMED and not self._malformed.take(peer.group):
            raise _TOO_MANY
        if answer.decision != REFUSED or self._refusals.take(peer.group):
            return answer
        self._tally.withheld()
        self._spared.write(self._log, logging.WARNING, "refused without reasons: too many", peer=peer.group)
        return withhold(answer)

    def _checked(self, scope: Scope, peer: Peer) -> Answers:
        """Return who answers, after what can be told without the body.

        Raises:
            _RefusedError: wrong client, path, method, content type or length.
        """
        if not peer.admitted:
            raise _WRONG_CLIENT
        answers = self._routes.get(scope["path"])
        if answers is None:
            raise self._no_path
        if scope["method"] != "POST":
            raise _RefusedError(405, "this path takes POST only", "post an AdmissionReview", (b"allow", b"POST"))
        content_type = length = b""
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = value
        if content_type != _JSON and content_type.partition(b";")[0].strip().lower() != _JSON:
            raise _RefusedError(415, "the body has another content type", "send Content-Type: application/json")
        if length and int(length) > self._limit:
            raise self._too_large()
        return answers

    async def _whole(self, message: Message, receive: Receive, peer: Peer) -> bytes:
        """Return the body that came in parts.

        Raises:
            _RefusedError: the parts exceed the limit, or the peer's share of what all bodies may take.
            _DisconnectedError: the last part never came.
        """
        parts = []
        size = 0
        try:
            while True:
                part = message["body"]
                parts.append(part)
                size += len(part)
                self._bodies.take(peer.group, len(part))
                if size > self._limit:
                    raise self._too_large()
                if self._bodies.left(peer.group) < 0:
                    raise _RefusedError(503, "too many large requests at once", "try again later")
                if not message["more_body"]:
                    return b"".join(parts)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _DisconnectedError
        finally:
            self._bodies.give(peer.group, size)

    def _too_large(self) -> _RefusedError:
        return _RefusedError(413, "the body is too large", f"send at most {self._limit} bytes")

    def _decided(self, answer: Answer, took_s: float) -> None:
        self._tally.decided(answer, took_s * 1_000)
        if answer.error is not None:
            self._trace(answer.error, answer.uid)
        if self._log_decision is not None:
            self._log_decision(answer, took_s)

    async def _refuse(self, scope: Scope, send: Send, refused: _RefusedError, began: float) -> None:
        """Answer what never reached admission, within the peer's allowance; a large body's share counts as none."""
        peer: Peer = scope["peer"]
        if refused.status in _AMISS and not self._malformed.take(peer.group):
            refused = _TOO_MANY
        await _send(send, refused.status, refused.body, refused.headers)
        self._tally.refused(refused.status, (perf_counter() - began) * 1_000)
        fields = {"status": refused.status, "problem": str(refused), "method": scope["method"], "peer": peer.group}
        self._spared.write(self._log, logging.INFO, "no review", **fields, path=scope["path"][:NAME_MAX])

    def _trace(self, error: BaseException, uid: str = "") -> None:
        """Log where it failed and what kind of error it is, but not its text: that may quote the pod."""
        trace = "".join(traceback.format_tb(error.__traceback__))
        self._log.error("failed on a request", uid=uid[:NAME_MAX], error=type(error).__name__, trace=trace)


def _check_not_empty(body: bytes, message: Message) -> None:
    if body:
        return
    if message["type"] == "http.disconnect":
        raise _DisconnectedError
    raise _RefusedError(400, "the body is empty", "send an AdmissionReview")


async def _send(send: Send, status: int, body: bytes, headers: tuple[Header, ...] = ()) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*_HEADERS, *headers, length]})
    await send({"type": "http.response.body", "body": body})
