"""One login at one role, and what is checked the same way whatever the mount's type."""

from collections.abc import Mapping
from typing import NamedTuple

from webhook.reasons import Reason
from webhook.rolecheck.bindings.roles import TokenTerms
from webhook.rolecheck.bindings.snapshot import AuthMount
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.verdict import Level, Problem

Problems = list[Problem]


class Attempt(NamedTuple):
    """A login at its mount."""

    request: LoginRequest
    mount: AuthMount
    rules: Rules
    labels: Mapping[str, str] | None  # of the pod's namespace; None: unknown

    @property
    def issuer(self) -> str:
        """Return the issuer of the pod's token; "" is unknown."""
        return self.request.issuer or self.rules.cluster_issuer


def audience_text(audience: tuple[str, ...]) -> str:
    """Return the token's audiences as a message names them."""
    return f'"{", ".join(audience)}"' if audience else "none"


def issuer_problem(expected: str, attempt: Attempt) -> Problem | None:
    """Compare the issuer a mount demands with the pod's."""
    if not expected or expected == attempt.issuer:
        return None
    if not attempt.issuer:
        return Problem(Level.WARN, Reason.ISSUER_UNDECIDABLE)
    return Problem(Level.DENY, Reason.ISSUER_MISMATCH)


def wildcard_problem(what: str, attempt: Attempt) -> Problem | None:
    """Report a role that everyone may use, as loudly as the rules ask."""
    if attempt.rules.wildcard is Level.ALLOW:
        return None
    return Problem(attempt.rules.wildcard, Reason.WILDCARD_BINDING, {"what": what})


def token_problems(token: TokenTerms, attempt: Attempt) -> Problems:
    """Check what a role says of the token it issues."""
    found: Problems = []
    if token.forbidden_policy:
        found.append(Problem(Level.DENY, Reason.POLICY_NOT_ASSIGNABLE, {"policy": token.forbidden_policy}))
    if token.is_bound_to_addresses:
        found.append(Problem(Level.WARN, Reason.BOUND_CIDR_UNDECIDABLE))
    if token.uses:
        found.append(Problem(Level.WARN, Reason.TOKEN_USE_LIMITED, {"uses": f"{token.uses:g}"}))
    if attempt.rules.lifetime_advisories and _outlives(token, attempt.request.expiration_s):
        details = {"ttl": f"{token.ttl_s:g}", "expiration": attempt.request.expiration_s}
        found.append(Problem(Level.WARN, Reason.TOKEN_OUTLIVES_IDENTITY, details))
    return found


def _outlives(token: TokenTerms, expiration_s: int | None) -> bool:
    return expiration_s is not None and not token.period_s and token.ttl_s > expiration_s
