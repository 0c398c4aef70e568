"""Our own login to Vault: when to log in, how, and again before the token ends or once it was revoked.

`Session.ask` sends questions with the token of the moment. To add a way to log in: a function in `_LOGINS`.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import requests
from hvac.api.auth_methods import AppRole, Kubernetes, Token
from requests.adapters import HTTPAdapter

from webhook.controller.bucket import Bucket
from webhook.controller.errors import BusyError, DeniedError, LoginError, MalformedError, RateLimitedError, SourceError
from webhook.controller.vault import READ_TIMEOUT_S, Adapter, Vault
from webhook.settings.control import Control, VaultAuth

RENEW_AFTER = 2 / 3  # of a token's life we log in anew; renewing would save nothing and can reach a maximum
CHECK_S = 10.0  # so long a token that was looked up counts as alive, and denials as the policy's
BLIND_RELOGIN_S = 300.0  # the same where we may not look our token up
CONNECTIONS_MAX = 8  # kept open: those of the poll and of confirmations
BUCKET_WAIT_S = 5.0  # longest wait for the limit of requests; a pause the server asked for may be longer
REDIRECTS_MAX = 2  # a standby names the active server

T = TypeVar("T")


class Login(NamedTuple):
    """A token, and when to replace it, on the clock of the session."""

    token: str
    until: float


class _Http(requests.Session):
    """Follows a standby's redirect to the active server, but never takes our token out of TLS."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Check where the redirect leads; requests calls it before it follows."""
        if response.url.startswith("https:") and not str(prepared_request.url).startswith("https:"):
            raise requests.exceptions.InvalidSchema("a redirect from https to http is not followed")
        super().rebuild_auth(prepared_request, response)


class Session:
    """Asks Vault as somebody who is logged in; used by several threads."""

    def __init__(
        self,
        control: Control,
        bucket: Bucket,
        *,
        now: Callable[[], float] = time.monotonic,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Set up; the first question logs in.

        Args:
            control: how to reach Vault, and as whom.
            bucket: bounds the requests.
            now: seconds of a clock that never goes back.
            read_timeout_s: longest wait for an answer, where a question does not say otherwise.
        """
        self._control = control
        self._read_timeout_s = read_timeout_s
        self._bucket = bucket
        self._now = now
        self._verify = _ca_file(control)
        self._http = _Http()
        self._http.max_redirects = REDIRECTS_MAX
        self._http.verify = self._verify  # hvac prefers it to its own argument
        for scheme in ("https://", "http://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS_MAX))
        self._login: Login | None = None
        self._alive_until = 0.0
        self._may_look_up = True
        self._lock = threading.Lock()
        self.logins = 0

    def ask(self, question: Callable[[Vault], T], *, within_s: float = BUCKET_WAIT_S) -> T:
        """Return the answer; log in before where that is due, and once more where the token turns out revoked.

        Args:
            question: what to ask; one request.
            within_s: how long the limit of requests may hold us up.

        Raises:
            SourceError: there is no usable answer; LoginError: we are not let in.
        """
        token = self._token(within_s)
        try:
            return self._counted(lambda: question(self._vault(token)), within_s)
        except DeniedError:
            if not self._is_replaced(token, within_s):
                raise
        token = self._token(within_s)
        return self._counted(lambda: question(self._vault(token)), within_s)

    def close(self) -> None:
        """Revoke the token we made, if Vault answers quickly; a token that was given to us stays."""
        login, self._login = self._login, None
        self._revoke(login)
        self._http.close()
        if self._control.vault_ca_certificates and isinstance(self._verify, str) and not self._control.vault_ca_file:
            Path(self._verify).unlink(missing_ok=True)

    def _revoke(self, login: Login | None) -> None:
        if login is not None and self._control.vault_auth is not VaultAuth.TOKEN_FILE:
            try:
                Token(adapter=self._adapter(login.token, self._control.vault_namespace, 1.0)).revoke_self()
            except SourceError:
                return  # it ends by itself

    def _vault(self, token: str) -> Vault:
        return Vault(lambda namespace, timeout_s: self._adapter(token, namespace, timeout_s))

    def _adapter(self, token: str, namespace: str, timeout_s: float | None = None) -> Adapter:
        return Adapter(
            base_uri=self._control.vault_address,
            token=token,
            namespace=namespace,
            verify=self._verify,
            session=self._http,
            read_timeout_s=timeout_s or self._read_timeout_s,
        )

    def _counted(self, send: Callable[[], T], within_s: float) -> T:
        """Send one request when the bucket lets us, and do as the server says when it has enough."""
        if not self._bucket.take(within_s=within_s):
            raise BusyError("the limit of requests to Vault is reached")
        try:
            return send()
        except RateLimitedError as error:
            self._bucket.pause(error.retry_after_s)
            raise

    def _token(self, within_s: float) -> str:
        login = self._login
        if login is not None and self._now() < login.until:
            return login.token
        with self._lock:
            if self._login is None or self._now() >= self._login.until:
                self._login = self._log_in(within_s)
            return self._login.token

    def _log_in(self, within_s: float) -> Login:
        """Log in.

        Raises:
            LoginError: we are not let in, or what we log in with is not there.
            SourceError: Vault has no usable answer.
        """
        self.logins += 1
        try:
            answer = self._counted(self._send_login, within_s)
        except OSError as error:
            raise LoginError(f"cannot read {error.filename}: {error.strerror}") from error
        except SourceError as error:
            if error.backs_off and type(error) not in (SourceError, MalformedError):
                raise
            raise LoginError(
                f"{self._control.vault_auth} login at auth/{self._control.vault_auth_path}: {error}"
            ) from error
        auth = answer.get("auth") or {}
        token, lease_s = auth.get("client_token"), auth.get("lease_duration")
        if not isinstance(token, str) or not isinstance(lease_s, int):
            raise LoginError("Vault's answer to our login holds no token")
        self._alive_until = self._now() + CHECK_S
        return Login(token, self._now() + lease_s * RENEW_AFTER if lease_s else float("inf"))

    def _send_login(self) -> Mapping[str, Any]:
        adapter = self._adapter("", self._control.vault_namespace)
        answer: Mapping[str, Any] | None = _LOGINS[self._control.vault_auth](adapter, self._control)
        return answer or {}

    def _is_replaced(self, denied: str, within_s: float) -> bool:
        """Tell whether another token than the denied one should be tried: that one was revoked, as far as we can see."""
        with self._lock:
            if self._login is None or self._login.token != denied:
                return True
            if self._now() < self._alive_until:
                return False
            if self._may_look_up and self._is_alive(denied, within_s):
                self._alive_until = self._now() + CHECK_S
                return False
            self._login = self._log_in(within_s)
            if not self._may_look_up or not self._is_alive(self._login.token, within_s):
                # A new token that cannot look itself up: looking up proves nothing, so log in anew now and then.
                self._may_look_up = False
                self._alive_until = self._now() + BLIND_RELOGIN_S
            return True

    def _is_alive(self, token: str, within_s: float) -> bool:
        """Tell whether the token may look itself up, as any token with the default policy may."""
        adapter = self._adapter(token, self._control.vault_namespace)
        try:
            self._counted(lambda: Token(adapter=adapter).lookup_self(), within_s)
        except DeniedError:
            return False
        return True


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").strip()


def _kubernetes(adapter: Adapter, control: Control) -> Any:
    return Kubernetes(adapter=adapter).login(
        role=control.vault_role, jwt=_text(control.token_file), use_token=False, mount_point=control.vault_auth_path
    )


def _approle(adapter: Adapter, control: Control) -> Any:
    return AppRole(adapter=adapter).login(
        role_id=_text(control.role_id_file),
        secret_id=_text(control.secret_id_file) if control.secret_id_file else None,
        use_token=False,
        mount_point=control.vault_auth_path,
    )


def _token_file(_: Adapter, control: Control) -> Any:
    return {"auth": {"client_token": _text(control.token_file), "lease_duration": int(CHECK_S / RENEW_AFTER)}}


_LOGINS: Mapping[VaultAuth, Callable[[Adapter, Control], Any]] = {
    VaultAuth.KUBERNETES: _kubernetes,
    VaultAuth.APPROLE: _approle,
    VaultAuth.TOKEN_FILE: _token_file,  # read again every CHECK_S: somebody else keeps it fresh
}


def _ca_file(control: Control) -> str | bool:
    """Return the file of CA certificates, or True for the system's."""
    if control.vault_ca_file:
        return control.vault_ca_file
    if not control.vault_ca_certificates:
        return True
    with tempfile.NamedTemporaryFile("w", prefix="vault-webhook-ca-", suffix=".pem", delete=False) as file:
        file.write(control.vault_ca_certificates)
    return file.name
