"""A login at a mount of type jwt or oidc: the claims of the pod's token, as far as they are known, against one role."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.reasons import Reason
from webhook.rolecheck.attempt import Attempt, Problems, audience_text, issuer_problem, token_problems, wildcard_problem
from webhook.rolecheck.bindings.patterns import is_only_stars, matches
from webhook.rolecheck.bindings.roles import JwtRole
from webhook.rolecheck.verdict import Level, Problem


@dataclass(frozen=True, slots=True)
class Unknown:
    """A claim whose value the token gets only after admission."""

    kind: str  # string, number, list; anything where a missing or nested one is possible


ABSENT = object()  # the token has no such claim
_STRING, _NUMBER, _LIST, _ANYTHING = Unknown("string"), Unknown("number"), Unknown("list"), Unknown("anything")


def problems(role: JwtRole, attempt: Attempt) -> Problems:
    """Return what stands between the request and the role, in no particular order."""
    if not role.user_claim:
        found = [Problem(Level.DENY, Reason.ROLE_INVALID, {"detail": "it has no user_claim"})]
    elif role.role_type == "oidc":
        found = [Problem(Level.DENY, Reason.ROLE_TYPE_NOT_USABLE)]
    else:
        claims = token_claims(attempt)
        found = [problem for check in _CHECKS if (problem := check(role, attempt, claims)) is not None]
    return found + token_problems(role.token, attempt)


def token_claims(attempt: Attempt) -> dict[str, Any]:
    """Return the claims of the token the kubelet will project for the pod."""
    request = attempt.request
    account = request.service_account or "default"
    return {
        "sub": f"system:serviceaccount:{request.namespace}:{account}",
        "aud": _LIST if request.audience is None else list(request.audience),
        "iss": attempt.issuer or _STRING,
        "exp": _NUMBER,
        "iat": _NUMBER,
        "nbf": _NUMBER,
        "jti": _STRING,
        "kubernetes.io": {
            "namespace": request.namespace,
            "serviceaccount": {"name": account, "uid": request.uid or _STRING},
            "pod": {"name": request.pod_name or _STRING, "uid": _STRING},
            "node": _ANYTHING,
            "warnafter": _ANYTHING,
        },
    }


def lookup(claims: Mapping[str, Any], name: str, *, pointers: bool = True) -> Any:
    """Return a claim's value, an Unknown, or ABSENT; a name with a leading slash is a JSON pointer, if `pointers`."""
    if not pointers or not name.startswith("/"):
        return claims.get(name, ABSENT)
    value: Any = claims
    for step in name[1:].split("/"):
        value = _member(value, step.replace("~1", "/").replace("~0", "~"))
    return value


def user_claim(role: JwtRole, claims: Mapping[str, Any]) -> Any:
    """Return the claim that becomes the alias name."""
    return lookup(claims, role.user_claim, pointers=role.user_claim_is_pointer)


def _member(value: Any, step: str) -> Any:
    if value == _ANYTHING:
        return _ANYTHING
    is_index = step.isascii() and step.isdigit()
    if value == _LIST and is_index:
        return _STRING
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    if isinstance(value, list) and is_index and len(step) < len(str(len(value))) + 1 and int(step) < len(value):
        return value[int(step)]
    return ABSENT


def _is_string(value: object) -> bool:
    """Tell whether a claim is, or may turn out to be, a string."""
    return isinstance(value, str) or value in (_STRING, _ANYTHING)


def _issuer(_: JwtRole, attempt: Attempt, __: Mapping[str, Any]) -> Problem | None:
    return issuer_problem(attempt.mount.config.bound_issuer, attempt)


def _subject(role: JwtRole, _: Attempt, claims: Mapping[str, Any]) -> Problem | None:
    if not role.bound_subject or role.bound_subject == claims["sub"]:
        return None
    return Problem(Level.DENY, Reason.SUBJECT_MISMATCH)


def _audience(role: JwtRole, attempt: Attempt, _: Mapping[str, Any]) -> Problem | None:
    audience = attempt.request.audience
    if not role.audiences:
        return Problem(Level.DENY, Reason.AUDIENCE_NOT_BOUND)
    expected = {"raud": " or ".join(sorted(role.audiences))}
    if audience is None:
        return Problem(Level.WARN, Reason.AUDIENCE_UNDECIDABLE, expected)
    if not role.audiences.isdisjoint(audience):
        return None
    return Problem(Level.DENY, Reason.AUDIENCE_MISMATCH, expected | {"aud": audience_text(audience)})


def _user_claim(role: JwtRole, _: Attempt, claims: Mapping[str, Any]) -> Problem | None:
    value = user_claim(role, claims)
    if not _is_string(value):
        return Problem(Level.DENY, Reason.USER_CLAIM_INVALID, {"claim": role.user_claim})
    if isinstance(value, Unknown):
        return Problem(Level.WARN, Reason.CLAIM_UNDECIDABLE, {"claim": role.user_claim})
    return None


def _claim_mappings(role: JwtRole, _: Attempt, claims: Mapping[str, Any]) -> Problem | None:
    for name in role.claim_mappings:
        value = lookup(claims, name)
        if value is not ABSENT and not _is_string(value):
            return Problem(Level.DENY, Reason.CLAIM_MAPPING_INVALID, {"claim": name})
    return None


def _groups_claim(role: JwtRole, _: Attempt, claims: Mapping[str, Any]) -> Problem | None:
    if not role.groups_claim:
        return None
    value = lookup(claims, role.groups_claim)
    if isinstance(value, list) or value == _LIST:
        return None
    if not _is_string(value):
        return Problem(Level.DENY, Reason.GROUPS_CLAIM_INVALID, {"claim": role.groups_claim})
    if isinstance(value, Unknown):
        return Problem(Level.WARN, Reason.CLAIM_UNDECIDABLE, {"claim": role.groups_claim})
    return None


def _bound_claims(role: JwtRole, _: Attempt, claims: Mapping[str, Any]) -> Problem | None:
    undecided = ""
    for name, expected in role.claims.items():
        value = lookup(claims, name)
        if isinstance(value, Unknown):
            undecided = undecided or name
        elif not _fits(value, expected, globs=role.claims_are_globs):
            return Problem(Level.DENY, Reason.CLAIM_MISMATCH, {"claim": name})
    return Problem(Level.WARN, Reason.CLAIM_UNDECIDABLE, {"claim": undecided}) if undecided else None


def _fits(value: object, expected: tuple[object, ...], *, globs: bool) -> bool:
    """Tell whether one of the claim's values, texts all, is one of those expected."""
    actual = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    wanted = [text for text in expected if isinstance(text, str)]
    return any(matches(want, text) if globs else want == text for want in wanted for text in actual)


def _wildcard(role: JwtRole, attempt: Attempt, _: Mapping[str, Any]) -> Problem | None:
    if role.bound_subject or any(_restricts(values, globs=role.claims_are_globs) for values in role.claims.values()):
        return None
    return wildcard_problem("service account of the cluster", attempt)


def _restricts(expected: tuple[object, ...], *, globs: bool) -> bool:
    return not (globs and any(isinstance(text, str) and is_only_stars(text) for text in expected))


_CHECKS = (_issuer, _subject, _audience, _user_claim, _claim_mappings, _groups_claim, _bound_claims, _wildcard)
