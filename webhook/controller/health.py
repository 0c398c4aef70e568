"""What the controller says of itself: a state file for people, probes and metrics over plain HTTP."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webhook.controller.confirmation_server import ConfirmationService
from webhook.controller.known import NEVER
from webhook.controller.loop import Health
from webhook.controller.reading import Shared
from webhook.controller.session import Session
from webhook.settings.parsers import Address

STUCK_AFTER_S = 120.0  # a loop that did not turn for so long hangs; one turn is some requests with their deadlines
FIRST_POLL_S = 10.0  # so long readiness waits for a document
REQUEST_TIMEOUT_S = 10.0


class Report:
    """Puts together what is told, on demand."""

    def __init__(self, shared: Shared, health: Health, session: Session, confirmer: ConfirmationService | None) -> None:
        self._shared = shared
        self._health = health
        self._session = session
        self._confirmer = confirmer

    @property
    def is_alive(self) -> bool:
        """Tell whether the loop turns."""
        return time.monotonic() - self._health.beat < STUCK_AFTER_S

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a document, or there was time enough for one: Vault may be away for long."""
        return self._health.written_at is not None or time.time() - self._health.started_at > FIRST_POLL_S

    def state(self) -> dict[str, Any]:
        """Return how the controller fares, for people."""
        health, counts = self._health, self.counts()
        return {
            "startedAt": _time(health.started_at),
            "lastPollAt": _time(health.last_poll_at),
            "nextPollAt": _time(health.next_poll_at),
            "writtenAt": _time(health.written_at),
            "fetchedAt": _time(self._shared.known.fetched_at),
            "failuresInARow": health.failures,
            "problems": {**health.problems, **({"document": health.write_problem} if health.write_problem else {})},
            **counts,
        }

    def counts(self) -> dict[str, int]:
        """Return how much is known."""
        with self._shared.lock:
            known = self._shared.known
            roles = [role for mount in known.mounts.values() for role in mount.roles.values()]
            return {
                "mounts": len(known.mounts),
                "roles": len(roles),
                "rolesNotRead": sum(role.read_at == NEVER for role in roles),
                "rolesAskedFor": len(self._shared.asked),
                "policies": sum(len(space.policies) for space in known.spaces.values()),
            }

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics."""
        health = self._health
        yield _gauge("fetched_timestamp_seconds", "When all mounts were last listed", self._shared.known.fetched_at)
        yield _gauge("written_timestamp_seconds", "When the document was last written", health.written_at)
        yield _gauge("failures_in_a_row", "Polls that failed since the last that did not", health.failures)
        for name, count in self.counts().items():
            words = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
            yield _gauge(words, f"Known of Vault: {words.replace('_', ' ')}", count)
        yield _gauge("problems", "Places that cannot be read or written", len(self.state()["problems"]))
        yield _counter("polls", "Polls", {(): health.polls})
        yield _counter("logins", "Logins to Vault", {(): self._session.logins})
        yield _counter("failures", "Failed reads by cause", {(c,): n for c, n in dict(health.failed).items()}, "cause")
        answered = dict(self._confirmer.answered) if self._confirmer else {}
        yield _counter("confirmations", "Questions by outcome", {(o,): n for o, n in answered.items()}, "outcome")


class _Metrics(Collector):
    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        return self._report.metrics()


class Pages:
    """Serves /livez, /readyz and /metrics in threads."""

    def __init__(self, address: Address, report: Report) -> None:
        """Listen.

        Raises:
            OSError: the address is taken, or not ours.
        """
        registry = CollectorRegistry()
        registry.register(_Metrics(report))
        pages: Mapping[str, Callable[[], tuple[bool, bytes]]] = {
            "/livez": lambda: (report.is_alive, b"ok\n" if report.is_alive else b"the loop stands still\n"),
            "/readyz": lambda: (report.is_ready, msgspec.json.encode(report.state())),
            "/metrics": lambda: (True, generate_latest(registry)),
        }
        self._server = _Server((address.host, address.port), _handler(pages))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="pages", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(pages: Mapping[str, Callable[[], tuple[bool, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            page = pages.get(urlsplit(self.path).path)
            is_good, body = page() if page else (False, b"there is nothing at this path\n")
            self.send_response(200 if is_good else 503 if page else 404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: probes come every few seconds."""

    return Handler


def _gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"vault_webhook_control_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def _counter(name: str, text: str, counts: Mapping[tuple[str, ...], int], *labels: str) -> CounterMetricFamily:
    family = CounterMetricFamily(f"vault_webhook_control_{name}", text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
