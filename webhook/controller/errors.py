"""What can go wrong between us and Vault or Kubernetes. `cause` is the metric's label and the state file's word."""


class SourceError(Exception):
    """A request had no usable answer; what was known before stays."""

    cause = "failed"
    backs_off = True  # asking again soon would make it worse


class UnreachableError(SourceError):
    """No answer: refused, cut, timed out, no TLS, or an answer of something in between."""

    cause = "unreachable"


class SealedError(SourceError):
    """Vault is sealed."""

    cause = "sealed"


class UninitialisedError(SourceError):
    """Vault holds nothing yet."""

    cause = "uninitialised"


class RateLimitedError(SourceError):
    """Too many requests; `retry_after_s` is what the server asks for, 0 when it does not say."""

    cause = "rate_limited"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MalformedError(SourceError):
    """An answer we cannot read: half a JSON, a page of HTML, members of another type."""

    cause = "malformed"


class BusyError(SourceError):
    """We may not ask now: the limit of requests is reached."""

    cause = "busy"


class DeniedError(SourceError):
    """Our token may not read this. Proves nothing of what is there."""

    cause = "denied"
    backs_off = False


class NoRouteError(SourceError):
    """There is nothing mounted at this path."""

    cause = "no_mount"
    backs_off = False


class RefusedError(SourceError):
    """The server does not take this request; asking again would not help."""

    cause = "refused"
    backs_off = False


class LoginError(SourceError):
    """We could not log in to Vault."""

    cause = "login"
