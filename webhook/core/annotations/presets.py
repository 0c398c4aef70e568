"""How much annotations may do: compat everything, baseline nothing that reaches beyond the pod's own account, strict a short list.

Only annotations that change something are checked: a value equal to the operator's own, or a `false` that changes nothing, always
passes. The table in docs/presets.md is made from BASELINE and STRICT. A new annotation is forbidden in strict until it is listed.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from webhook.core.annotations import template_rules
from webhook.core.annotations.api_audiences import is_api_servers
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.key_warnings import underscored
from webhook.core.annotations.table import row_of

SPECIAL_MODE_BITS = 0o7000  # set-user-id, set-group-id, sticky
INLINE, FROM_FILE = "agent-inject-template-<name>", "agent-inject-template-file-<name>"
READ_ONLY = "secret-volume-read-only"
# Members of telemetry that name no place to send anything to; whatever else the agent takes may.
HARMLESS_TELEMETRY = frozenset(
    (
        "usage_gauge_period",
        "maximum_gauge_cardinality",
        "disable_hostname",
        "enable_hostname_label",
        "lease_metrics_epsilon",
        "num_lease_metrics_buckets",
        "add_lease_metrics_namespace_labels",
        "filter_default",
        "prefix_filter",
        "metrics_prefix",
        "prometheus_retention_time",
        "dogstatsd_tags",
    )
)
# Members of an auth method's config that name another token than the one added: method, None for any, and member.
TOKEN_PARAMS = ((None, "token_path"), ("jwt", "path"))


class Preset(StrEnum):
    """The levels, each within the one before."""

    COMPAT = "compat"
    BASELINE = "baseline"
    STRICT = "strict"


class PresetMode(StrEnum):
    """What becomes of a breach."""

    ENFORCE = "enforce"
    WARN = "warn"


class PresetPolicy(Struct, frozen=True, kw_only=True):
    """The operator's choice of preset, with its bounds."""

    preset: Preset = Preset.COMPAT
    mode: PresetMode = PresetMode.ENFORCE
    opened: frozenset[str] = frozenset()  # annotations allowed by name, as in the table or as an author completes them
    api_server_audiences: tuple[str, ...] = ()  # the issuer among them
    secrets_max: int = 64
    template_bytes_max: int = 65_536
    annotation_bytes_max: int = 262_144
    cpu_max: str = "1"  # quantities; of strict
    memory_max: str = "512Mi"
    ephemeral_max: str = "1Gi"

    def opens(self, key: str) -> bool:
        """Tell whether the operator allows this annotation by name."""
        row = row_of(key)
        return key in self.opened or (row is not None and row.key in self.opened)

    def confines(self, key: str) -> bool:
        """Tell whether the agent is to be kept from what this annotation, INLINE, FROM_FILE or READ_ONLY, could do with it."""
        return self.preset is Preset.STRICT and self.mode is PresetMode.ENFORCE and not self.opens(key)


class Rule(NamedTuple):
    """When an annotation is forbidden, and what to call it then."""

    forbids: Callable[[Intent, PresetPolicy, str], bool]  # given the key as the author wrote it, without prefix
    what: str


def _always(_intent: Intent, _policy: PresetPolicy, _key: str) -> bool:
    return True


def _api_server_audience(intent: Intent, policy: PresetPolicy, _key: str) -> bool:
    return is_api_servers(intent.token_audience, policy.api_server_audiences)


def _other_token(intent: Intent, _policy: PresetPolicy, key: str) -> bool:
    param = underscored(key.removeprefix("auth-config-"))
    return any(param == member and method in (None, intent.auth_type) for method, member in TOKEN_PARAMS)


def _sends_metrics(_intent: Intent, _policy: PresetPolicy, key: str) -> bool:
    return underscored(key.removeprefix("agent-telemetry-")).lower() not in HARMLESS_TELEMETRY


def _special_mode(intent: Intent, _policy: PresetPolicy, key: str) -> bool:
    perms = intent.texts[key]
    return bool(perms) and bool(int(perms, 8) & SPECIAL_MODE_BITS)


# Annotation, as in the table, when its value differs from the operator's and this holds: why it is forbidden.
BASELINE: dict[str, Rule] = {
    "service": Rule(_always, "another Vault server"),
    "proxy-address": Rule(_always, "a proxy that is not the operator's"),
    "tls-skip-verify": Rule(lambda i, _p, _k: i.tls_skip_verify, "an unverified Vault server"),
    "tls-server-name": Rule(_always, "trust of another name"),
    "ca-cert": Rule(_always, "trust of another CA"),
    "ca-key": Rule(_always, "trust of other CAs"),
    "auth-type": Rule(_always, "another auth method"),
    "auth-path": Rule(_always, "another auth mount"),
    "auth-config-<param>": Rule(_other_token, "another token"),
    "agent-service-account-token-volume-name": Rule(_always, "another token"),
    "agent-token-audience": Rule(_api_server_audience, "a token the API server accepts"),
    "agent-image": Rule(_always, "another agent image"),
    "agent-configmap": Rule(_always, "a configuration that is not checked"),
    "agent-json-patch": Rule(_always, "a change of the agent container"),
    "agent-init-json-patch": Rule(_always, "a change of the agent container"),
    "agent-run-as-user": Rule(lambda i, _p, _k: i.run_as_user == 0, "an agent that runs as root"),
    "agent-run-as-group": Rule(lambda i, _p, _k: i.run_as_group == 0, "an agent of root's group"),
    "agent-set-security-context": Rule(
        lambda i, _p, _k: not i.set_security_context, "an agent without security context"
    ),
    "agent-share-process-namespace": Rule(
        lambda i, _p, _k: bool(i.share_process_namespace), "a process namespace shared with the agent"
    ),
    "agent-inject-perms-<name>": Rule(_special_mode, "set-user-id, set-group-id and sticky bits"),
    "agent-telemetry-<param>": Rule(_sends_metrics, "metrics sent to a place of the author's"),
}
STRICT: tuple[str, ...] = (  # what is left of the table
    "agent-inject",
    "agent-inject-status",
    "agent-request-namespace",
    "role",
    "auth-config-role",
    "agent-inject-secret-<name>",
    INLINE,
    FROM_FILE,
    "agent-template-left-delim-<name>",
    "agent-template-right-delim-<name>",
    "agent-inject-default-template",
    "error-on-missing-key-<name>",
    "agent-inject-file-<name>",
    "agent-inject-perms-<name>",
    "preserve-secret-case",
    "preserve-secret-case-<name>",
    "secret-volume-path-<name>",
    READ_ONLY,
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


class Bound(NamedTuple):
    """The most that one kind of resource annotation may ask for in strict."""

    what: str  # the end of the annotation's key
    field: str  # the end of the fields of Intent
    most: Callable[[PresetPolicy], str]


BOUNDS = (
    Bound("cpu", "cpu", lambda policy: policy.cpu_max),
    Bound("mem", "memory", lambda policy: policy.memory_max),
    Bound("ephemeral", "ephemeral", lambda policy: policy.ephemeral_max),
)
# What strict says of annotations that it lists, for docs/presets.md.
STRICT_NOTES: dict[str, str] = {
    "agent-inject-secret-<name>": "not paths of Vault's auth/ and sys/",
    INLINE: "without the functions below; Vault paths as plain text",
    FROM_FILE: f"below {' or '.join(template_rules.TEMPLATE_FOLDERS)}; without the functions below",
    "agent-template-left-delim-<name>": "plain punctuation, no `=`, `+`, `-`",
    "agent-template-right-delim-<name>": "plain punctuation, no `=`, `+`, `-`",
    "agent-inject-perms-<name>": f"no {BASELINE['agent-inject-perms-<name>'].what}",
    "secret-volume-path-<name>": "below the common one",
    READ_ONLY: "`true`, which is the default there",
    **{
        f"agent-{kind}{half}-{bound.what}": note
        for kind in ("", "init-")
        for half, note in (("limits", "bounded, not 0"), ("requests", "bounded"))
        for bound in BOUNDS
    },
}
