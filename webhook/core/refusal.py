"""Why a pod is refused, in one line for whoever ran kubectl: `SUBJECT "VALUE": problem. Remedy. (Reason)`."""

from webhook.one_line import clean, cut
from webhook.reasons import CATALOGUE, Reason

MESSAGE_MAX = 300  # characters; what an event and a terminal show whole
VALUE_MAX = 60
PROBLEM_MIN = 80  # of a problem at least: a long one gives way to the remedy, which is what helps
WARNING_MAX = 240  # the API server cuts at 256 once there is much to say
WARNINGS_MAX = 16  # of one answer: together below the 4,096 characters after which the API server drops the rest
WARNINGS_OF_A_KIND_MAX = 2 * WARNINGS_MAX  # made at all; a pod may give cause for thousands
WARNING_PREFIX = "vault-webhook: "


class Refused(Exception):  # noqa: N818 an outcome with a name of the domain, as `allowed: false` is
    """The pod must not be admitted; `message` is what its author reads."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def status(self) -> int:
        """Return the HTTP code of the answer's status."""
        return CATALOGUE[self.reason].status


def refused(
    reason: Reason, subject: str, problem: str, remedy: str = "", *, value: str | None = None, secret: bool = False
) -> Refused:
    """Build a refusal.

    Args:
        reason: the code that ends the line.
        subject: the annotation's whole key, or the field of the pod.
        problem: what is wrong, no full stop at the end.
        remedy: what to do about it, no full stop; empty where the problem says it already.
        value: the text that was found, shown cleaned and cut; None to show none.
        secret: show *** instead of the value.
    """
    shown = "" if value is None else f' "{"***" if secret else clean(value, VALUE_MAX)}"'
    start, tail = f"{clean(subject, 100)}{shown}: ", f" ({reason})"
    end = f". {clean(remedy, MESSAGE_MAX)}." if remedy else "."
    room = max(PROBLEM_MIN, MESSAGE_MAX - len(start) - len(end) - len(tail))
    return Refused(reason, cut(f"{start}{clean(problem, room)}{end}", MESSAGE_MAX - len(tail)) + tail)


def warning(subject: str, problem: str) -> str:
    """Build a warning for kubectl: one line, our name in front, at most WARNING_MAX characters."""
    return cut(f"{WARNING_PREFIX}{clean(subject, 100)}: {clean(problem, MESSAGE_MAX)}", WARNING_MAX)
