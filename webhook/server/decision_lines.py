"""The log line of each answer. There is one for every request, so JSON is written in one step, in the shape structlog gives its lines."""

from collections.abc import Callable
from typing import Any

from webhook.answer import Answer
from webhook.logs import NAME_MAX, Clock, Lines, Logger, encode


def writer(log: Logger, *, log_format: str, lines: Lines) -> Callable[[Answer, float], None]:
    """Return what writes the line of an answer, given the seconds it took; only for level info or below."""
    now = Clock().now
    put = lines.msg

    def write(answer: Answer, took_s: float) -> None:
        put(encode({"time": now(), "level": "info", "event": answer.decision, **_fields(answer, took_s)}))

    def write_readable(answer: Answer, took_s: float) -> None:
        log.info(answer.decision, **_fields(answer, took_s))

    return write if log_format == "json" else write_readable


def _fields(answer: Answer, took_s: float) -> dict[str, Any]:
    outcome = answer.outcome
    return {
        "reason": answer.reason,
        "uid": answer.uid[:NAME_MAX],
        "namespace": answer.namespace[:NAME_MAX],
        "role": outcome.role[:NAME_MAX],
        "mount": outcome.mount[:NAME_MAX],
        "injection": outcome.injection_type,
        "findings": outcome.findings,
        "dry_run": answer.dry_run,
        "status": answer.status,
        "took_us": int(took_s * 1_000_000),
    }
