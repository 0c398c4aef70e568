"""The role check of one pod: which login its agent will try, and what the bindings say of it.

The role check knows nothing of pods and annotations; here an Intent becomes a Claim, and a Verdict a refusal or warnings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject.container_patch import config_of
from webhook.core.inject.login_token import LoginToken
from webhook.core.inject.names import API_TOKEN_PATH
from webhook.core.inject.plan import Plan
from webhook.core.pod import Pod, Spec, service_account
from webhook.core.refusal import Refused, refused, warning
from webhook.reasons import Reason
from webhook.rolecheck import login
from webhook.rolecheck.acl.check import ReadAccess
from webhook.rolecheck.bindings.load import Snapshot
from webhook.rolecheck.bindings.roles import KubernetesRole
from webhook.rolecheck.login_request import LoginRequest, PolicyCheck, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Finding, Level

_TOKEN_PATH_MEMBER = {"kubernetes": "token_path", "jwt": "path"}
_KEY_OF = {  # the annotation a finding is about, where it is not the role
    Reason.AUTH_MOUNT_UNKNOWN: "auth-path",
    Reason.AUTH_MOUNT_NOT_COVERED: "auth-path",
    Reason.AUTH_TYPE_MISMATCH: "auth-type",
    Reason.SERVER_NOT_COVERED: "service",
    Reason.TOKEN_VOLUME_MISSING: "agent-service-account-token-volume-name",
}


class Passed(Struct, frozen=True):
    """What the check lets pass."""

    warnings: tuple[str, ...] = ()  # for the author
    findings: tuple[str, ...] = ()  # reason codes, those for the operator too


def pinned_audience(intent: Intent, snapshot: Snapshot | None, rules: Rules) -> str:
    """Return the audience the role demands, "" where there is none, it is unknown, or it is one of the API server's."""
    if snapshot is None:
        return ""
    ref = RoleRef.parse(intent.auth_path, intent.namespace, role=_role(intent), server=intent.address)
    role = login.known_role(ref, snapshot)
    if role is None:
        return ""
    audiences = (role.audience,) if isinstance(role, KubernetesRole) else role.audiences
    api_server = rules.api_server_audiences or ()
    return next((audience for audience in audiences if audience and audience not in api_server), "")


def login_request(
    pod: Pod, intent: Intent, token: LoginToken, plan: Plan, namespace: str, rules: Rules
) -> LoginRequest:
    """Return the login the agent of this pod will try.

    Args:
        pod: as submitted.
        intent: what its author asks for.
        token: what the agent logs in with.
        plan: what is added; where the author patches the agents, their configuration is read from there.
        namespace: of the admission request; the pod's own may be empty.
        rules: the settings of the check.
    """
    spec = pod.spec or Spec()
    wanted = _Wanted.of_intent(intent)
    inspected = not intent.configmap
    if inspected and (intent.sidecar_patch or intent.init_patch):
        patched = _of_agents(plan)
        wanted, inspected = patched or wanted, patched is not None
    return LoginRequest(
        ref=RoleRef.parse(wanted.auth_path, wanted.namespace, role=wanted.role, server=wanted.server),
        auth_type=wanted.auth_type,
        service_account=service_account(spec),
        namespace=namespace,
        audience=_audience(wanted, token, rules) if plan.token_is_ours else None,
        expiration_s=token.expiration_s,
        pod_name=(pod.metadata.name if pod.metadata else None) or "",
        config_inspected=inspected,
    )


class _Wanted(Struct, frozen=True):
    """The part of an agent's configuration that makes a login."""

    server: str
    auth_type: str
    auth_path: str
    namespace: str
    role: str
    token_file: str  # "" for the default

    @classmethod
    def of_intent(cls, intent: Intent) -> "_Wanted":
        member = _TOKEN_PATH_MEMBER.get(intent.auth_type, "")
        token_file = intent.auth_config.get(member, "")
        return cls(intent.address, intent.auth_type, intent.auth_path, intent.namespace, _role(intent), token_file)


def _of_agents(plan: Plan) -> _Wanted | None:
    """Read the configuration of the agent that stays, else of the one that renders once; None where it cannot be read."""
    for container in (*plan.sidecars, *reversed(plan.init_agents)):
        config = config_of(container)
        try:
            method: Mapping[str, Any] = config["auto_auth"]["method"] if config else {}
            inner = method.get("config") or {}
            token_file = inner.get(_TOKEN_PATH_MEMBER.get(method["type"], ""), "")
            namespace, role = method.get("namespace", ""), inner.get("role", "")
            server = config["vault"]["address"] if config else ""
            return _Wanted(server, method["type"], method["mount_path"], namespace, role, token_file)
        except (KeyError, TypeError, AttributeError):
            return None
    return None


def _role(intent: Intent) -> str:
    return intent.role or intent.auth_config.get("role", "")


def _audience(wanted: _Wanted, token: LoginToken, rules: Rules) -> tuple[str, ...] | None:
    """Return the audiences of the token the agent reads, None where they are unknown."""
    files = ("", token.file, f"{API_TOKEN_PATH}/{token.file_name}")
    if wanted.token_file not in files:
        return None
    return (token.audience,) if token.audience else rules.default_token_audiences


class _Remark(Struct, frozen=True):
    """A finding, with the annotation it is about."""

    key: str
    value: str
    finding: Finding


def check(request: LoginRequest, intent: Intent, snapshot: Snapshot | None, rules: Rules, now: float) -> Passed:
    """Let a pod pass, with warnings where something is doubtful; or refuse it.

    Args:
        request: the login its agent will try.
        intent: what its author asks for; the secrets among it are checked against the role's policies.
        snapshot: the roles, None when there are none (yet).
        rules: the settings of the check.
        now: seconds since 1970.

    Raises:
        Refused: the role would not accept the login or, where policies are enforced, not let it read a secret.
    """
    found = login.find(request, snapshot, rules, now)
    verdict = login.judge(found, request, snapshot, rules)
    remarks = [_Remark(*_subject(finding.reason, intent), finding) for finding in verdict.findings]
    if snapshot is not None and isinstance(found, login.Target) and verdict.decision is not Level.DENY:
        remarks += _of_secrets(intent, found, request, snapshot, rules, now)
    if not remarks:
        return _PASSED
    if denies := [remark for remark in remarks if remark.finding.level is Level.DENY]:
        raise _refusal(denies, intent)
    return Passed(tuple(_warnings(remarks, intent)), tuple(str(remark.finding.reason) for remark in remarks))


_PASSED = Passed()


def _of_secrets(
    intent: Intent, target: login.Target, request: LoginRequest, snapshot: Snapshot, rules: Rules, now: float
) -> Iterator[_Remark]:
    """Yield what the role's policies say of the paths the agent reads itself; what a template reads is its author's."""
    if rules.policy_check is PolicyCheck.OFF or target.role.token.forbidden_policy:
        return  # of a forbidden policy the login's verdict tells
    reads = ReadAccess(target, request, snapshot, rules, now)
    for secret in intent.secrets:
        if secret.path and not (secret.template or secret.template_file) and (finding := reads.finding(secret.path)):
            yield _Remark(secret.key, secret.path, finding)


def _refusal(denies: Sequence[_Remark], intent: Intent) -> Refused:
    """Word the first deny the author can mend, else the first."""
    remark = next((remark for remark in denies if not remark.finding.for_operator), denies[0])
    finding = remark.finding
    return refused(finding.reason, intent.annotation(remark.key), finding.message, finding.remedy, value=remark.value)


def _warnings(remarks: Iterable[_Remark], intent: Intent) -> Iterator[str]:
    for remark in remarks:
        if not remark.finding.for_operator:
            yield warning(intent.annotation(remark.key), f"{remark.finding.message} ({remark.finding.reason})")


def _subject(reason: Reason, intent: Intent) -> tuple[str, str]:
    """Return the annotation a finding of the login is about, and its value."""
    key = _KEY_OF.get(reason, "role" if intent.role or not intent.auth_config.get("role") else "auth-config-role")
    value = {
        "auth-path": intent.auth_path,
        "auth-type": intent.auth_type,
        "service": intent.address,
        "agent-service-account-token-volume-name": intent.token_volume,
    }.get(key)
    return key, _role(intent) if value is None else value
