"""What comes of a request: an Outcome, filled in while it is judged, and then one Answer. Log, metrics and confirmations read both."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from webhook.rolecheck.bindings.load import Snapshot
from webhook.rolecheck.confirmation import Question

INJECTED, REFUSED, UNCHANGED, MALFORMED, FAILED = "injected", "refused", "unchanged", "malformed", "failed"


class Outcome(Struct, kw_only=True):
    """What is known of a request so far; a refusal on the way leaves the rest at its default."""

    role: str = ""
    mount: str = ""  # with auth/
    findings: tuple[str, ...] = ()  # reason codes of what was let pass
    injection_type: str = ""  # init_and_sidecar, init_only, sidecar_only
    warnings: list[str] = msgspec.field(default_factory=list)
    question: Question | None = None  # about the role that was judged, where the controller can be asked
    patch: bytes | None = None

    def add(self, warnings: Iterable[str], *, first: bool = False) -> None:
        """Take warnings in, after those there are; `first`: before them, since only so many reach the author."""
        if first:
            self.warnings[:0] = warnings
        else:
            self.warnings.extend(warnings)


class Answer(Struct, frozen=True, kw_only=True):
    """What goes back, and what log and metrics say of it."""

    status: int  # HTTP
    body: bytes  # JSON
    decision: str  # one of the constants above
    reason: str = ""
    uid: str = ""
    namespace: str = ""
    dry_run: bool = False
    outcome: Outcome = msgspec.field(default_factory=Outcome)
    error: BaseException | None = None  # a fault of ours, for the log


Answers = Callable[[bytes, Snapshot | None, float], Answer]  # body, roles to check against, seconds since 1970
