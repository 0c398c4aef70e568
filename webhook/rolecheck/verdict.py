"""What a check answers: findings, each with a reason, a sentence and a remedy, and the decision they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from webhook.reasons import Reason

FIX = "Fix: "  # what a remedy begins with


class Level(StrEnum):
    """How much a finding, or a verdict, weighs."""

    ALLOW = "allow"
    WARN = "warn"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check found, before it is put into words."""

    level: Level
    reason: Reason
    details: dict[str, Any] = field(default_factory=dict)  # fills the placeholders of the reason's sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem in words."""

    level: Level
    reason: Reason
    message: str  # one line: the cause
    hint: str  # one line: the remedy; empty where there is none
    for_operator: bool  # the author of the pod can do nothing about it: for the log and the metric alone

    @property
    def remedy(self) -> str:
        """Return the remedy as a refusal words it; empty where there is none."""
        return f"{FIX}{self.hint}" if self.hint else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision; `reason` is that of the finding that comes first."""

    decision: Level
    reason: Reason
    findings: tuple[Finding, ...] = ()  # denies first, each level in the order of the server's own checks

    @property
    def message(self) -> str:
        """Return the cause in words; empty when there is nothing to say."""
        return self.findings[0].message if self.findings else ""


def verdict(findings: Iterable[Finding], otherwise: Verdict) -> Verdict:
    """Return what the findings, sorted already, add up to; `otherwise` when there are none."""
    found = tuple(findings)
    if not found:
        return otherwise
    return Verdict(found[0].level, found[0].reason, found)


def softened(strict: Verdict) -> Verdict:
    """Return the verdict with every deny as a warning; reasons and their order stay."""
    if strict.decision is not Level.DENY:
        return strict
    return Verdict(Level.WARN, strict.reason, tuple(replace(finding, level=Level.WARN) for finding in strict.findings))
