"""Check that the annotations of one pod fit together: contradictions are refused, likely mistakes get a warning."""

from collections.abc import Callable

from webhook.core.annotations import secret_paths
from webhook.core.annotations.go_values import AGENT_MAX_BACKOFF, AGENT_MIN_BACKOFF, backoffs_fit
from webhook.core.annotations.intent import Intent
from webhook.core.refusal import refused, warning
from webhook.reasons import Reason

OPENBAO_AUTH_TYPES = ("approle", "cert", "jwt", "kerberos", "kubernetes", "token_file", "token-file")


def check(intent: Intent) -> None:
    """Refuse an intent that contradicts itself or lacks something required.

    Raises:
        Refused: names the annotation to change.
    """
    if intent.pre_populate_only and not intent.pre_populate:
        raise refused(
            Reason.ANNOTATION_CONFLICT,
            intent.annotation("agent-pre-populate-only"),
            "true while agent-pre-populate is false leaves no agent at all",
            "Remove one of the two",
        )
    secret_paths.check(intent)
    if not intent.configmap:
        _check_login(intent)
    if not backoffs_fit(intent.min_backoff, intent.max_backoff):
        raise refused(
            Reason.ANNOTATION_INVALID,
            intent.annotation("auth-min-backoff"),
            f"not below auth-max-backoff, {intent.max_backoff or AGENT_MAX_BACKOFF}: the agent would not start",
            "Lower the one or raise the other",
            value=intent.min_backoff or AGENT_MIN_BACKOFF,
        )
    if intent.inject_token:
        _check_token_file(intent)


def _check_login(intent: Intent) -> None:
    if intent.auth_type == "kubernetes" and not intent.login_role:
        raise refused(
            Reason.ROLE_MISSING,
            intent.annotation("role"),
            "injection is asked for and no Vault role is given",
            "Set this annotation to the role the agent shall log in to",
        )
    for key, text, what in (
        ("service", intent.address, "no Vault address"),
        ("auth-path", intent.auth_path, "no auth path"),
    ):
        if not text:
            raise refused(
                Reason.ANNOTATION_INVALID,
                intent.annotation(key),
                f"{what} is given",
                "Remove it for the default",
                value="",
            )

    if not {".", ".."}.isdisjoint(intent.auth_path.split("/")):
        raise refused(
            Reason.ANNOTATION_INVALID,
            intent.annotation("auth-path"),
            "`.` and `..` are no part of a path of Vault: the agent would fold them away and log in elsewhere",
            "Write the mount's own path, such as auth/kubernetes",
            value=intent.auth_path,
        )


def _check_token_file(intent: Intent) -> None:
    token_file = f"{intent.secret_volume_path}/token"
    for secret in intent.secrets:
        if secret.destination == token_file:
            raise refused(
                Reason.ANNOTATION_CONFLICT,
                intent.annotation("agent-inject-token"),
                f"secret {secret.name!r} is rendered to the token's file, {token_file}",
                "Give the secret another name, or remove this annotation",
            )


def doubts(intent: Intent) -> list[str]:
    """Return a warning for each allowed combination that is probably a mistake. The intent has no role and no secrets yet."""
    return [warning(intent.annotation(key), problem) for key, applies, problem in _DOUBTS if applies(intent)]


def _is_foreign_to_openbao(intent: Intent) -> bool:
    return intent.family.is_openbao and intent.auth_type not in OPENBAO_AUTH_TYPES


_DOUBTS: tuple[tuple[str, Callable[[Intent], bool], str], ...] = (
    (
        "agent-revoke-on-shutdown",
        lambda i: i.revoke and i.pre_populate_only,
        "no effect: without a sidecar nobody revokes the token",
    ),
    (
        "auth-path",
        lambda i: i.auth_type != "kubernetes" and i.auth_path == "auth/kubernetes",
        "still auth/kubernetes while auth-type is another; set the path of that mount",
    ),
    (
        "agent-auto-auth-exit-on-err",
        lambda i: i.exit_on_err and not i.pre_populate_only,
        "a sidecar that ends on a failed login takes a healthy pod out of its Services",
    ),
    (
        "auth-type",
        lambda i: i.auth_type == "approle" and not (i.extra_secret or i.copy_mounts_of or i.configmap),
        "nothing brings the role id and secret id files into the agent; set agent-extra-secret or agent-copy-volume-mounts",
    ),
    (
        "agent-token-audience",
        lambda i: bool(i.token_audience and i.token_volume),
        "no effect: the token of the named volume is used",
    ),
    (
        "agent-run-as-same-user",
        lambda i: i.run_as_same_user and bool(i.share_process_namespace),
        "with a shared process namespace the app can read the agent's Vault token",
    ),
    ("auth-type", _is_foreign_to_openbao, "OpenBao's agent has no such auth method"),
    (
        "template-lease-renewal-threshold",
        lambda i: i.family.is_openbao and bool(i.lease_renewal_threshold),
        "OpenBao's agent ignores it",
    ),
    (
        "template-max-connections-per-host",
        lambda i: i.family.is_openbao and bool(i.max_connections_per_host),
        "OpenBao's agent ignores it",
    ),
)
