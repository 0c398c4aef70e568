"""Answers the server's questions before a refusal: one JSON line in, one JSON line out, over a Unix socket.

    {"ref": ["", "kubernetes", "shop"], "kube_namespace": "shop", "policies": false}
        a bindings document with that one role, or {"error": "..."}
    {"asked": [["", "kubernetes", "shop"], ...]}
        {}

Any number of lines on a connection, answered in order. What may be asked is bounded: names that Vault can have, mounts
of polled namespaces, half of the requests a second that the controller has, one read for all who ask about a role at
the same time, and none for a role that was read a few seconds ago.
"""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from webhook.controller import bindings_file
from webhook.controller.bucket import Bucket
from webhook.controller.errors import BusyError, NoRouteError, SourceError
from webhook.controller.known import NEVER, Key, has_roles, policies_of
from webhook.controller.reading import ROLE_NAME, Shared, VaultReader
from webhook.rolecheck.confirmation import ANSWER_WITHIN_S, LINE_MAX_BYTES, Asked, Failure, Question
from webhook.settings.control import Control

REMEMBER_S = 3.0  # so long an answer counts as new: refusals that repeat cost Vault nothing
REMEMBERED_MAX = 4_096
THREADS = 4
PENDING_MAX = 32  # roles being read or waiting for it
BUCKET_WAIT_S = 0.4  # longest wait for the limit of requests
READ_TIMEOUT_S = 0.8
IDLE_S = 30.0
SOCKET_MODE = 0o660  # the server runs as the same user, or in the same group
STOP_S = 3.0
ASKED_REMEMBERED_MAX = 20_000
_MOUNT = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w.-]+(?:/[\w.-]+){0,15}", re.ASCII)
_KUBE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LENGTH_MAX = 512

T = TypeVar("T")


class ConfirmationService:
    """Knows the answers; `answer` is for one event loop, reads run in threads."""

    def __init__(
        self,
        control: Control,
        reader: VaultReader,
        shared: Shared,
        *,
        share: Bucket,
        now: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        """Set up.

        Args:
            control: the settings.
            reader: reads Vault.
            shared: what is known.
            share: the part of all requests that questions may cause.
            now: Unix seconds.
            wake: called when a pod asks for a role that was never read.
        """
        self._control = control
        self._reader = reader
        self._shared = shared
        self._share = share
        self._now = now
        self._wake = wake
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="confirm")
        self._under_way: dict[Key, asyncio.Future[None]] = {}
        self._confirmed: dict[Key, float] = {}  # when Vault last told of a role, its absence too
        self._labelled: dict[str, float] = {}
        self.answered: dict[str, int] = {}  # by outcome

    async def answer(self, line: bytes) -> bytes:
        """Answer one line; never raises, never takes longer than ANSWER_WITHIN_S."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._answer(line)
        except (SourceError, ValueError) as error:
            cause = error.cause if isinstance(error, SourceError) else "malformed_question"
            return self._failure(cause, str(error))
        except TimeoutError:
            return self._failure("late", "Vault did not answer in time")
        except RuntimeError:  # the threads take no more work
            return self._failure("stopping", "the controller is stopping")

    async def settle(self) -> None:
        """Wait, for a second at most, for the reads under way."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=ANSWER_WITHIN_S)

    def close(self) -> None:
        """Begin no further reads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, line: bytes) -> bytes:
        said = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        if "asked" in said:
            self._remember_asked(msgspec.json.decode(line, type=Asked))
            return b"{}"
        question = msgspec.json.decode(line, type=Question)
        key = _checked(question)
        self._note(key)
        pending = self._under_way.get(key)
        if pending is None:
            if len(self._under_way) >= PENDING_MAX:
                raise BusyError("too many roles are being read")
            loop = asyncio.get_running_loop()
            pending = asyncio.ensure_future(loop.run_in_executor(self._pool, self._read, key, question))
            self._under_way[key] = pending
            pending.add_done_callback(lambda done: self._done(key, done))
        await asyncio.shield(pending)
        return self._encoded(key, question)

    def _done(self, key: Key, done: asyncio.Future[None]) -> None:
        self._under_way.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has met it; when nobody did, it is not news

    def _encoded(self, key: Key, question: Question) -> bytes:
        self._count("answered")
        with self._shared.lock:
            content = bindings_file.of_role(
                self._shared.known,
                self._control,
                key,
                question.kube_namespace,
                confirmed_at=self._confirmed.get(key),
            )
        return msgspec.json.encode(content)

    def _read(self, key: Key, question: Question) -> None:
        """Read what is in doubt and was not read just now; in a thread.

        Raises:
            SourceError: there is no usable answer about the role. What comes after it is done as far as time allows.
        """
        now = self._now()
        if now - self._confirmed.get(key, NEVER) > REMEMBER_S:
            self._read_mount(key)
            self._read_one(key)
            _remember(self._confirmed, key, now)
        with self._shared.lock:
            text = self._shared.known.text(key)
            role = dict(text.value) if text is not None and text.value is not None else {}
        with contextlib.suppress(SourceError):
            if question.policies and self._control.wants_policies:
                for name in policies_of(role):
                    self._read_policy(Key(key.namespace, "", name))
        wants_labels = role.get("bound_service_account_namespace_selector") and question.kube_namespace
        if wants_labels and now - self._labelled.get(question.kube_namespace, NEVER) > REMEMBER_S:
            with contextlib.suppress(SourceError):
                self._reader.labels_of(question.kube_namespace)
                _remember(self._labelled, question.kube_namespace, now)

    def _read_mount(self, key: Key) -> None:
        """Look for a mount that is not known, or has no roles; there may be a new one."""
        with self._shared.lock:
            mount = self._shared.known.mounts.get((key.namespace, key.mount))
            is_polled = any(namespace == key.namespace for namespace, _ in self._control.mounts)
        if mount is not None and has_roles(mount):
            return
        if not is_polled:
            raise NoRouteError("this Vault namespace is not polled")
        self._take()
        self._reader.auth_mounts(key.namespace, within_s=BUCKET_WAIT_S)

    def _read_one(self, key: Key) -> None:
        with self._shared.lock:
            mount = self._shared.known.mounts.get((key.namespace, key.mount))
        if mount is None or not has_roles(mount):
            return
        self._take()
        self._reader.text(key, within_s=BUCKET_WAIT_S, timeout_s=READ_TIMEOUT_S)

    def _read_policy(self, key: Key) -> None:
        with self._shared.lock:
            text = self._shared.known.space(key.namespace).policies.get(key.name)
        if text is None or self._now() - text.read_at > REMEMBER_S:
            self._take()
            self._reader.text(key, within_s=BUCKET_WAIT_S, timeout_s=READ_TIMEOUT_S)

    def _take(self) -> None:
        if not self._share.take(within_s=BUCKET_WAIT_S):
            raise BusyError("too many questions")

    def _note(self, key: Key) -> None:
        """Remember that a pod asks for the role, if there is such a role: others would only fill the memory."""
        with self._shared.lock:
            text = self._shared.known.text(key)
            if text is None:
                return
            asked = self._shared.asked
            if key in asked or len(asked) < ASKED_REMEMBERED_MAX:
                asked[key] = self._now()
            is_unread = text.read_at == NEVER
            if is_unread:
                self._shared.wanted[key] = None
        if is_unread:
            self._wake()

    def _remember_asked(self, told: Asked) -> None:
        for ref in told.asked:
            self._note(Key.of(ref))
        self._count("told")

    def _failure(self, cause: str, text: str) -> bytes:
        self._count(cause)
        return msgspec.json.encode(Failure(text))

    def _count(self, outcome: str) -> None:
        self.answered[outcome] = self.answered.get(outcome, 0) + 1


def _remember(moments: dict[T, float], key: T, now: float) -> None:
    """Note the moment; those that count no more make room."""
    if len(moments) >= REMEMBERED_MAX:
        for old in [other for other, at in moments.items() if now - at > REMEMBER_S]:
            del moments[old]
    moments[key] = now


def _checked(question: Question) -> Key:
    """Return the role's key.

    Raises:
        ValueError: a name that cannot exist, or that must not enter a URL.
    """
    key = Key.of(question.ref)
    if not ROLE_NAME.fullmatch(key.name):
        raise ValueError("no name a role can have")
    for path in (key.mount, key.namespace):
        if (path or path is key.mount) and (len(path) > _LENGTH_MAX or not _MOUNT.fullmatch(path)):
            raise ValueError("no path a mount or a namespace can have")
    if question.kube_namespace and not _KUBE_NAME.fullmatch(question.kube_namespace):
        raise ValueError("no name a namespace of Kubernetes can have")
    return key


class ConfirmationServer(threading.Thread):
    """Serves the socket from an event loop in a thread of its own."""

    def __init__(self, path: str, confirmer: ConfirmationService) -> None:
        """Set up; `start` opens the socket."""
        super().__init__(name="confirm", daemon=True)
        self._path = Path(path)
        self._confirmer = confirmer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()
        self.is_open = threading.Event()
        self.problem = ""

    def run(self) -> None:
        """Serve until `stop`."""
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self.problem = str(error)
        finally:
            self.is_open.set()

    def stop(self) -> None:
        """Close the socket and end, within a second or so."""
        with contextlib.suppress(RuntimeError):  # it has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._ending.set)
        self._confirmer.close()
        self.join(timeout=STOP_S)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        aside = self._path.with_name(f".{self._path.name}.new")
        aside.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, aside, limit=LINE_MAX_BYTES)
        aside.chmod(SOCKET_MODE)
        aside.replace(self._path)  # what a killed process left is replaced in one step
        async with server:
            self.is_open.set()
            await self._ending.wait()
        await self._confirmer.settle()
        self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
                if not line.endswith(b"\n"):
                    break
                writer.write(await self._confirmer.answer(line) + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # a peer that went, a line without end, a connection nobody uses
        finally:
            writer.close()
