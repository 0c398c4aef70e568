"""The HTTP face of admission: bytes of a POST in, bytes of a review out, on the event loop.

A path more is a row in `Application`'s routes. What is refused here never reached admission: it has a JSON body that
names problem and remedy. Nothing redirects: an API server would follow.
"""

import traceback
from collections.abc import Callable, Mapping
from time import perf_counter, time

import msgspec

from webhook.answer import Answer, Answers
from webhook.logs import NAME_MAX, Logger
from webhook.ports.asgi import Header, Message, Receive, Scope, Send
from webhook.rolecheck.bindings.load import Snapshot
from webhook.server.confirmation_client import ConfirmationClient
from webhook.server.metrics import Tally

BODIES_MAX_BYTES = 64 << 20  # of requests that arrive in parts, all together in one worker; beyond, 503

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


class _DisconnectedError(Exception):
    """The peer went away before its body was whole."""


class Application:
    """An ASGI application of one worker."""

    def __init__(
        self,
        routes: Mapping[str, Answers],
        *,
        bindings: Callable[[], Snapshot | None],
        body_limit_bytes: int,
        tally: Tally,
        log: Logger,
        log_decision: Callable[[Answer, float], None] | None,
        confirmations: ConfirmationClient | None = None,
    ) -> None:
        """Set up.

        Args:
            routes: path to what answers its reviews.
            bindings: the snapshot of this moment.
            body_limit_bytes: largest body taken.
            tally: counts.
            log: logs.
            log_decision: writes the line of an answer that took so many seconds, None when lines of level info are not written.
            confirmations: asked before a refusal, None when nobody can be asked.
        """
        self._routes = routes
        self._bindings = bindings
        self._limit = body_limit_bytes
        self._tally = tally
        self._log = log
        self._log_decision = log_decision
        self._confirmations = confirmations
        self._buffered_bytes = 0
        paths = " or ".join(routes)
        self._no_path = _RefusedError(404, "there is nothing at this path", f"post an AdmissionReview to {paths}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = perf_counter()
        try:
            answers = self._checked(scope)
            message = await receive()
            body = await self._whole(message, receive) if message.get("more_body") else message.get("body", b"")
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
                )
        except _RefusedError as refused:
            await _send(send, refused.status, refused.body, refused.headers)
            self._refused(scope, refused, perf_counter() - began)
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

    def _checked(self, scope: Scope) -> Answers:
        """Return who answers, after what can be told without the body.

        Raises:
            _RefusedError: wrong path, method, content type or length.
        """
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

    async def _whole(self, message: Message, receive: Receive) -> bytes:
        """Return the body that came in parts.

        Raises:
            _RefusedError: the parts exceed the limit, or all bodies together do.
            _DisconnectedError: the last part never came.
        """
        parts = []
        size = 0
        try:
            while True:
                part = message["body"]
                parts.append(part)
                size += len(part)
                self._buffered_bytes += len(part)
                if size > self._limit:
                    raise self._too_large()
                if self._buffered_bytes > BODIES_MAX_BYTES:
                    raise _RefusedError(503, "too many large requests at once", "try again later")
                if not message["more_body"]:
                    return b"".join(parts)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _DisconnectedError
        finally:
            self._buffered_bytes -= size

    def _too_large(self) -> _RefusedError:
        return _RefusedError(413, "the body is too large", f"send at most {self._limit} bytes")

    def _decided(self, answer: Answer, took_s: float) -> None:
        self._tally.decided(answer, took_s * 1_000)
        if answer.error is not None:
            self._trace(answer.error, answer.uid)
        if self._log_decision is not None:
            self._log_decision(answer, took_s)

    def _refused(self, scope: Scope, refused: _RefusedError, took_s: float) -> None:
        self._tally.refused(refused.status, took_s * 1_000)
        path, method = scope["path"][:NAME_MAX], scope["method"]
        self._log.info("no review", status=refused.status, problem=str(refused), method=method, path=path)

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
