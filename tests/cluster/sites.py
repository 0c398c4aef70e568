"""HTTP questions asked from inside a run's namespace; with https, certificates are verified."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.network import Namespace

TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, of whatever status."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body decoded; an empty one is None."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Site:
    """A server reached from inside a namespace."""

    namespace: Namespace
    url: str  # "https://HOST:PORT" or http, no slash at the end
    ca_file: Path  # whom to trust, with https
    client: tuple[Path, Path] | None = None  # certificate and key to present to a server that asks

    def ask(self, method: str, path: str, *, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request and return its answer.

        Args:
            method: "GET", "POST", ...
            path: with a slash in front.
            body: sent as JSON; None: no body.
            headers: beside those of HTTP itself.

        Raises:
            OSError: no connection, no answer in TIMEOUT_S, or a certificate that does not verify.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(headers or {}), method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        return self.namespace.call(lambda: self._send(request))

    def _send(self, request: urllib.request.Request) -> Answer:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if self.client is not None:
            context.load_cert_chain(*self.client)
        trust = urllib.request.HTTPSHandler(context=context)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), trust)
        try:
            with direct.open(request, timeout=TIMEOUT_S) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as refusal:  # an answer too
            with refusal:
                return Answer(refusal.code, refusal.read())
