"""How much annotations may do: compat everything, baseline nothing that weakens a pod, strict a short list.

A wish is judged by its effect: a value that is the operator's own, or a `false` that changes nothing, passes. The table in
docs/presets.md is made from BASELINE and STRICT.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from webhook.core.annotations.go_values import quantity_value
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.table import row_of
from webhook.core.refusal import refused, warning
from webhook.reasons import Reason


class Preset(StrEnum):
    """The levels, each within the one before."""

    COMPAT = "compat"
    BASELINE = "baseline"
    STRICT = "strict"


class PresetMode(StrEnum):
    """What becomes of a breach."""

    ENFORCE = "enforce"
    WARN = "warn"


class Policy(Struct, frozen=True, kw_only=True):
    """The operator's choice."""

    preset: Preset = Preset.COMPAT
    mode: PresetMode = PresetMode.ENFORCE
    opened: frozenset[str] = frozenset()  # annotations allowed by name, as in the table
    api_server_audiences: tuple[str, ...] = ()
    secrets_max: int = 64
    template_bytes_max: int = 65_536
    annotation_bytes_max: int = 262_144
    cpu_max: str = "1"  # quantities; of strict
    memory_max: str = "512Mi"


Breach = tuple[str, str]  # annotation key without prefix, what is forbidden
Forbids = Callable[[Intent, Policy], bool]


def _always(_intent: Intent, _policy: Policy) -> bool:
    return True


def _api_server_audience(intent: Intent, policy: Policy) -> bool:
    return intent.token_audience in policy.api_server_audiences


# Annotation, when its value differs from the operator's and this holds: why it is forbidden.
BASELINE: dict[str, tuple[Forbids, str]] = {
    "service": (_always, "another Vault server"),
    "proxy-address": (_always, "a proxy that is not the operator's"),
    "tls-skip-verify": (lambda i, _: i.tls_skip_verify, "an unverified Vault server"),
    "tls-server-name": (_always, "trust of another name"),
    "ca-cert": (_always, "trust of another CA"),
    "ca-key": (_always, "trust of other CAs"),
    "auth-type": (_always, "another auth method"),
    "auth-path": (_always, "another auth mount"),
    "auth-config-token-path": (_always, "another token"),
    "auth-config-token_path": (_always, "another token"),
    "agent-service-account-token-volume-name": (_always, "another token"),
    "agent-token-audience": (_api_server_audience, "a token the API server accepts"),
    "agent-image": (_always, "another agent image"),
    "agent-configmap": (_always, "a configuration that is not checked"),
    "agent-json-patch": (_always, "a change of the agent container"),
    "agent-init-json-patch": (_always, "a change of the agent container"),
    "agent-run-as-user": (lambda i, _: i.run_as_user == 0, "an agent that runs as root"),
    "agent-set-security-context": (lambda i, _: not i.set_security_context, "an agent without security context"),
    "agent-share-process-namespace": (
        lambda i, _: bool(i.share_process_namespace),
        "a process namespace shared with the agent",
    ),
}
STRICT: tuple[str, ...] = (  # what is left: annotations and stems
    "agent-inject",
    "agent-inject-status",
    "agent-request-namespace",
    "role",
    "auth-config-role",
    "agent-inject-secret-",
    "agent-inject-template-",
    "agent-inject-template-file-",
    "agent-template-left-delim-",
    "agent-template-right-delim-",
    "agent-inject-default-template",
    "error-on-missing-key-",
    "agent-inject-file-",
    "agent-inject-perms-",
    "preserve-secret-case",
    "preserve-secret-case-",
    "secret-volume-path-",
    "secret-volume-read-only",
    "agent-inject-containers",
    "agent-pre-populate",
    "agent-pre-populate-only",
    "agent-init-first",
    "agent-limits-cpu",
    "agent-limits-mem",
    "agent-limits-ephemeral",
    "agent-requests-cpu",
    "agent-requests-mem",
    "agent-requests-ephemeral",
    "agent-init-limits-cpu",
    "agent-init-limits-mem",
    "agent-init-limits-ephemeral",
    "agent-init-requests-cpu",
    "agent-init-requests-mem",
    "agent-init-requests-ephemeral",
)


def enforce(intent: Intent, usual: Intent, policy: Policy) -> list[str]:
    """Refuse what the preset forbids, or return it as warnings.

    Args:
        intent: what the author asks for.
        usual: what a pod gets that asks for nothing particular: the operator's defaults.
        policy: the preset.

    Raises:
        Refused: names the first annotation that is forbidden, and the preset.
    """
    if policy.preset is Preset.COMPAT:
        return []
    breaches = sorted(_breaches(intent, usual, policy))
    if not breaches:
        return []
    if policy.mode is PresetMode.WARN:
        text = f"preset {policy.preset} will forbid this: {{}} ({Reason.POLICY_FORBIDS})"
        return [warning(intent.annotation(key), text.format(what)) for key, what in breaches]
    key, what = breaches[0]
    raise refused(
        Reason.POLICY_FORBIDS,
        intent.annotation(key),
        f"preset {policy.preset} of this cluster forbids {what}",
        "Remove the annotation, or ask the platform team to allow it",
    )


def _breaches(intent: Intent, usual: Intent, policy: Policy) -> Iterator[Breach]:
    for key in intent.in_pod:
        if key in policy.opened or not _differs(key, intent, usual):
            continue
        forbids, what = BASELINE.get(key, (None, ""))
        if forbids is not None and forbids(intent, policy):
            yield key, what
        elif policy.preset is Preset.STRICT and not _is_listed(key, policy):
            yield key, "what is not on its list"
    if policy.preset is Preset.STRICT:
        yield from _out_of_bounds(intent, policy)
    yield from _too_much(intent, policy)


def _differs(key: str, intent: Intent, usual: Intent) -> bool:
    """Tell whether the annotation changes anything; those completed by the author always do."""
    row = row_of(key)
    if row is None:
        return False
    return row.is_open or (bool(row.field) and getattr(intent, row.field, None) != getattr(usual, row.field, None))


def _is_listed(key: str, policy: Policy) -> bool:
    row = row_of(key)
    stem = row.stem if row is not None and key not in STRICT else key
    return stem in STRICT or f"{stem}<name>" in policy.opened


def _out_of_bounds(intent: Intent, policy: Policy) -> Iterator[Breach]:
    for key, amount, most in (
        ("agent-limits-cpu", intent.limits_cpu, policy.cpu_max),
        ("agent-limits-mem", intent.limits_memory, policy.memory_max),
        ("agent-requests-cpu", intent.requests_cpu, policy.cpu_max),
        ("agent-requests-mem", intent.requests_memory, policy.memory_max),
        ("agent-init-limits-cpu", intent.init_limits_cpu, policy.cpu_max),
        ("agent-init-limits-mem", intent.init_limits_memory, policy.memory_max),
        ("agent-init-requests-cpu", intent.init_requests_cpu, policy.cpu_max),
        ("agent-init-requests-mem", intent.init_requests_memory, policy.memory_max),
    ):
        if key not in intent.in_pod or key in policy.opened:
            continue
        if amount == "" and "limits" in key:
            yield key, "an agent without this limit"
        elif amount and quantity_value(amount) > quantity_value(most):
            yield key, f"more than {most}"
    if "secret-volume-path-<name>" in policy.opened:
        return
    for secret in intent.secrets:
        if not f"{secret.mount_path}/".startswith(f"{intent.secret_volume_path}/"):
            yield f"secret-volume-path-{secret.name}", f"a path outside {intent.secret_volume_path}"


def _too_much(intent: Intent, policy: Policy) -> Iterator[Breach]:
    if len(intent.secrets) > policy.secrets_max:
        yield "agent-inject-secret-<name>", f"more than {policy.secrets_max} secrets in a pod"
    for secret in intent.secrets:
        if len(secret.template.encode()) > policy.template_bytes_max:
            yield f"agent-inject-template-{secret.name}", f"templates of more than {policy.template_bytes_max} bytes"
    if intent.annotation_bytes > policy.annotation_bytes_max:
        yield "agent-inject", f"more than {policy.annotation_bytes_max} bytes of annotations"
