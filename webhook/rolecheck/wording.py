"""The words of every finding of the role check: one row a reason, cause and remedies; names cleaned, cut and quoted.

To reword a refusal: its row. To add one: a member of Reason with its row in reasons.py, a row here.
Placeholders of a cause are cleaned texts; those of a remedy are shell words, for people paste them: a name that would
need quoting there becomes `<role>`, `<sa>` and so on.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from webhook.reasons import Reason
from webhook.rolecheck.bindings.vault_values import clean
from webhook.rolecheck.verdict import Finding, Level, Problem

LENGTH_MAX = 250  # of cause, remedy and code; the annotation's key comes in front and the line must stay within 300
_WIDTHS = (60, 40, 24)  # how long a name may be, tried in turn
_WORD = re.compile(r"[A-Za-z0-9_./:@=-]{1,80}", re.ASCII)


class Sentence(NamedTuple):
    """Cause and remedies; the first remedy that fits is used."""

    cause: str
    remedies: tuple[str, ...] = ()


_ROLE = "{mount}/role/{role}"
_NAMES = "bound_service_account_names"
_NAMESPACES = "bound_service_account_namespaces"

SENTENCES: dict[Reason, Sentence] = {
    Reason.BINDINGS_UNAVAILABLE: Sentence(
        "no Vault role data available yet; the login of {ns}/{sa} was not checked",
        ("check the webhook's access to Vault: its log, and `vault status`",),
    ),
    Reason.BINDINGS_STALE: Sentence(
        "Vault role data are {age} s old (limit {limit} s); the login was not checked",
        ("check the webhook's access to Vault: its log, and `vault status`",),
    ),
    Reason.SERVER_NOT_COVERED: Sentence(
        "the role data are of another Vault server than the pod's; the login was not checked",
        ("correct the pod's Vault address, or add that server to the bindings source",),
    ),
    Reason.TOKEN_VOLUME_MISSING: Sentence(
        "the pod mounts no service account token the agent could use",
        ("drop `automountServiceAccountToken: false`, or name a volume: `agent-service-account-token-volume-name`",),
    ),
    Reason.AUTH_MOUNT_UNKNOWN: Sentence(
        "Vault has no auth mount {mount} in namespace {vns}{dots}",
        ("`vault auth list`; correct the `auth-path` annotation (it starts with `auth/`) or `namespace`",),
    ),
    Reason.AUTH_MOUNT_NOT_COVERED: Sentence(
        "auth mount {mount} is not among the known mounts; not checked", ("add the mount to the bindings source",)
    ),
    Reason.AUTH_TYPE_MISMATCH: Sentence(
        "auth mount {mount} is of type {type} and cannot serve auth type {auth_type}",
        ("correct the `auth-type` or `auth-path` annotation",),
    ),
    Reason.ROLE_MISSING: Sentence("no Vault role given", ("set the `role` annotation",)),
    Reason.ROLE_NOT_FOUND: Sentence(
        'Vault role "{role}" does not exist on {mount}{similar}',
        (
            f"correct it, or `vault write {_ROLE} {_NAMES}={{sa}} {_NAMESPACES}={{ns}} token_policies=<policy>`",
            "`vault list {mount}/role`; correct the `role` annotation or create the role",
        ),
    ),
    Reason.ROLE_NOT_COVERED: Sentence(
        'Vault role "{role}" is not among the known roles of {mount}; not checked', ("add it to the bindings source",)
    ),
    Reason.ROLE_UNREADABLE: Sentence(
        'Vault role "{role}" exists but its bindings could not be read',
        ("grant read on `{mount}/role/*` to the webhook",),
    ),
    Reason.ROLE_INVALID: Sentence(
        'the definition of Vault role "{role}" can never permit a login ({detail})',
        ("`vault read {mount}/role/{role}`; fix the role or the bindings file", "fix the role or the bindings file"),
    ),
    Reason.ROLE_TYPE_NOT_USABLE: Sentence(
        'Vault role "{role}" is an OIDC role and accepts no token login',
        ("`vault write {mount}/role/{role} role_type=jwt ...`",),
    ),
    Reason.ISSUER_MISMATCH: Sentence(
        "{mount} expects tokens from another issuer than this cluster's",
        ("compare `vault read {mount}/config` with `kubectl get --raw /.well-known/openid-configuration`",),
    ),
    Reason.ISSUER_UNDECIDABLE: Sentence(
        "{mount} checks the token issuer; the cluster's issuer is unknown to the webhook", ("set `clusterIssuer`",)
    ),
    Reason.AUDIENCE_MISMATCH: Sentence(
        'role "{role}" expects audience "{raud}", the agent\'s token carries {aud}',
        (
            "set the `agent-token-audience` annotation to it, or `vault write {mount}/role/{role} audience=<aud> ...`",
            "set the `agent-token-audience` annotation to it, or change the role",
        ),
    ),
    Reason.AUDIENCE_UNDECIDABLE: Sentence(
        'role "{role}" expects audience "{raud}"; the audience of the agent\'s token is not known',
        ("name a projected token volume, or set `defaultTokenAudiences`",),
    ),
    Reason.AUDIENCE_NOT_BOUND: Sentence(
        'JWT role "{role}" binds no audience and therefore refuses service account tokens',
        ("`vault write {mount}/role/{role} bound_audiences=vault ...`",),
    ),
    Reason.AUDIENCE_NOT_CONFIGURED: Sentence(
        'role "{role}" checks no audience', ("`vault write {mount}/role/{role} audience=vault ...`",)
    ),
    Reason.SERVICE_ACCOUNT_NOT_BOUND: Sentence(
        'service account "{sa}" is not bound to Vault role "{role}" on {mount}{bound}',
        (
            f"set `serviceAccountName`, or `vault write {_ROLE} {_NAMES}=<list>,{{sa}} ...`",
            f"set `serviceAccountName`, or add it to {_NAMES}",
        ),
    ),
    Reason.NAMESPACE_NOT_BOUND: Sentence(
        'namespace "{ns}" is not bound to Vault role "{role}" on {mount}{bound}',
        (
            f"`vault write {_ROLE} {_NAMESPACES}=<list>,{{ns}} ...`{{label}}",
            f"add it to {_NAMESPACES} of the role{{label}}",
            f"add it to {_NAMESPACES} of the role",
        ),
    ),
    Reason.NAMESPACE_SELECTOR_INVALID: Sentence(
        'the namespace selector of role "{role}" cannot be used ({detail}); namespace "{ns}" is not listed either',
        (
            "use matchLabels only: bound_service_account_namespace_selector='{{\"matchLabels\":{{...}}}}'",
            "use `matchLabels` only",
        ),
    ),
    Reason.NAMESPACE_SELECTOR_UNUSABLE: Sentence(
        'role "{role}" relies on a namespace selector but {mount} has no reviewer credential to read namespaces',
        ("`vault write {mount}/config token_reviewer_jwt=@<file> ...`",),
    ),
    Reason.NAMESPACE_LABELS_UNKNOWN: Sentence(
        'role "{role}" selects namespaces by label; the labels of "{ns}" could not be read',
        ("grant the webhook get on namespaces",),
    ),
    Reason.SUBJECT_MISMATCH: Sentence(
        'JWT role "{role}" is bound to another subject than system:serviceaccount:{ns}:{sa}',
        ("correct `bound_subject` or the service account",),
    ),
    Reason.USER_CLAIM_INVALID: Sentence(
        'user claim "{claim}" of JWT role "{role}" is missing from, or no string in, service account tokens',
        ("`user_claim=sub`, or a pointer with `user_claim_json_pointer=true`", "`user_claim=sub`"),
    ),
    Reason.CLAIM_MAPPING_INVALID: Sentence(
        'claim mapping "{claim}" of JWT role "{role}" does not name a string', ("fix `claim_mappings`",)
    ),
    Reason.GROUPS_CLAIM_INVALID: Sentence(
        'groups claim "{claim}" of JWT role "{role}" does not exist in service account tokens',
        ("unset `groups_claim`",),
    ),
    Reason.CLAIM_MISMATCH: Sentence(
        'bound claim "{claim}" of JWT role "{role}" does not fit {ns}/{sa}',
        (
            "fix `bound_claims`; nested claims need a leading slash, stars need `bound_claims_type=glob`",
            "fix `bound_claims`",
        ),
    ),
    Reason.CLAIM_UNDECIDABLE: Sentence(
        'JWT role "{role}" depends on claim "{claim}", which is not known before the pod runs'
    ),
    Reason.REVIEWER_AUDIENCE_CONFLICT: Sentence(
        "{mount} reviews tokens with the pod's own token, whose audience {aud} the API server {accepts}",
        ("`vault write {mount}/config token_reviewer_jwt=@<file> ...`",),
    ),
    Reason.POLICY_NOT_ASSIGNABLE: Sentence(
        'role "{role}" attaches policy "{policy}", which no login may receive', ("remove it from `token_policies`",)
    ),
    Reason.BOUND_CIDR_UNDECIDABLE: Sentence(
        'role "{role}" restricts source addresses; not verifiable before the pod has one'
    ),
    Reason.WILDCARD_BINDING: Sentence(
        'role "{role}" accepts every {what}',
        ("bind explicit names; a selector without `matchLabels` matches every namespace", "bind explicit names"),
    ),
    Reason.TOKEN_USE_LIMITED: Sentence(
        'tokens of role "{role}" are limited to {uses} uses; an agent needs more',
        ("`vault write {mount}/role/{role} token_num_uses=0 ...`", "`token_num_uses=0`"),
    ),
    Reason.TOKEN_OUTLIVES_IDENTITY: Sentence(
        'tokens of role "{role}" live {ttl} s, longer than the service account token ({expiration} s)',
        ("lower `token_ttl`",),
    ),
    # secrets
    Reason.SECRET_PATH_INVALID: Sentence('"{path}" is no usable secret path', ("correct the annotation",)),
    Reason.SECRET_MOUNT_UNKNOWN: Sentence(
        'no secrets engine is mounted at "{path}"', ("`vault secrets list`; correct the path",)
    ),
    Reason.SECRET_PATH_NOT_GRANTED: Sentence(
        'no policy of role "{role}" covers "{path}"',
        ('add `path "{path}" {{ capabilities = ["read"] }}` to one', "grant read on it in one of them"),
    ),
    Reason.SECRET_READ_NOT_GRANTED: Sentence(
        'the policy rule deciding "{path}" does not include read',
        ("add `read`; remember that the most specific rule alone decides", "add `read`"),
    ),
    Reason.SECRET_PATH_DENIED: Sentence(
        'a policy of role "{role}" denies "{path}"', ("remove the deny, or use another path",)
    ),
    Reason.SECRET_PATH_CONSTRAINED: Sentence(
        'the rule for "{path}" demands response wrapping or parameters the agent does not send',
        ("drop min_wrapping_ttl, max_wrapping_ttl or required_parameters from it",),
    ),
    Reason.SECRET_APPROVAL_REQUIRED: Sentence('reading "{path}" needs MFA or a control group'),
    Reason.KV_V2_DATA_PREFIX_MISSING: Sentence(
        'the policy grants the path without `data/`; KV version 2 is read at "{path}"',
        ("use `<mount>/data/...` in the policy",),
    ),
    Reason.KV_V1_DATA_PREFIX_UNNEEDED: Sentence(
        '"{path}" contains `data/`, but the mount is KV version 1', ("drop `data/` from the annotation",)
    ),
    Reason.KV_VERSION_UNKNOWN: Sentence(
        'cannot tell whether "{path}" lies on a KV version 2 mount',
        ("let the webhook read `sys/mounts`, or list `mounts` in the bindings",),
    ),
    Reason.POLICY_NOT_FOUND: Sentence(
        'policy "{policy}" of role "{role}" does not exist', ("`vault policy list`; check the spelling",)
    ),
    Reason.POLICY_UNAVAILABLE: Sentence(
        'the text of a policy of role "{role}" is not known; "{path}" could not be confirmed',
        ("let the webhook read `sys/policies/acl/*`",),
    ),
    Reason.POLICY_INVALID: Sentence(
        'the text of policy "{policy}" could not be parsed; "{path}" could not be confirmed',
        ("`vault policy fmt <file>`",),
    ),
    Reason.POLICY_TEMPLATE_UNDECIDABLE: Sentence(
        'access to "{path}" depends on identity values unknown before login',
        ("prefer `...metadata.service_account_namespace` in the policy",),
    ),
    Reason.POLICY_SET_UNDECIDABLE: Sentence(
        'not granted by the role\'s policies; identity groups may still grant "{path}"'
    ),
}

# warnings only an operator can act upon
_OPERATORS = frozenset(
    {
        Reason.WILDCARD_BINDING,
        Reason.AUDIENCE_NOT_CONFIGURED,
        Reason.TOKEN_OUTLIVES_IDENTITY,
        Reason.REVIEWER_AUDIENCE_CONFLICT,
    }
)


def word(name: str, value: object) -> str:
    """Return the value as a shell word, or `<name>` where it would need quoting."""
    text = str(value)
    return text if _WORD.fullmatch(text) else f"<{name}>"


def finding(problem: Problem, subject: Mapping[str, Any], *, full: bool) -> Finding:
    """Put a problem into words.

    Args:
        problem: what was found; its details fill placeholders too.
        subject: role, mount, vns, sa, ns: what every sentence may name.
        full: disclosure; with it nothing is kept for the operator alone.
    """
    message, hint = _fitting(problem.reason, {**subject, **problem.details})
    return Finding(
        level=problem.level,
        reason=problem.reason,
        message=message,
        hint=hint,
        for_operator=not full and problem.level is Level.WARN and problem.reason in _OPERATORS,
    )


def _fitting(reason: Reason, values: Mapping[str, Any]) -> tuple[str, str]:
    """Return cause and remedy within LENGTH_MAX: a shorter remedy first, then shorter names."""
    sentence = SENTENCES[reason]
    words = {name: word(name, value) for name, value in values.items()} | {"label": values.get("label", "")}
    remedies = [remedy.format_map(words) for remedy in sentence.remedies] or [""]
    room = LENGTH_MAX - len(f". Fix:  ({reason})")
    message = ""
    for width in _WIDTHS:
        message = sentence.cause.format_map({name: clean(value, width) for name, value in values.items()})
        for remedy in remedies:
            if len(message) + len(remedy) <= room:
                return message, remedy
    return message, ""
