"""A pod's annotations, read as the login that its agents will try."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject.container_patch import config_of
from webhook.core.inject.login_token import LoginToken
from webhook.core.inject.names import API_TOKEN_PATH
from webhook.core.inject.plan import Plan
from webhook.core.pod import Pod, Spec, service_account
from webhook.rolecheck import login
from webhook.rolecheck.bindings.roles import KubernetesRole
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.login_request import FieldNames, LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.sources.judgement import Part, Subject

FIELDS = FieldNames(
    kind="annotation",
    role="`role`",
    mount="`auth-path`",
    namespace="`namespace`",
    auth_type="`auth-type`",
    audience="`agent-token-audience`",
    token="`agent-service-account-token-volume-name`",  # noqa: S106 an annotation, no password
    account="`serviceAccountName`",
)
_TOKEN_PATH_MEMBER = {"kubernetes": "token_path", "jwt": "path"}


class AgentClaim(Struct, frozen=True):
    """The login of a pod's agent."""

    request: LoginRequest
    intent: Intent

    def subject(self, part: Part) -> Subject:
        """Return the annotation that says this part of the login."""
        intent = self.intent
        in_config = not intent.role and intent.auth_config.get("role")
        key, value = {
            Part.ROLE: ("auth-config-role" if in_config else "role", _role(intent)),
            Part.MOUNT: ("auth-path", intent.auth_path),
            Part.AUTH_TYPE: ("auth-type", intent.auth_type),
            Part.SERVER: ("service", intent.address),
            Part.TOKEN: ("agent-service-account-token-volume-name", intent.token_volume),
        }[part]
        return Subject(intent.annotation(key), value)

    def reads(self) -> Iterator[Subject]:
        """Yield the paths the agent reads itself; what a template reads is its author's."""
        for secret in self.intent.secrets:
            if secret.path and not (secret.template or secret.template_file):
                yield Subject(self.intent.annotation(secret.key), secret.path)


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


def claims(
    pod: Pod, intent: Intent, token: LoginToken, plan: Plan, namespace: str, rules: Rules
) -> tuple[AgentClaim, ...]:
    """Return the logins the agents of this pod will try.

    Args:
        pod: as submitted.
        intent: what its author asks for.
        token: what the agents log in with.
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
    request = LoginRequest(
        ref=RoleRef.parse(wanted.auth_path, wanted.namespace, role=wanted.role, server=wanted.server),
        fields=FIELDS,
        auth_type=wanted.auth_type,
        service_account=service_account(spec),
        namespace=namespace,
        audience=_audience(wanted, token, rules) if plan.token_is_ours else None,
        expiration_s=token.expiration_s,
        pod_name=(pod.metadata.name if pod.metadata else None) or "",
        config_inspected=inspected,
    )
    return (AgentClaim(request, intent),)


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
