"""One case of the check, written as JSON, explained: for the command line, for tests, for a bug report.

A case holds `bindings` (a document, or null), `request` and `identity`, perhaps `settings` and `now`. With
`request.secretPath` the login is taken for granted and that path alone is judged.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from webhook.rolecheck import login
from webhook.rolecheck.acl.check import check_path
from webhook.rolecheck.bindings.load import BindingsError, load
from webhook.rolecheck.bindings.selector import ParseYaml
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.bindings.vault_values import clean, unix_time
from webhook.rolecheck.login_request import Disclosure, Lapse, LoginRequest, Mode, PolicyCheck, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level, Verdict


class CaseError(ValueError):
    """The case cannot be judged: it is no case, or its bindings are no document."""


class _Request(msgspec.Struct, rename="camel", kw_only=True):
    auth_type: str = "kubernetes"
    auth_path: str = "auth/kubernetes"
    vault_namespace: str = ""
    role: str = ""
    server: str = ""
    secret_path: str | None = None


class _Identity(msgspec.Struct, rename="camel", kw_only=True):
    service_account: str = ""
    namespace: str = ""
    namespace_labels: dict[str, str] | None = None
    audience: tuple[str, ...] | None = None
    expiration_seconds: int | None = None
    issuer: str | None = None
    uid: str | None = None
    pod_name: str | None = None
    has_token: bool = True


class _Settings(msgspec.Struct, rename="camel", kw_only=True):
    mode: Mode = Mode.ENFORCE
    policy_check: PolicyCheck | None = None
    on_unavailable: Lapse = Lapse.OPEN
    on_stale: Lapse = Lapse.OPEN
    max_staleness_seconds: float = 900
    wildcard: Level = Level.WARN
    require_audience: str = "off"
    api_server_audiences: tuple[str, ...] | None = None
    default_token_audiences: tuple[str, ...] | None = None
    cluster_issuer: str | None = None
    lifetime_advisories: bool = False
    disclosure: Disclosure = Disclosure.MINIMAL


class _Case(msgspec.Struct, kw_only=True):
    request: _Request
    identity: _Identity
    bindings: dict[str, Any] | None = None
    settings: _Settings | None = None
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
    try:
        return msgspec.convert(dict(case), _Case)
    except msgspec.ValidationError as error:
        raise CaseError(clean(error, 200)) from error


def _judge(case: _Case, parse_yaml: ParseYaml) -> Verdict:
    snapshot, now = _snapshot(case, parse_yaml), _now(case)
    login_request, rules = _login_request(case), _rules(case.settings or _Settings())
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
    request, identity = case.request, case.identity
    return LoginRequest(
        ref=RoleRef.parse(request.auth_path, request.vault_namespace, role=request.role, server=request.server),
        auth_type=request.auth_type,
        service_account=identity.service_account,
        namespace=identity.namespace,
        namespace_labels=identity.namespace_labels,
        audience=identity.audience,
        expiration_s=identity.expiration_seconds,
        issuer=identity.issuer or "",
        uid=identity.uid or "",
        pod_name=identity.pod_name or "",
        has_token=identity.has_token,
    )


def _rules(settings: _Settings) -> Rules:
    return Rules(
        mode=settings.mode,
        policy_check=settings.policy_check or PolicyCheck.DENY,
        on_unavailable=settings.on_unavailable,
        on_stale=settings.on_stale,
        max_staleness_s=settings.max_staleness_seconds,
        wildcard=settings.wildcard,
        require_audience=_level(settings.require_audience),
        api_server_audiences=settings.api_server_audiences,
        default_token_audiences=settings.default_token_audiences,
        cluster_issuer=settings.cluster_issuer or "",
        lifetime_advisories=settings.lifetime_advisories,
        disclosure=settings.disclosure,
    )


def _level(name: str) -> Level:
    """Return the level a setting names; `off` is spelled allow here."""
    try:
        return Level.ALLOW if name == "off" else Level(name)
    except ValueError as error:
        raise CaseError(f"requireAudience: {clean(name)} is none of off, warn, deny") from error
