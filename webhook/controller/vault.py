"""What we read of Vault, through hvac, whose exceptions stop here: a method a question, SourceErrors for no answer.

To read something more: a method of `Vault`, a path in policy.py, a test against a real server.
Absence is told by a 404 that Vault itself wrote; everything else that is no answer raises.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import hvac.adapters
import msgspec
import requests

from webhook.controller.errors import (
    DeniedError,
    MalformedError,
    NoRouteError,
    RateLimitedError,
    RefusedError,
    SealedError,
    SourceError,
    UninitialisedError,
    UnreachableError,
)
from webhook.one_line import clean

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0
BODY_MAX_BYTES = 64 << 20  # a list of a million roles
RETRY_AFTER_MAX_S = 300.0

Answer = dict[str, Any]
_decode = msgspec.json.Decoder().decode
_STATUS_OK, _STATUS_NO_CONTENT, _STATUS_NOT_FOUND, _STATUS_SERVER_FAULT = 200, 204, 404, 500


class Adapter(hvac.adapters.RawAdapter):  # type: ignore[misc] # the library has no types
    """One token in one namespace. Answers are JSON objects, None for what Vault says is absent, errors ours."""

    def __init__(self, *arguments: Any, read_timeout_s: float = READ_TIMEOUT_S, **named: Any) -> None:
        super().__init__(*arguments, timeout=(min(CONNECT_TIMEOUT_S, read_timeout_s), read_timeout_s), **named)
        self._whole_timeout_s = read_timeout_s

    def request(self, method: str, url: str, headers: Any = None, raise_exception: bool = True, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 the library's signature
        """Send one request and judge the answer.

        Raises:
            SourceError: there is no usable answer.
        """
        del raise_exception
        end = time.monotonic() + self._whole_timeout_s
        try:
            response = super().request(method, url, headers=headers, raise_exception=False, stream=True, **kwargs)
            with response:
                return _judged(response, _body(response, end))
        except requests.RequestException as error:
            raise UnreachableError(_cause(error)) from error
        except OSError as error:  # the file of CA certificates, which may come later
            raise UnreachableError(clean(error, 200)) from error

    def get_login_token(self, response: Any) -> str:
        """Return the token of a login's answer; hvac asks for it."""
        return str(response["auth"]["client_token"])


class Vault:
    """Questions about mounts, roles and policies, with one token; `namespace` is Vault's, "" for the root."""

    def __init__(self, connect: Callable[[str, float | None], Adapter]) -> None:
        """Set up.

        Args:
            connect: returns an adapter for a namespace and a timeout in seconds, None for the usual one.
        """
        self._connect = connect

    def auth_mounts(self, namespace: str) -> dict[str, Answer]:
        """Return all auth mounts by path, without slash at the end: type, accessor and more.

        Raises:
            SourceError: there is no usable answer; the same of all methods here.
        """
        return _by_path(self._data(namespace, "sys/auth"), "sys/auth")

    def secret_mounts(self, namespace: str) -> dict[str, Answer]:
        """Return all secrets mounts by path."""
        return _by_path(self._data(namespace, "sys/mounts"), "sys/mounts")

    def namespaces(self, namespace: str) -> list[str]:
        """Return the namespaces right below; none where the server knows no namespaces."""
        try:
            return [name.strip("/") for name in self._keys(namespace, "sys/namespaces") or ()]
        except NoRouteError:
            return []

    def role_names(self, namespace: str, mount: str) -> list[str] | None:
        """Return the names of a mount's roles; None when Vault has none to tell, of a mount that may not exist."""
        keys = self._keys(namespace, f"auth/{mount}/role")
        return None if keys is None else [name.lower() for name in keys]

    def role(self, namespace: str, mount: str, name: str, *, timeout_s: float | None = None) -> Answer | None:
        """Return a role's fields; None when Vault has no such role, on a mount that may not exist."""
        return self._data_or_none(namespace, f"auth/{mount}/role/{name}", timeout_s)

    def config(self, namespace: str, mount: str) -> Answer | None:
        """Return a mount's configuration; None when it has none yet."""
        return self._data_or_none(namespace, f"auth/{mount}/config")

    def policy_names(self, namespace: str) -> list[str]:
        """Return the names of all policies."""
        return self._keys(namespace, "sys/policies/acl") or []

    def policy(self, namespace: str, name: str, *, timeout_s: float | None = None) -> str | None:
        """Return a policy's text; None when there is no such policy."""
        data = self._data_or_none(namespace, f"sys/policies/acl/{name}", timeout_s)
        if data is None:
            return None
        text = data.get("policy")
        if not isinstance(text, str):
            raise MalformedError(f"sys/policies/acl/{name}: no text in the answer")
        return text

    def _data(self, namespace: str, path: str) -> Answer:
        data = self._data_or_none(namespace, path)
        if data is None:
            raise MalformedError(f"{path}: not found, where something always is")
        return data

    def _data_or_none(self, namespace: str, path: str, timeout_s: float | None = None) -> Answer | None:
        return _data_of(self._connect(namespace, timeout_s).get(url=_url(path)), path)

    def _keys(self, namespace: str, path: str) -> list[str] | None:
        data = _data_of(self._connect(namespace, None).list(url=_url(path)), path)
        if data is None:
            return None
        keys = data.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise MalformedError(f"{path}: no list of names in the answer")
        return keys


def _url(path: str) -> str:
    return f"/v1/{quote(path)}"


def _data_of(answer: Answer | None, path: str) -> Answer | None:
    if answer is None:
        return None
    data = answer.get("data")
    if not isinstance(data, dict):
        raise MalformedError(f"{path}: no data in the answer")
    return data


def _by_path(data: Answer, path: str) -> dict[str, Answer]:
    mounts = {name.strip("/"): mount for name, mount in data.items()}
    if not all(isinstance(mount, dict) and isinstance(mount.get("type"), str) for mount in mounts.values()):
        raise MalformedError(f"{path}: a mount without a type")
    return mounts


def _body(response: requests.Response, end: float) -> bytes:
    """Return the whole body, or raise: one that drips, or never ends, is no answer."""
    parts = []
    size = 0
    for part in response.iter_content(1 << 16):
        parts.append(part)
        size += len(part)
        if size > BODY_MAX_BYTES:
            raise MalformedError(f"an answer of more than {BODY_MAX_BYTES} bytes")
        if time.monotonic() > end:
            raise UnreachableError("the answer did not end in time")
    return b"".join(parts)


def _judged(response: requests.Response, body: bytes) -> Answer | None:
    """Return the answer's JSON object; None where Vault says that nothing is there.

    Raises:
        SourceError: anything else.
    """
    status = response.status_code
    if status == _STATUS_NO_CONTENT:
        return {}
    content = _object(body)
    if status == _STATUS_OK:
        if content is None:
            raise MalformedError(f"status 200 with a body that is no JSON object: {_shown(body)}")
        return content
    errors = None if content is None else content.get("errors")
    if status == _STATUS_NOT_FOUND and content is not None and not errors:
        return None
    raise _error(status, errors if isinstance(errors, list) else None, response, body)


def _error(status: int, errors: list[object] | None, response: requests.Response, body: bytes) -> SourceError:
    """Return what a status other than 200 means; without Vault's `errors` somebody else wrote the answer."""
    said = clean("; ".join(map(str, errors)), 200) if errors else _shown(body)
    text = f"status {status}: {said}"
    retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
    if status == requests.codes.too_many_requests or retry_after_s:
        return RateLimitedError(text, retry_after_s)
    if errors is None:
        return UnreachableError(text)
    kinds: Mapping[int, type[SourceError]] = {
        401: DeniedError,
        403: DeniedError,
        404: NoRouteError,
        501: UninitialisedError,
        503: SealedError,
    }
    kind = kinds.get(status) or (RefusedError if status < _STATUS_SERVER_FAULT else SourceError)
    return kind(text)


def _object(body: bytes) -> Answer | None:
    try:
        content = _decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _retry_after_s(raw: str) -> float:
    """Read seconds or an HTTP date; 0 when there is none, never more than RETRY_AFTER_MAX_S."""
    if not raw:
        return 0.0
    try:
        seconds = float(raw) if raw.isdigit() else parsedate_to_datetime(raw).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 1.0), RETRY_AFTER_MAX_S)


def _shown(body: bytes) -> str:
    return clean(body[:80].decode(errors="replace"))


def _cause(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS: {clean(error, 200)}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return clean(error, 200)
