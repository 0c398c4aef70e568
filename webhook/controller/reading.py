"""Asks Vault and Kubernetes, and takes the answers over into what is known, under its lock.

`Reader.lists` is the part of a poll that costs a request a mount; `Reader.text` reads one role or policy.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from webhook.controller import known as knowledge
from webhook.controller.errors import (
    DeniedError,
    MalformedError,
    NoRouteError,
    RateLimitedError,
    RefusedError,
    SourceError,
)
from webhook.controller.known import NEVER, Body, Key, Known, KnownMount, MountKey
from webhook.controller.kube import Namespaces
from webhook.controller.session import BUCKET_WAIT_S, Session
from webhook.rolecheck.bindings.load import API_VERSION, KIND, BindingsError, load_json
from webhook.rolecheck.bindings.snapshot import KUBERNETES, ROLE_TYPES
from webhook.settings.control import Control

ROLE_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,510}[a-z0-9_])?")  # one Vault can have created, in lower case
POLICY_NAME = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f?#%]{1,512}")
_OF_EVERY_ROLE = frozenset(("bound_service_account_names", "user_claim", "role_type"))  # one of them is in each answer
_LOCAL = (
    DeniedError,
    MalformedError,
    NoRouteError,
    RefusedError,
)  # say something of one path only; others, that Vault is not there


class Shared:
    """What is known, and who may touch it: whoever holds the lock."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()
        self.lock = threading.RLock()
        self.asked: dict[Key, float] = {}  # when a pod last asked for a role, Unix seconds
        self.wanted: dict[Key, None] = {}  # texts to read before all others, in order
        self.changed = False  # since the document was last made


class Result:
    """How one poll went."""

    def __init__(self) -> None:
        self.problems: dict[str, SourceError] = {}  # by place
        self.not_listed: set[MountKey] = set()
        self.ended_early = False

    @property
    def is_failure(self) -> bool:
        """Tell whether to wait longer than usual."""
        return any(problem.backs_off for problem in self.problems.values())

    @property
    def lacks_mounts(self) -> bool:
        """Tell whether a list of auth mounts may be older than the poll; one we may not read is not used at all."""
        return any(place.endswith("sys/auth") and problem.backs_off for place, problem in self.problems.items())

    @property
    def retry_after_s(self) -> float:
        """Return what the server asked for, 0 when it did not."""
        return max((p.retry_after_s for p in self.problems.values() if isinstance(p, RateLimitedError)), default=0.0)


class _EndedError(Exception):
    """Vault is not there at present: the rest of the poll would only wait for it."""


class VaultReader:
    """Reads."""

    def __init__(
        self,
        control: Control,
        session: Session,
        shared: Shared,
        *,
        kube: Namespaces | None,
        now: Callable[[], float],
    ) -> None:
        """Set up.

        Args:
            control: the settings.
            session: with Vault.
            shared: what answers are taken over into.
            kube: tells labels; None where they are not wanted.
            now: Unix seconds.
        """
        self._control = control
        self._session = session
        self._shared = shared
        self.kube = kube
        self._now = now

    def lists(self) -> Result:
        """Read everything but texts; what has no answer keeps what was known, and is named in the result."""
        result = Result()
        began = self._now()
        mounts = list(self._control.mounts)
        result.not_listed = set(mounts)
        try:
            for namespace in dict.fromkeys(namespace for namespace, _ in mounts):
                self._namespace(namespace, result)
            for key in mounts:
                self._mount(key, result)
        except _EndedError:
            result.ended_early = True
        if mounts and not result.not_listed and not result.lacks_mounts:
            with self._change() as known:
                known.fetched_at = began
        return result

    def text(self, key: Key, *, within_s: float = BUCKET_WAIT_S, timeout_s: float | None = None) -> None:
        """Read one role or policy.

        Raises:
            SourceError: there is no usable answer; what was known stays.
        """
        if not (ROLE_NAME if key.mount else POLICY_NAME).fullmatch(key.name):
            return  # not to be put into a URL: stays unknown
        if key.mount:
            self._role(key, within_s, timeout_s)
        else:
            self._policy(key, within_s, timeout_s)

    def auth_mounts(self, namespace: str, *, within_s: float = BUCKET_WAIT_S) -> None:
        """Read the auth mounts of a Vault namespace.

        Raises:
            SourceError: there is no usable answer; they are no longer known.
        """
        try:
            found = self._session.ask(lambda vault: vault.auth_mounts(namespace), within_s=within_s)
        except (DeniedError, NoRouteError):
            with self._change() as known:
                known.space(namespace).auth_is_known = False
            raise
        with self._change() as known:
            knowledge.take_auth_mounts(known, namespace, found)

    def labels(self) -> None:
        """Read the labels of all namespaces where a role needs them; old ones are dropped when they are too old.

        Raises:
            SourceError: there is no usable answer.
        """
        with self._shared.lock:
            is_needed = self._shared.known.uses_labels
        if self.kube is None or not is_needed:
            return
        try:
            labels = self.kube.labels()
        except SourceError as error:
            with self._change() as known:
                if isinstance(error, DeniedError) or self._now() - known.labels_at > self._control.max_staleness_s:
                    known.labels = {}
            raise
        with self._change() as known:
            known.labels, known.labels_at = labels, self._now()

    def labels_of(self, namespace: str) -> None:
        """Read the labels of one namespace.

        Raises:
            SourceError: there is no usable answer.
        """
        if self.kube is None:
            return
        labels = self.kube.labels_of(namespace)
        with self._change() as known:
            known.labels.pop(namespace, None)
            if labels is not None:
                known.labels[namespace] = labels

    @contextmanager
    def _change(self) -> Iterator[Known]:
        with self._shared.lock:
            self._shared.changed = True
            yield self._shared.known

    @contextmanager
    def _noting(self, place: str, result: Result) -> Iterator[None]:
        """Note a problem of one place and go on; end the poll where Vault is not there."""
        try:
            yield
        except SourceError as error:
            result.problems[place] = error
            if not isinstance(error, _LOCAL) and type(error) is not SourceError:
                raise _EndedError from error

    def _namespace(self, namespace: str, result: Result) -> None:
        shown = f"{namespace}/" if namespace else ""
        with self._noting(f"{shown}sys/auth", result):
            self.auth_mounts(namespace)
        with self._noting(f"{shown}sys/namespaces", result):
            self._children(namespace)
        if not self._control.wants_policies:
            return
        with self._noting(f"{shown}sys/mounts", result):
            self._secret_mounts(namespace)
        with self._noting(f"{shown}sys/policies/acl", result):
            self._policies(namespace)

    def _children(self, namespace: str) -> None:
        try:
            children = tuple(self._session.ask(lambda vault: vault.namespaces(namespace)))
        except DeniedError:
            with self._change() as known:
                known.space(namespace).children = None
            raise
        with self._change() as known:
            known.space(namespace).children = children

    def _secret_mounts(self, namespace: str) -> None:
        try:
            found = self._session.ask(lambda vault: vault.secret_mounts(namespace))
        except DeniedError:
            with self._change() as known:
                known.space(namespace).secret_mounts = None
            raise
        mounts = tuple(
            {"path": path, "type": facts["type"], "options": {"version": _kv_version(facts)}}
            if facts["type"] == "kv"
            else {"path": path, "type": facts["type"]}
            for path, facts in sorted(found.items())
        )
        with self._change() as known:
            known.space(namespace).secret_mounts = mounts

    def _policies(self, namespace: str) -> None:
        try:
            names = self._session.ask(lambda vault: vault.policy_names(namespace))
        except (DeniedError, NoRouteError):
            with self._change() as known:
                known.space(namespace).policies_are_known = False
            raise
        with self._change() as known:
            knowledge.take_policy_names(known.space(namespace), names)

    def _mount(self, key: MountKey, result: Result) -> None:
        namespace, path = key
        place = f"{namespace}/auth/{path}" if namespace else f"auth/{path}"
        with self._shared.lock:
            known = self._shared.known
            is_told = (
                known.space(namespace).auth_is_known and f"{namespace}/sys/auth".lstrip("/") not in result.problems
            )
            mount = known.mounts.get(key)
        if is_told and (mount is None or not knowledge.has_roles(mount)):
            result.not_listed.discard(key)  # it does not exist, or holds no roles: nothing to list
            return
        config = None
        with self._noting(f"{place}/config", result):
            config = self._session.ask(lambda vault: vault.config(namespace, path))
        asked_at = self._now()
        with self._noting(f"{place}/role", result):
            try:
                names = self._session.ask(lambda vault: vault.role_names(namespace, path))
            except NoRouteError:
                with self._change() as known:
                    known.mounts.pop(key, None)
                result.not_listed.discard(key)
                return
            if names is None and not is_told and config is None:
                raise DeniedError("no roles, and whether the mount exists is unknown")
            with self._change() as known:
                mount = known.mounts.setdefault(key, KnownMount(type=knowledge.type_of(config, ())))
                knowledge.take_list(mount, names or (), asked_at=asked_at)
            result.not_listed.discard(key)
        problem = result.problems.get(f"{place}/config")
        with self._change() as known:
            if (mount := known.mounts.get(key)) and (problem is None or isinstance(problem, DeniedError)):
                knowledge.take_config(mount, config)

    def _role(self, key: Key, within_s: float, timeout_s: float | None) -> None:
        asked_at = self._now()
        try:
            fields = self._session.ask(
                lambda vault: vault.role(key.namespace, key.mount, key.name, timeout_s=timeout_s), within_s=within_s
            )
        except DeniedError:
            with self._shared.lock:
                is_listed = self._shared.known.text(key) is not None
            if not is_listed:
                raise  # Vault denies what does not exist just as well
            self._take_role(key, None, asked_at)
            return
        if fields is not None:
            self._take_role(key, fields, asked_at)
            return
        with self._shared.lock:
            mount = self._shared.known.mounts.get((key.namespace, key.mount))
            if mount is not None and mount.roles.pop(key.name, None) is not None:
                self._shared.changed = True

    def _take_role(self, key: Key, fields: dict[str, Any] | None, asked_at: float) -> None:
        """Take over a role that exists; without fields it may not be read, which proves no mount."""
        with self._shared.lock:
            known = self._shared.known
            mount = known.mounts.get((key.namespace, key.mount))
            if mount is None and fields is None:
                return
            space = known.space(key.namespace)
            if fields is not None and (mount is None or not space.auth_is_known):
                guess = knowledge.type_of(mount.config if mount else None, (fields,))
                mount = mount or known.mounts.setdefault((key.namespace, key.mount), KnownMount(type=guess))
                mount.type = guess
            before = mount.roles.get(key.name) if mount else None
            if mount is None or (before is not None and before.read_at > asked_at):
                return
            if fields is not None:
                _check(fields, mount.type)
            knowledge.take_role(mount, key.name, fields, now=self._now())
            if before is None or before.value != mount.roles[key.name].value:
                self._shared.changed = True
            if fields is not None and self._control.wants_policies:
                self._want_policies(key.namespace, fields)

    def _want_policies(self, namespace: str, role: dict[str, Any]) -> None:
        """Have a role's policies read that never were; one that is not listed may have been made since the list."""
        space = self._shared.known.space(namespace)
        for name in knowledge.policies_of(role):
            text = space.policies.get(name)
            if text is None:
                text = space.policies[name] = Body()
            if text is not None and text.read_at == NEVER:
                self._shared.wanted[Key(namespace, "", name)] = None

    def _policy(self, key: Key, within_s: float, timeout_s: float | None) -> None:
        is_denied, text = False, None
        try:
            text = self._session.ask(
                lambda vault: vault.policy(key.namespace, key.name, timeout_s=timeout_s), within_s=within_s
            )
        except DeniedError:
            is_denied = True
        with self._shared.lock:
            policies = self._shared.known.space(key.namespace).policies
            before = policies.pop(key.name, None)
            if text is not None or is_denied:
                policies[key.name] = Body(text, self._now())
            if before is None or key.name not in policies or before.value != text:
                self._shared.changed = True


def _kv_version(facts: dict[str, Any]) -> str:
    options = facts.get("options")
    version = options.get("version") if isinstance(options, dict) else None
    return "2" if str(version) == "2" else "1"


def _check(fields: dict[str, Any], mount_type: str) -> None:
    """Check that a document with this role can be loaded.

    Raises:
        MalformedError: it cannot; a member has another type than Vault gives it, or all of them are missing.
    """
    if not _OF_EVERY_ROLE.intersection(fields):
        raise MalformedError("no role in the answer")
    kind = mount_type if mount_type in ROLE_TYPES else KUBERNETES
    mount = {"path": "mount", "type": kind, "roles": {"role": knowledge.trimmed(fields)}}
    document = msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "auth": [mount]})
    try:
        load_json(document)
    except BindingsError as error:
        raise MalformedError(str(error)) from error
