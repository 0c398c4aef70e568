"""The log line of each answer. There is one for every request, so JSON is written in one step, in the shape structlog gives its lines."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from webhook.answer import Answer
from webhook.logs import NAME_MAX, Clock, Lines, Logger, encode


class _Line(Struct):
    """Its fields, in their order; a third of the time that a dict takes."""

    time: str
    level: str
    event: str
    reason: str
    uid: str
    namespace: str
    role: str
    mount: str
    injection: str
    findings: tuple[str, ...]
    dry_run: bool
    status: int
    took_us: int


def writer(log: Logger, *, log_format: str, lines: Lines) -> Callable[[Answer, float], None]:
    """Return what writes the line of an answer, given the seconds it took; only for level info or below."""
    now = Clock().now
    put = lines.msg

    def write(answer: Answer, took_s: float) -> None:
        put(encode(_line(answer, took_s, now())))

    def write_readable(answer: Answer, took_s: float) -> None:
        fields = msgspec.structs.asdict(_line(answer, took_s, ""))
        log.info(fields.pop("event"), **{name: fields[name] for name in list(fields)[2:]})

    return write if log_format == "json" else write_readable


def _line(answer: Answer, took_s: float, time: str) -> _Line:
    outcome = answer.outcome
    return _Line(
        time,
        "info",
        answer.decision,
        answer.reason,
        answer.uid[:NAME_MAX],
        answer.namespace[:NAME_MAX],
        outcome.role[:NAME_MAX],
        outcome.mount[:NAME_MAX],
        outcome.injection_type,
        outcome.findings,
        answer.dry_run,
        answer.status,
        int(took_s * 1_000_000),
    )
