"""Asks the controller before a pod is refused, since a role may have changed seconds ago; rolecheck/confirmation.py has the shapes.

An answer is asked for again only when new data of its one role may turn it: nothing that allows ever waits. Without an
answer in time the first one stands. What is asked twice at a time is asked once, and who asks for much leaves places to others:
peers share them, and so do the namespaces of one peer. Roles that admitted pods asked for are told once a second, for polls to read first.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Callable
from time import perf_counter

import msgspec
from msgspec.structs import replace

from webhook import yaml_text
from webhook.answer import REFUSED, Answer
from webhook.core.annotations import go_values
from webhook.ports.peers import Shares
from webhook.rolecheck.bindings.load import BindingsError, Snapshot, load_json
from webhook.rolecheck.confirmation import (
    ANSWER_WITHIN_S,
    ASKED_MAX,
    CONFIRMABLE,
    Asked,
    Question,
    overlay,
)
from webhook.rolecheck.role_ref import RoleRef

MARGIN_S = 0.3  # of the API server's own timeout, for the way back
WITHIN_MIN_S = 0.05  # less is not worth asking
ANSWER_MAX_BYTES = 8 << 20
QUESTIONS_MAX = 64  # of one worker at a time; beyond a peer's and a namespace's share, the snapshot decides
TELL_AFTER_S = 1.0
TELL_WITHIN_S = 2.0
_TIMEOUT = re.compile(rb"(?:^|&)timeout=([0-9a-z.]{1,20})(?:&|$)")
_encode = msgspec.json.Encoder().encode


class ConfirmationClient:
    """Asks over a Unix socket; belongs to one event loop."""

    def __init__(self, path: str) -> None:
        """Set up; nothing is opened before the first question."""
        self._path = path
        self._places = Shares(QUESTIONS_MAX)
        self._of_namespaces: Counter[tuple[str, str]] = Counter()  # by peer and namespace of Kubernetes
        self._under_way: dict[Question, asyncio.Task[bytes]] = {}
        self._asked: set[RoleRef] = set()
        self._telling: asyncio.Task[None] | None = None

    async def second(
        self,
        first: Answer,
        snapshot: Snapshot | None,
        again: Callable[[Snapshot], Answer],
        *,
        query: bytes,
        began: float,
        peer: str = "",
    ) -> Answer:
        """Return the answer that newer data give; the first where there are none, or none are needed.

        Args:
            first: the answer by the snapshot.
            snapshot: what it was made with.
            again: answers the same request by another snapshot.
            query: of the request; the API server names its timeout there.
            began: when the request arrived, on the clock of perf_counter.
            peer: who sent it; the controller shares its reads fairly among peers.
        """
        question = first.outcome.question
        if question is None or snapshot is None:
            return first
        if first.decision != REFUSED:
            self._tell(question)
            return first
        if first.reason not in CONFIRMABLE:
            return first
        within_s = min(ANSWER_WITHIN_S, timeout_s(query) - (perf_counter() - began) - MARGIN_S)
        newer = await self._newer(replace(question, peer=peer), snapshot, within_s)
        return first if newer is None else again(newer)

    async def _newer(self, question: Question, snapshot: Snapshot, within_s: float) -> Snapshot | None:
        """Return the snapshot with what the controller answers; None when it has no answer in time."""
        if within_s < WITHIN_MIN_S:
            return None
        asking = self._under_way.get(question) or self._begin(question)
        if asking is None:
            return None
        try:
            async with asyncio.timeout(within_s):
                line = await asyncio.shield(asking)
            return overlay(snapshot, load_json(line, yaml_text.documents), question)
        except (OSError, ValueError, TimeoutError, BindingsError, asyncio.IncompleteReadError):
            return None

    def _begin(self, question: Question) -> asyncio.Task[bytes] | None:
        """Ask, for whoever waits; None when the peer, or the namespace among the peer's, has its share of places."""
        peer, namespace = question.peer, (question.peer, question.kube_namespace)
        if self._places.left(peer) <= self._of_namespaces[namespace]:
            return None
        self._places.take(peer)
        self._of_namespaces[namespace] += 1
        asking = asyncio.get_running_loop().create_task(self._ask_in_time(question))
        self._under_way[question] = asking
        asking.add_done_callback(lambda done: self._end(question, done))
        return asking

    def _end(self, question: Question, done: asyncio.Task[bytes]) -> None:
        del self._under_way[question]
        self._places.give(question.peer)
        namespace = question.peer, question.kube_namespace
        self._of_namespaces[namespace] -= 1
        if not self._of_namespaces[namespace]:
            del self._of_namespaces[namespace]
        if not done.cancelled():
            done.exception()  # whoever waited has met it

    async def _ask_in_time(self, question: Question) -> bytes:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await self._ask(_encode(question))

    async def _ask(self, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=ANSWER_MAX_BYTES)
        try:
            writer.write(line + b"\n")
            return await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise ValueError("an answer without end") from error
        finally:
            writer.close()

    def _tell(self, question: Question) -> None:
        """Remember a role for the next line to the controller."""
        if len(self._asked) < ASKED_MAX:
            self._asked.add(question.ref)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._told())

    async def told(self) -> None:
        """Wait until the roles remembered so far are told; for whoever ends the loop."""
        if self._telling is not None:
            await self._telling

    async def _told(self) -> None:
        await asyncio.sleep(TELL_AFTER_S)
        asked, self._asked = self._asked, set()
        with contextlib.suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(TELL_WITHIN_S):
                await self._ask(_encode(Asked(tuple(asked))))


def timeout_s(query: bytes) -> float:
    """Return the timeout the API server states in the request's query; infinite where it states none."""
    found = _TIMEOUT.search(query)
    if found is None:
        return float("inf")
    try:
        return go_values.duration_ns(found[1].decode()) / 1e9
    except ValueError:
        return float("inf")
