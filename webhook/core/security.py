"""Who the agent containers run as, and the security context that Pod Security `restricted` asks for."""

from collections.abc import Mapping
from typing import Any

from webhook.core.intent import Intent
from webhook.core.pod import Spec
from webhook.core.reasons import Reason
from webhook.core.refusal import refused


def security_context(spec: Spec, intent: Intent) -> Mapping[str, Any] | None:
    """Return the context of the agent containers, None where they are to have none.

    Raises:
        Refused: the agent is to run as the app's user, and that is not given or root.
    """
    user = _same_user(spec, intent) if intent.run_as_same_user else intent.run_as_user
    if not intent.set_security_context and not _pod_states_identity(intent):
        return None
    context: dict[str, Any] = {
        "runAsUser": user,
        "runAsGroup": intent.run_as_group,
        "runAsNonRoot": user != 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ("ALL",)},
    }
    if spec.securityContext is None or spec.securityContext.seccompProfile is None:
        context["seccompProfile"] = {"type": "RuntimeDefault"}
    return context


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
    wanted = intent.containers
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
