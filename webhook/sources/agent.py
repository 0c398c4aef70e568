"""A pod's annotations, read as the login that its agents will try."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from webhook.core.annotations.api_audiences import is_api_servers
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.key_warnings import WRITE, is_written
from webhook.core.inject.agents import SIDECAR_ONLY
from webhook.core.inject.login_token import LoginToken, TokenFile, TokenFiles
from webhook.core.inject.plan import Plan
from webhook.core.pod import Pod, Spec, service_account
from webhook.rolecheck import login
from webhook.rolecheck.bindings.roles import KubernetesRole
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.login_request import Disclosure, FieldNames, LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.sources.agent_login import AgentLogin, mounts_of, of_container
from webhook.sources.judgement import Part, Read, Subject

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


class AgentClaim(Struct, frozen=True):
    """The login of a pod's agent."""

    request: LoginRequest
    intent: Intent
    patch: str = ""  # the annotation that makes it another login than the others say
    container: str = ""  # the agent, in the pod before we looked, that logs in otherwise than the annotations say

    def subject(self, part: Part) -> Subject:
        """Return what says this part of the login; neither a patch nor a container is shown, they may hold secrets."""
        intent = self.intent
        if self.container:
            return Subject(f"container {self.container}", None)
        if self.patch:
            return Subject(intent.annotation(self.patch), None)
        in_config = not intent.role and intent.auth_config.get("role")
        key, value = {
            Part.ROLE: ("auth-config-role" if in_config else "role", intent.login_role),
            Part.MOUNT: ("auth-path", intent.auth_path),
            Part.AUTH_TYPE: ("auth-type", intent.auth_type),
            Part.SERVER: ("service", intent.address),
            Part.TOKEN: ("agent-service-account-token-volume-name", intent.token_volume),
        }[part]
        return Subject(intent.annotation(key), value)

    def reads(self) -> Iterator[Read]:
        """Yield the paths the agent reads itself; what a template reads is its author's."""
        for secret in self.intent.secrets:
            if secret.path and not (secret.template or secret.template_file):
                yield Read(self.intent.annotation(secret.key), secret.path)

    def remedy(self, read: Read) -> str:
        """Return what helps where the path is one that takes only writes."""
        return WRITE if is_written(read.path) else ""


def pinned_audience(pod: Pod, intent: Intent, snapshot: Snapshot | None, rules: Rules, namespace: str) -> str:
    """Return the audience the role demands, "" where there is none, it is unknown, or it is one of the API server's.

    Unless all is told, whoever is not bound to the role does not learn it this way either.
    """
    if snapshot is None:
        return ""
    ref = RoleRef.parse(intent.auth_path, intent.namespace, role=intent.login_role, server=intent.address)
    target = login.known_role(ref, snapshot)
    if target is None:
        return ""
    request = LoginRequest(ref=ref, service_account=service_account(pod.spec or Spec()), namespace=namespace)
    if rules.disclosure is not Disclosure.FULL and not login.is_bound(target, request, snapshot, rules):
        return ""
    role = target.role
    audiences = (role.audience,) if isinstance(role, KubernetesRole) else role.audiences
    known = (*(rules.api_server_audiences or ()), rules.cluster_issuer)
    return next((audience for audience in audiences if audience and not is_api_servers(audience, known)), "")


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
    who = _Who(pod, token, namespace, rules, plan)
    as_annotated = AgentLogin.of_intent(intent)
    if plan.found and not intent.configmap:
        return _of_found(who, intent)
    if intent.configmap or not (intent.sidecar_patch or intent.init_patch):
        return (AgentClaim(who.request(as_annotated, inspected=not intent.configmap), intent),)
    found: dict[LoginRequest, AgentClaim] = {}
    for patch, container in _agents(plan, intent):
        read = of_container(container, intent, token) if patch else as_annotated
        request = who.request(read or as_annotated, inspected=read is not None, container=container if patch else None)
        found.setdefault(request, AgentClaim(request, intent, patch if read != as_annotated else ""))
    return tuple(found.values()) or (AgentClaim(who.request(as_annotated, inspected=False), intent),)


def _of_found(who: "_Who", intent: Intent) -> tuple[AgentClaim, ...]:
    """Return the logins of agents that the pod brings: added in an earlier round, by another injector, or by its author."""
    as_annotated = AgentLogin.of_intent(intent)
    claims: dict[LoginRequest, AgentClaim] = {}
    for name, container in who.plan.found:
        read = of_container(container, intent, who.token)
        differs = read is not None and read.target != as_annotated.target
        login = read if read and differs else as_annotated
        request = who.request(login, inspected=read is not None, container=container)
        claims.setdefault(request, AgentClaim(request, intent, container=name if differs else ""))
    return tuple(claims.values())


def _agents(plan: Plan, intent: Intent) -> Iterator[tuple[str, bytes]]:
    """Yield the agents that are added, the one that stays first: the annotation that patches it, "" for none, and the container."""
    has_init = plan.injection_type != SIDECAR_ONLY
    init, stay = plan.init_agents[: int(has_init)], (*plan.init_agents[int(has_init) :], *plan.sidecars)
    for container in stay:
        yield "agent-json-patch" if intent.sidecar_patch else "", container
    for container in init:
        yield "agent-init-json-patch" if intent.init_patch else "", container


class _Who(NamedTuple):
    """Whose login it is."""

    pod: Pod
    token: LoginToken
    namespace: str
    rules: Rules
    plan: Plan

    def request(self, login: AgentLogin, *, inspected: bool, container: bytes | None = None) -> LoginRequest:
        """Return the login as a request, its token as the container has it, where that may differ from the plan's."""
        pod = self.pod
        audience, expiration_s = _token_terms(login, self, container)
        return LoginRequest(
            ref=RoleRef.parse(login.auth_path, login.namespace, role=login.role, server=login.server),
            asks_in=login.namespace,
            fields=FIELDS,
            auth_type=login.auth_type,
            service_account=service_account(pod.spec or Spec()),
            namespace=self.namespace,
            audience=audience,
            expiration_s=expiration_s,
            pod_name=(pod.metadata.name if pod.metadata else None) or "",
            config_inspected=inspected,
        )


def _token_terms(login: AgentLogin, who: _Who, container: bytes | None) -> tuple[tuple[str, ...] | None, int | None]:
    """Return audiences and lifetime of the token the agent reads, each None where it is unknown."""
    token: LoginToken | TokenFile | None = who.token
    if login.token_file:
        files = who.plan.token_files
        if container is not None:
            files = TokenFiles.of(who.pod.spec or Spec(), who.token, mounts_of(container))
        token = files.at(login.token_file)
    if token is None or not (login.token_is_ours and who.plan.token_is_ours):
        return None, None
    return (token.audience,) if token.audience else who.rules.default_token_audiences, token.expiration_s
