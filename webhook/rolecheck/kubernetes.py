"""A login at a mount of type kubernetes: the service account, its namespace and its token against one role."""

from webhook.reasons import Reason
from webhook.rolecheck.attempt import Attempt, Problems, audience_text, issuer_problem, token_problems, wildcard_problem
from webhook.rolecheck.bindings.patterns import Patterns
from webhook.rolecheck.bindings.roles import KubernetesRole
from webhook.rolecheck.bindings.selector import Selector
from webhook.rolecheck.login_request import Disclosure
from webhook.rolecheck.verdict import Level, Problem

ALIAS_NAME_SOURCES = ("", "serviceaccount_uid", "serviceaccount_name")


def problems(role: KubernetesRole, attempt: Attempt) -> Problems:
    """Return what stands between the request and the role, in no particular order."""
    defect = _defect(role)
    if defect:
        return [Problem(Level.DENY, Reason.ROLE_INVALID, {"detail": defect}), *token_problems(role.token, attempt)]
    found = [problem for check in _CHECKS if (problem := check(role, attempt)) is not None]
    return found + token_problems(role.token, attempt)


def _defect(role: KubernetesRole) -> str:
    """Say why nobody can log in; empty when somebody can."""
    if not role.accounts.texts:
        return "it names no service account"
    if not role.namespaces.texts and role.selector is None:
        return "it names neither namespaces nor a selector"
    if role.alias_name_source not in ALIAS_NAME_SOURCES:
        return "unknown alias_name_source"
    return ""


def _issuer(_: KubernetesRole, attempt: Attempt) -> Problem | None:
    return issuer_problem(attempt.mount.config.issuer, attempt)


def _audience(role: KubernetesRole, attempt: Attempt) -> Problem | None:
    audience = attempt.request.audience
    if not role.audience:
        required = attempt.rules.require_audience
        return None if required is Level.ALLOW else Problem(required, Reason.AUDIENCE_NOT_CONFIGURED)
    if audience is None:
        return Problem(Level.WARN, Reason.AUDIENCE_UNDECIDABLE, {"raud": role.audience})
    if role.audience in audience:
        return None
    return Problem(Level.DENY, Reason.AUDIENCE_MISMATCH, {"raud": role.audience, "aud": audience_text(audience)})


def _service_account(role: KubernetesRole, attempt: Attempt) -> Problem | None:
    if role.accounts.admit(attempt.request.service_account or "default"):
        return None
    return Problem(Level.DENY, Reason.SERVICE_ACCOUNT_NOT_BOUND, _bound(role.accounts, attempt))


def _namespace(role: KubernetesRole, attempt: Attempt) -> Problem | None:
    if role.namespaces.admit(attempt.request.namespace):
        return None
    if role.selector is None:
        return Problem(Level.DENY, Reason.NAMESPACE_NOT_BOUND, _bound(role.namespaces, attempt))
    return _selected(role.selector, role, attempt)


def _selected(selector: Selector, role: KubernetesRole, attempt: Attempt) -> Problem | None:
    if selector.failure:
        return Problem(Level.DENY, Reason.NAMESPACE_SELECTOR_INVALID, {"detail": selector.failure})
    if attempt.mount.config.reviewer_is_missing:
        return Problem(Level.DENY, Reason.NAMESPACE_SELECTOR_UNUSABLE)
    if selector.everything:
        return None
    if attempt.labels is None:
        return Problem(Level.WARN, Reason.NAMESPACE_LABELS_UNKNOWN)
    if selector.admits(attempt.labels):
        return None
    label = {"label": ", or label the namespace"}
    return Problem(Level.DENY, Reason.NAMESPACE_NOT_BOUND, _bound(role.namespaces, attempt) | label)


def _reviewer(_: KubernetesRole, attempt: Attempt) -> Problem | None:
    """A mount without credential of its own has each token review itself; the API server must accept it as bearer."""
    audience, accepted = attempt.request.audience, attempt.rules.api_server_audiences
    if not attempt.mount.config.reviewer_is_missing or audience is None:
        return None
    if accepted is None:
        level, verb = Level.WARN, "may not accept"
    elif set(accepted).isdisjoint(audience):
        level, verb = Level.DENY, "does not accept"
    else:
        return None
    return Problem(level, Reason.REVIEWER_AUDIENCE_CONFLICT, {"aud": audience_text(audience), "accepts": verb})


def _wildcard(role: KubernetesRole, attempt: Attempt) -> Problem | None:
    anyone = role.accounts.everything
    anywhere = role.namespaces.everything or (role.selector is not None and role.selector.everything)
    if not anyone and not anywhere:
        return None
    what = "service account and namespace" if anyone and anywhere else "service account" if anyone else "namespace"
    return wildcard_problem(what, attempt)


def _bound(patterns: Patterns, attempt: Attempt) -> dict[str, str]:
    """Return what is bound, where the rules let a message tell."""
    if attempt.rules.disclosure is not Disclosure.FULL or not patterns.texts:
        return {}
    return {"bound": f"; bound: {', '.join(patterns.texts)}"}


_CHECKS = (_issuer, _audience, _service_account, _namespace, _reviewer, _wildcard)
