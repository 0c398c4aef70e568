"""One case of the check, written as JSON, explained: for the command line, for tests, for a bug report.

A case holds `bindings` (a document, or null), `request` and `identity`, perhaps `settings` and `now`. With
`request.secretPath` the login is taken for granted and that path alone is judged.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from webhook.one_line import clean
from webhook.rolecheck import login
from webhook.rolecheck.acl.check import check_path
from webhook.rolecheck.bindings.load import BindingsError, load
from webhook.rolecheck.bindings.selector import ParseYaml
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.bindings.vault_values import unix_time
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Verdict

T = TypeVar("T")


class CaseError(ValueError):
    """The case cannot be judged: it is no case, or its bindings are no document."""


class _Request(msgspec.Struct, rename="camel", kw_only=True):
    auth_type: str = "kubernetes"
    auth_path: str = "auth/kubernetes"
    vault_namespace: str = ""
    role: str = ""
    server: str = ""
    secret_path: str | None = None


class _Case(msgspec.Struct, kw_only=True):
    request: _Request
    identity: dict[str, Any]  # of a LoginRequest
    bindings: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None  # Rules
    now: str | None = None


def explain(case: Mapping[str, Any], parse_yaml: ParseYaml) -> dict[str, Any]:
    """Return decision, reason, message and findings of one case.

    Raises:
        CaseError: a member is missing or of another type, or the bindings cannot be loaded.
    """
    verdict = _judge(_read(case), parse_yaml)
    return {
        "decision": str(verdict.decision),
        "reason": str(verdict.reason),
        "message": verdict.message,
        "findings": [
            {"level": str(item.level), "reason": str(item.reason), "message": item.message, "hint": item.hint}
            for item in verdict.findings
        ],
    }


def _read(case: Mapping[str, Any]) -> _Case:
    return _converted(dict(case), _Case)


def _judge(case: _Case, parse_yaml: ParseYaml) -> Verdict:
    snapshot, now = _snapshot(case, parse_yaml), _now(case)
    login_request, rules = _login_request(case), _rules(case.settings or {})
    path = case.request.secret_path
    if path is None:
        return login.check(login_request, snapshot, rules, now)
    # the login is taken for granted: neither the age of the data nor the pod's token counts
    return check_path(
        path, replace(login_request, has_token=True), snapshot, replace(rules, max_staleness_s=math.inf), now
    )


def _snapshot(case: _Case, parse_yaml: ParseYaml) -> Snapshot | None:
    if case.bindings is None:
        return None
    try:
        return load(msgspec.json.encode(case.bindings), parse_yaml)
    except (BindingsError, TypeError, OverflowError, RecursionError) as error:
        raise CaseError(f"bindings: {clean(error, 300)}") from error


def _now(case: _Case) -> float | None:
    try:
        return unix_time(case.now)
    except ValueError as error:
        raise CaseError(f"now: {error} is no RFC 3339 time") from error


def _login_request(case: _Case) -> LoginRequest:
    request = case.request
    ref = RoleRef.parse(request.auth_path, request.vault_namespace, role=request.role, server=request.server)
    who = {"serviceAccount": "", "namespace": ""} | _given(case.identity)
    return _converted(
        {**who, "authType": request.auth_type, "asksIn": request.vault_namespace, "ref": ref}, LoginRequest
    )


def _rules(settings: Mapping[str, Any]) -> Rules:
    """Return the settings; a policy check that is not given denies, and `off` is a level's other name for `allow`."""
    given = {"policyCheck": "deny"} | _given(settings)
    if given.get("requireAudience") == "off":
        given["requireAudience"] = "allow"
    return _converted(given, Rules)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _converted(members: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(members, kind)
    except msgspec.ValidationError as error:
        raise CaseError(clean(error, 200)) from error
