"""Pages for people and probes, on a port of its own: the admission path does not pass through here.

Liveness and readiness are read from the workers' state files. The page that shows settings and bindings is for
whoever can forward a port: it answers loopback clients only. The API server never comes here.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address

from flask import Flask, Response, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from webhook import __version__
from webhook.server import metrics, state
from webhook.server.runtime import Folders
from webhook.server.state import STALE_AFTER_S, WorkerState
from webhook.settings.read import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
NO_EXTERNAL_CONTENT = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(
    settings: Settings,
    folders: Folders,
    *,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Flask:
    """Return the application.

    Args:
        settings: of this run.
        folders: where the workers write.
        now: unix time.
        monotonic: the clock of WorkerState.beat.
    """
    app = Flask(__name__)

    @app.get("/livez")
    def livez() -> ResponseReturnValue:
        problems = _not_alive(state.read_all(folders.workers), settings.workers, monotonic())
        return _probe("alive", problems)

    def obstacles(workers: Sequence[WorkerState]) -> Sequence[str]:
        return [*_not_alive(workers, settings.workers, monotonic()), *_not_ready(workers, settings, now())]

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        workers = state.read_all(folders.workers)
        problems = obstacles(workers)
        return _probe("ready", problems, binding_check=settings.binding_check, degraded=_degraded(workers))

    @app.get("/")
    def start() -> ResponseReturnValue:
        if not _is_local():
            abort(403, "this page answers loopback clients only: use kubectl port-forward")
        workers = state.read_all(folders.workers)
        problems = obstacles(workers)
        return render_template(
            "start.html",
            version=__version__,
            settings=settings,
            masked=settings.masked(),
            workers=workers,
            problems=[*problems, *_degraded(workers)],
            ready=not problems,
            now=now(),
            monotonic=monotonic(),
        )

    if settings.telemetry_path:

        @app.get(settings.telemetry_path)
        def telemetry() -> ResponseReturnValue:
            text = metrics.exposition(folders.metrics, folders.workers, binding_check=settings.binding_check)
            return Response(text, content_type=CONTENT_TYPE_LATEST)

    app.after_request(_harden)
    app.add_template_filter(_as_time, "as_time")
    app.add_template_filter(_as_duration, "as_duration")
    return app


def _harden(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = NO_EXTERNAL_CONTENT
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _probe(word: str, problems: Sequence[str], **more: object) -> ResponseReturnValue:
    return jsonify({word: not problems, "reasons": problems, **more}), 503 if problems else 200


def _not_alive(workers: Sequence[WorkerState], wanted: int, monotonic: float) -> Sequence[str]:
    fresh = sum(monotonic - worker.beat < STALE_AFTER_S for worker in workers)
    return [] if fresh >= wanted else [f"{fresh} of {wanted} workers are alive"]


def _not_ready(workers: Sequence[WorkerState], settings: Settings, now: float) -> Sequence[str]:
    """Return why the API server should not be sent here, each reason once."""
    problems = []
    for worker in workers:
        if worker.draining:
            problems.append("stopping")
        certificate = worker.certificate
        if certificate.loaded_at is None:
            problems.append(f"no certificate yet: {certificate.problem}")
        elif now < certificate.not_before:
            problems.append(f"the certificate is not valid before {_as_time(certificate.not_before)}")
        elif now >= certificate.not_after:
            problems.append(f"the certificate ended at {_as_time(certificate.not_after)}")
        if settings.bindings and worker.bindings.loaded_at is None:
            problems.append(f"no bindings yet: {worker.bindings.problem}")
    return list(dict.fromkeys(problems))


def _degraded(workers: Sequence[WorkerState]) -> Sequence[str]:
    """Return what is wrong although we go on: files refused while an earlier version serves."""
    problems = []
    for worker in workers:
        for name, file in (("certificate", worker.certificate), ("bindings", worker.bindings)):
            if file.loaded_at is not None and file.problem:
                problems.append(f"the newest {name} is refused, an earlier one serves: {file.problem}")
    return list(dict.fromkeys(problems))


def _is_local() -> bool:
    """Tell whether the client is on loopback and asked for it by name, which no web page can do by a trick with DNS."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    name = request.host if request.host.endswith("]") else request.host.rpartition(":")[0] or request.host
    return address.is_loopback and name in LOOPBACK_NAMES


def _as_time(unix: float | None) -> str:
    return "never" if not unix else datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_UNITS: Mapping[str, int] = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


def _as_duration(seconds: float) -> str:
    """Return the two largest units, such as `3 h 5 min`."""
    rest = max(0, int(seconds))
    parts = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
