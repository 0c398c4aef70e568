"""`vault-webhook bindings explain` and `bindings validate`: the role check and its document, outside of a cluster."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from webhook import yaml_text
from webhook.rolecheck.bindings.load import BindingsError, Snapshot
from webhook.rolecheck.explain import CaseError, explain


class ExplainError(ValueError):
    """A line is no case; the text says which and why."""


def explain_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the verdict on each case, one JSON object a line in, one out; empty lines are passed over.

    Raises:
        ExplainError: a line is no JSON object, or no case.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            case = msgspec.json.decode(line, type=dict[str, Any])
            yield msgspec.json.encode(explain(case, yaml_text.documents))
        except (msgspec.DecodeError, CaseError, RecursionError, UnicodeError) as error:
            raise ExplainError(f"line {number}: {error}") from error


def summary(source: str, snapshot: Snapshot) -> str:
    """Return a line that sums a bindings document up."""
    policies = "unknown" if snapshot.policies is None else str(len(snapshot.policies))
    mounts = snapshot.secret_mounts
    secrets = "unknown" if mounts is None else str(sum(map(len, mounts.values())))
    return (
        f"{source}: {snapshot.mount_count} auth mounts, {snapshot.role_count} roles, policies: {policies},"
        f" secrets mounts: {secrets}"
    )


def place_of(document: bytes, error: BindingsError) -> str:
    """Return " line N" for the line on which the place of an error begins, nothing where it cannot be told."""
    line = yaml_text.line_of(document, error.place)
    return f" line {line}" if line else ""
