"""Who the agent containers run as, and the security context that Pod Security `restricted` asks for."""

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from webhook.core.annotations.intent import Intent
from webhook.core.pod import Spec
from webhook.core.refusal import refused
from webhook.reasons import Reason


class RunAs(NamedTuple):
    """Whom the agent containers run as."""

    user: int
    group: int
    adds_seccomp: bool  # the pod names no profile of its own


@lru_cache(256)
def security_context(identity: RunAs) -> bytes:
    """Return the security context of a container, as JSON."""
    context: dict[str, Any] = {
        "runAsUser": identity.user,
        "runAsGroup": identity.group,
        "runAsNonRoot": identity.user != 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ("ALL",)},
    }
    if identity.adds_seccomp:
        context["seccompProfile"] = {"type": "RuntimeDefault"}
    return msgspec.json.encode(context)


def run_as_of(spec: Spec, intent: Intent) -> RunAs | None:
    """Return whom the agent containers run as, None where they are to have no security context.

    Raises:
        Refused: the agent is to run as the app's user, and that is not given or root.
    """
    user = _same_user(spec, intent) if intent.run_as_same_user else intent.run_as_user
    if not intent.set_security_context and not _pod_states_identity(intent):
        return None
    pod = spec.securityContext
    return RunAs(user, intent.run_as_group, pod is None or pod.seccompProfile is None)


def _pod_states_identity(intent: Intent) -> bool:
    """Tell whether the pod says who the agent runs as, which turns on a context the server leaves out."""
    given = intent.in_pod
    if "agent-set-security-context" in given:
        return False
    return (
        "agent-run-as-user" in given
        or "agent-run-as-group" in given
        or ("agent-run-as-same-user" in given and intent.run_as_same_user)
    )


def _same_user(spec: Spec, intent: Intent) -> int:
    """Return the uid of the first app container that gets the secrets, or of the pod."""
    wanted = None if intent.containers is None else frozenset(intent.containers)
    app = next((c for c in spec.containers or () if wanted is None or c.name in wanted), None)
    for context in (app.securityContext if app else None, spec.securityContext):
        if context is not None and context.runAsUser is not None:
            if context.runAsUser == 0:
                break
            return context.runAsUser
    raise refused(
        Reason.SAME_USER_UNKNOWN,
        intent.annotation("agent-run-as-same-user"),
        "the app's container and the pod give no runAsUser above 0",
        "Set securityContext.runAsUser in the pod, or use agent-run-as-user",
    )
