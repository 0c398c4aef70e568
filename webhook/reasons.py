"""Every reason code in one row: its HTTP status, what it means, how it is fixed, and the words of the role check.

One spelling in the answer, the log, the metric and docs/reasons.md, which is generated from CATALOGUE. The rows of the role
check stand in the order of the checks: of two findings of one level, the one whose row comes first is the primary one.
To add a reason: a member of Reason, a row of CATALOGUE in its place, `make docs`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Stable codes; CamelCase, never renamed."""

    # the annotations of the pod
    ANNOTATION_INVALID = "AnnotationInvalid"
    ANNOTATION_CONFLICT = "AnnotationConflict"
    CONTAINER_PATCH_FAILED = "ContainerPatchFailed"
    CONFIG_TOO_LARGE = "ConfigTooLarge"
    SYSTEM_NAMESPACE = "SystemNamespace"
    POLICY_FORBIDS = "PolicyForbids"
    # the rest of the pod
    POD_INVALID = "PodInvalid"
    NAME_TAKEN = "NameTaken"
    MOUNT_PATH_TAKEN = "MountPathTaken"
    TOKEN_VOLUME_UNUSABLE = "TokenVolumeUnusable"  # noqa: S105 a reason code, no password
    SAME_USER_UNKNOWN = "SameUserUnknown"
    PROCESS_NAMESPACE_REFUSED = "ProcessNamespaceRefused"
    RESOURCES_MISFIT = "ResourcesMisfit"
    AGENT_INCOMPLETE = "AgentIncomplete"
    REFUSALS_LIMITED = "RefusalsLimited"
    INTERNAL_ERROR = "InternalError"
    # the Vault role
    ALLOWED = "Allowed"
    AUTH_TYPE_NOT_CHECKED = "AuthTypeNotChecked"
    AGENT_CONFIG_NOT_INSPECTED = "AgentConfigNotInspected"
    BINDINGS_UNAVAILABLE = "BindingsUnavailable"
    BINDINGS_STALE = "BindingsStale"
    SERVER_NOT_COVERED = "ServerNotCovered"
    TOKEN_VOLUME_MISSING = "TokenVolumeMissing"  # noqa: S105 a reason code, no password
    AUTH_MOUNT_UNKNOWN = "AuthMountUnknown"
    AUTH_MOUNT_NOT_COVERED = "AuthMountNotCovered"
    AUTH_TYPE_MISMATCH = "AuthTypeMismatch"
    ROLE_MISSING = "RoleMissing"
    ROLE_UNREADABLE = "RoleUnreadable"
    ROLE_NOT_FOUND = "RoleNotFound"
    ROLE_NOT_COVERED = "RoleNotCovered"
    ROLE_INVALID = "RoleInvalid"
    ROLE_TYPE_NOT_USABLE = "RoleTypeNotUsable"
    ISSUER_MISMATCH = "IssuerMismatch"
    ISSUER_UNDECIDABLE = "IssuerUndecidable"
    SUBJECT_MISMATCH = "SubjectMismatch"
    AUDIENCE_MISMATCH = "AudienceMismatch"
    AUDIENCE_NOT_BOUND = "AudienceNotBound"
    AUDIENCE_UNDECIDABLE = "AudienceUndecidable"
    SERVICE_ACCOUNT_NOT_BOUND = "ServiceAccountNotBound"
    NAMESPACE_SELECTOR_INVALID = "NamespaceSelectorInvalid"
    NAMESPACE_SELECTOR_UNUSABLE = "NamespaceSelectorUnusable"
    NAMESPACE_NOT_BOUND = "NamespaceNotBound"
    NAMESPACE_LABELS_UNKNOWN = "NamespaceLabelsUnknown"
    USER_CLAIM_INVALID = "UserClaimInvalid"
    CLAIM_MAPPING_INVALID = "ClaimMappingInvalid"
    GROUPS_CLAIM_INVALID = "GroupsClaimInvalid"
    CLAIM_MISMATCH = "ClaimMismatch"
    CLAIM_UNDECIDABLE = "ClaimUndecidable"
    REVIEWER_AUDIENCE_CONFLICT = "ReviewerAudienceConflict"
    POLICY_NOT_ASSIGNABLE = "PolicyNotAssignable"
    BOUND_CIDR_UNDECIDABLE = "BoundCidrUndecidable"
    WILDCARD_BINDING = "WildcardBinding"
    AUDIENCE_NOT_CONFIGURED = "AudienceNotConfigured"
    TOKEN_USE_LIMITED = "TokenUseLimited"  # noqa: S105 a reason code, no password
    TOKEN_OUTLIVES_IDENTITY = "TokenOutlivesIdentity"  # noqa: S105 a reason code, no password
    # the secrets the pod asks for
    SECRET_READABLE = "SecretReadable"  # noqa: S105 a reason code, no password
    SECRET_PATH_INVALID = "SecretPathInvalid"  # noqa: S105 a reason code, no password
    SECRET_MOUNT_UNKNOWN = "SecretMountUnknown"  # noqa: S105 a reason code, no password
    SECRET_PATH_NOT_GRANTED = "SecretPathNotGranted"  # noqa: S105 a reason code, no password
    SECRET_READ_NOT_GRANTED = "SecretReadNotGranted"  # noqa: S105 a reason code, no password
    SECRET_PATH_DENIED = "SecretPathDenied"  # noqa: S105 a reason code, no password
    SECRET_PATH_CONSTRAINED = "SecretPathConstrained"  # noqa: S105 a reason code, no password
    SECRET_APPROVAL_REQUIRED = "SecretApprovalRequired"  # noqa: S105 a reason code, no password
    KV_V2_DATA_PREFIX_MISSING = "KvV2DataPrefixMissing"
    KV_V1_DATA_PREFIX_UNNEEDED = "KvV1DataPrefixUnneeded"
    KV_VERSION_UNKNOWN = "KvVersionUnknown"
    KV_VERSION_HIDDEN = "KvVersionHidden"
    POLICY_NOT_FOUND = "PolicyNotFound"
    POLICY_UNAVAILABLE = "PolicyUnavailable"
    POLICY_INVALID = "PolicyInvalid"
    POLICY_TEMPLATE_UNDECIDABLE = "PolicyTemplateUndecidable"
    POLICY_SET_UNDECIDABLE = "PolicySetUndecidable"


@dataclass(frozen=True, slots=True)
class Entry:
    """What there is to say of a code.

    Placeholders of a message are cleaned texts; those of a fix are shell words, for people paste them: a name that would
    need quoting there becomes `<role>`, `<sa>` and so on. {role_field}, {kind}, {client} and the like are what the source
    of the login calls them: FieldNames in rolecheck/login_request.py.
    """

    status: int  # the answer's `status.code`; 0 where a code never refuses
    cause: str  # for docs/reasons.md
    remedy: str = ""  # for docs/reasons.md; "" where the first fix says it
    message: str = ""  # the cause as a finding of the role check words it
    fixes: tuple[str, ...] = ()  # the remedy as a finding words it; the first that fits its line is used
    confirmable: bool = False  # newer data of its one role may lift the refusal
    unbound: bool = False  # a refusal that says: the identity is not bound to the role, and may learn no more of it
    for_operator: bool = False  # as a warning, only an operator can do something about it


CATALOGUE: dict[Reason, Entry] = {
    # the annotations of the pod
    Reason.ANNOTATION_INVALID: Entry(
        400, "One annotation has a value we do not understand or cannot honour.", "Correct the annotation named."
    ),
    Reason.ANNOTATION_CONFLICT: Entry(
        400, "Two annotations contradict each other.", "Remove or change one of the annotations named."
    ),
    Reason.CONTAINER_PATCH_FAILED: Entry(
        400,
        "`agent-json-patch` or `agent-init-json-patch` does not apply to the agent container.",
        "Correct the operation named; paths are relative to the container, such as `/env/-`.",
    ),
    Reason.CONFIG_TOO_LARGE: Entry(
        400,
        "The agent's configuration would not fit into one environment variable (131,072 bytes, a limit of Linux).",
        "Shorten the templates, or put the configuration into a ConfigMap and name it with `agent-configmap`.",
    ),
    Reason.SYSTEM_NAMESPACE: Entry(
        403,
        "Injection was asked for in `kube-system` or `kube-public`.",
        "Move the workload to another namespace, or remove the `agent-inject` annotation.",
    ),
    Reason.POLICY_FORBIDS: Entry(
        403,
        "The preset this cluster runs with forbids the annotation.",
        "Remove the annotation, or ask the platform team to open it by name.",
    ),
    # the rest of the pod
    Reason.POD_INVALID: Entry(
        400, "The object of the review is absent or no pod we can read.", "Correct the field of the pod that is named."
    ),
    Reason.NAME_TAKEN: Entry(
        422,
        "The pod has a container or volume of its own with a name the injection needs.",
        "Rename the pod's container or volume.",
    ),
    Reason.MOUNT_PATH_TAKEN: Entry(
        422,
        "A container of the pod mounts something of its own where secrets are to be mounted.",
        "Change that mount's path, or the `secret-volume-path` annotation.",
    ),
    Reason.TOKEN_VOLUME_UNUSABLE: Entry(
        422,
        "The volume named by `agent-service-account-token-volume-name` is absent or projects no token; or no mount of the agent"
        " holds the file named by `auth-config-token-path`.",
        "Name a projected volume with a serviceAccountToken source, copy its mount (`agent-copy-volume-mounts`), or remove the"
        " annotation.",
    ),
    Reason.SAME_USER_UNKNOWN: Entry(
        422,
        "`agent-run-as-same-user` is set and the app's user is not given, or is root.",
        "Set `securityContext.runAsUser` of the pod or of its first container to a number above 0.",
    ),
    Reason.PROCESS_NAMESPACE_REFUSED: Entry(
        422,
        "`agent-share-process-namespace` is true and the pod says `shareProcessNamespace: false`.",
        "Remove one of the two.",
    ),
    Reason.RESOURCES_MISFIT: Entry(
        422,
        "The pod has resources of its own (`spec.resources`), and its containers and the agents do not fit into them.",
        "Raise `spec.resources`, or lower `agent-requests-*` and `agent-limits-*`.",
    ),
    Reason.AGENT_INCOMPLETE: Entry(
        422,
        "The pod already holds one of the two agent containers; the other one is missing.",
        "Recreate the pod from its original manifest, without the injected parts.",
    ),
    Reason.REFUSALS_LIMITED: Entry(
        403,
        "The pod is refused, and why is not said: the address that asks was refused very often in the last seconds.",
        "Create the pod again in a minute to be told why; the webhook's log names the reason by the request's uid. If"
        " many workloads are refused at once, repair those first, or raise REFUSALS_PER_SECOND.",
    ),
    Reason.INTERNAL_ERROR: Entry(
        503, "A fault of vault-webhook itself.", "Tell the platform team; the webhook's log names the request's uid."
    ),
    # the login, in the order of the server's own checks
    Reason.ALLOWED: Entry(0, "The role accepts the pod as far as can be told before it runs.", "Nothing to do."),
    Reason.AUTH_TYPE_NOT_CHECKED: Entry(
        0, "The agent logs in with a method whose roles are not examined.", "Nothing to do."
    ),
    Reason.AGENT_CONFIG_NOT_INSPECTED: Entry(
        0,
        "An agent's configuration was not examined: it comes from a ConfigMap, or a container patch, or an agent that the pod"
        " brings, hides how it logs in.",
        "Nothing to do; configure the agent by annotations to have the login checked.",
    ),
    Reason.BINDINGS_UNAVAILABLE: Entry(
        503,
        "No Vault role data are available yet; refused only where `BINDINGS_ON_UNAVAILABLE` is `closed`.",
        message="no Vault role data available yet; the login of {ns}/{sa} was not checked",
        fixes=("check the webhook's access to Vault: its log, and `vault status`",),
    ),
    Reason.BINDINGS_STALE: Entry(
        503,
        "The Vault role data are older than the staleness limit; refused only where `BINDINGS_ON_STALE` is `closed`.",
        message="Vault role data are {age} s old (limit {limit} s); the login was not checked",
        fixes=("check the webhook's access to Vault: its log, and `vault status`",),
    ),
    Reason.SERVER_NOT_COVERED: Entry(
        0,
        "The role data are of another Vault server than the pod's.",
        message="the role data are of another Vault server than {object}'s; the login was not checked",
        fixes=("correct {object}'s Vault address, or add that server to the bindings source",),
    ),
    Reason.TOKEN_VOLUME_MISSING: Entry(
        403,
        "The pod mounts no service account token the agent could use.",
        message="{object} mounts no service account token {client} could use",
        fixes=("drop `automountServiceAccountToken: false`, or name a volume: {token_field}",),
    ),
    Reason.AUTH_MOUNT_UNKNOWN: Entry(
        403,
        "Vault has no auth mount at that path of that Vault namespace.",
        message="Vault has no auth mount {mount} in namespace {vns}{dots}",
        fixes=("`vault auth list`; correct the {mount_field} {kind}{mount_form} or {namespace_field}",),
        confirmable=True,
    ),
    Reason.AUTH_MOUNT_NOT_COVERED: Entry(
        0,
        "The auth mount is not among the known ones, and not all are known.",
        message="auth mount {mount} is not among the known mounts; not checked",
        fixes=("add the mount to the bindings source",),
    ),
    Reason.AUTH_TYPE_MISMATCH: Entry(
        403,
        "The auth mount is of another type than the agent's login.",
        message="auth mount {mount} is of type {type} and cannot serve auth type {auth_type}",
        fixes=("correct the {auth_type_field} or {mount_field} {kind}",),
        confirmable=True,
    ),
    Reason.ROLE_MISSING: Entry(
        400,
        "The pod asks for injection and names no Vault role.",
        message="no Vault role given",
        fixes=("set the {role_field} {kind}",),
    ),
    Reason.ROLE_UNREADABLE: Entry(
        503,
        "The role exists and its bindings could not be read; refused only where `BINDINGS_ON_UNAVAILABLE` is `closed`.",
        message='Vault role "{role}" exists but its bindings could not be read',
        fixes=("grant read on `{mount}/role/*` to the webhook",),
        confirmable=True,
    ),
    Reason.ROLE_NOT_FOUND: Entry(
        403,
        "The Vault role does not exist on the auth mount.",
        "`vault list auth/<mount>/role`; correct the `role` annotation, or create the role with `vault write`.",
        message='Vault role "{role}" does not exist on {mount}{similar}',
        fixes=(
            (
                "correct it, or `vault write {mount}/role/{role} bound_service_account_names={sa}"
                " bound_service_account_namespaces={ns} token_policies=<policy>`"
            ),
            "`vault list {mount}/role`; correct the {role_field} {kind} or create the role",
        ),
        confirmable=True,
    ),
    Reason.ROLE_NOT_COVERED: Entry(
        0,
        "The role is not among the known ones of the mount, and not all are known.",
        message='Vault role "{role}" is not among the known roles of {mount}; not checked',
        fixes=("add it to the bindings source",),
    ),
    Reason.ROLE_INVALID: Entry(
        403,
        "The role's definition can never permit a login.",
        message='the definition of Vault role "{role}" can never permit a login ({detail})',
        fixes=(
            "`vault read {mount}/role/{role}`; fix the role or the bindings file",
            "fix the role or the bindings file",
        ),
        confirmable=True,
        unbound=True,
    ),
    Reason.ROLE_TYPE_NOT_USABLE: Entry(
        403,
        "The role is an OIDC role and accepts no token login.",
        message='Vault role "{role}" is an OIDC role and accepts no token login',
        fixes=("`vault write {mount}/role/{role} role_type=jwt ...`",),
        confirmable=True,
        unbound=True,
    ),
    Reason.ISSUER_MISMATCH: Entry(
        403,
        "The auth mount expects tokens from another issuer than this cluster's.",
        message="{mount} expects tokens from another issuer than this cluster's",
        fixes=("compare `vault read {mount}/config` with `kubectl get --raw /.well-known/openid-configuration`",),
        confirmable=True,
    ),
    Reason.ISSUER_UNDECIDABLE: Entry(
        0,
        "The auth mount checks the token's issuer, which the webhook does not know.",
        message="{mount} checks the token issuer; the cluster's issuer is unknown to the webhook",
        fixes=("set `CLUSTER_ISSUER`",),
    ),
    Reason.SUBJECT_MISMATCH: Entry(
        403,
        "The JWT role is bound to another subject.",
        message='JWT role "{role}" is bound to another subject than system:serviceaccount:{ns}:{sa}',
        fixes=("correct `bound_subject` or the service account",),
        confirmable=True,
        unbound=True,
    ),
    Reason.AUDIENCE_MISMATCH: Entry(
        403,
        "The role expects another audience than the agent's token carries.",
        "Set the `agent-token-audience` annotation, or change the role's `audience`.",
        message='role "{role}" expects audience "{raud}", {client}\'s token carries {aud}',
        fixes=(
            "set the {audience_field} {kind} to it, or `vault write {mount}/role/{role} audience=<aud> ...`",
            "set the {audience_field} {kind} to it, or change the role",
        ),
        confirmable=True,
    ),
    Reason.AUDIENCE_NOT_BOUND: Entry(
        403,
        "The JWT role binds no audience and therefore refuses service account tokens.",
        message='JWT role "{role}" binds no audience and therefore refuses service account tokens',
        fixes=("`vault write {mount}/role/{role} bound_audiences=vault ...`",),
        confirmable=True,
    ),
    Reason.AUDIENCE_UNDECIDABLE: Entry(
        0,
        "The role expects an audience; that of the agent's token is not known.",
        message='role "{role}" expects audience "{raud}"; the audience of {client}\'s token is not known',
        fixes=("name a projected token volume, or set `DEFAULT_TOKEN_AUDIENCES`",),
    ),
    Reason.SERVICE_ACCOUNT_NOT_BOUND: Entry(
        403,
        "The service account is not bound to the role. A pod without `serviceAccountName` runs as `default`.",
        "Set `serviceAccountName`, or add the account to the role's `bound_service_account_names`.",
        message='service account "{sa}" is not bound to Vault role "{role}" on {mount}{bound}',
        fixes=(
            "set {account_field}, or `vault write {mount}/role/{role} bound_service_account_names=<list>,{sa} ...`",
            "set {account_field}, or add it to bound_service_account_names",
        ),
        confirmable=True,
        unbound=True,
    ),
    Reason.NAMESPACE_SELECTOR_INVALID: Entry(
        403,
        "The role's namespace selector is one the server fails on, and the namespace is not listed either.",
        "Use `matchLabels` only in `bound_service_account_namespace_selector`.",
        message='the namespace selector of role "{role}" cannot be used ({detail}); namespace "{ns}" is not listed either',
        fixes=(
            "use matchLabels only: bound_service_account_namespace_selector='{{\"matchLabels\":{{...}}}}'",
            "use `matchLabels` only",
        ),
        confirmable=True,
        unbound=True,
    ),
    Reason.NAMESPACE_SELECTOR_UNUSABLE: Entry(
        403,
        "The role selects namespaces by label and the auth mount has no credential to read them.",
        message='role "{role}" relies on a namespace selector but {mount} has no reviewer credential to read namespaces',
        fixes=("`vault write {mount}/config token_reviewer_jwt=@<file> ...`",),
        confirmable=True,
        unbound=True,
    ),
    Reason.NAMESPACE_NOT_BOUND: Entry(
        403,
        "The namespace is not bound to the role, neither by name nor by label.",
        "Add it to the role's `bound_service_account_namespaces`, or label the namespace as the role's selector asks.",
        message='namespace "{ns}" is not bound to Vault role "{role}" on {mount}{bound}',
        fixes=(
            "`vault write {mount}/role/{role} bound_service_account_namespaces=<list>,{ns} ...`{label}",
            "add it to bound_service_account_namespaces of the role{label}",
            "add it to bound_service_account_namespaces of the role",
        ),
        confirmable=True,
        unbound=True,
    ),
    Reason.NAMESPACE_LABELS_UNKNOWN: Entry(
        0,
        "The role selects namespaces by label and the labels could not be read.",
        message='role "{role}" selects namespaces by label; the labels of "{ns}" could not be read',
        fixes=("grant the webhook get on namespaces",),
    ),
    Reason.USER_CLAIM_INVALID: Entry(
        403,
        "The JWT role's user claim is missing from, or no string in, service account tokens.",
        message='user claim "{claim}" of JWT role "{role}" is missing from, or no string in, service account tokens',
        fixes=(
            "`user_claim=sub`, or a pointer with `user_claim_json_pointer=true`",
            "`user_claim=sub`",
        ),
        confirmable=True,
    ),
    Reason.CLAIM_MAPPING_INVALID: Entry(
        403,
        "A claim mapping of the JWT role does not name a string.",
        message='claim mapping "{claim}" of JWT role "{role}" does not name a string',
        fixes=("fix `claim_mappings`",),
        confirmable=True,
    ),
    Reason.GROUPS_CLAIM_INVALID: Entry(
        403,
        "The JWT role's groups claim does not exist in service account tokens.",
        message='groups claim "{claim}" of JWT role "{role}" does not exist in service account tokens',
        fixes=("unset `groups_claim`",),
        confirmable=True,
    ),
    Reason.CLAIM_MISMATCH: Entry(
        403,
        "A bound claim of the JWT role does not fit the service account.",
        message='bound claim "{claim}" of JWT role "{role}" does not fit {ns}/{sa}',
        fixes=(
            "fix `bound_claims`; nested claims need a leading slash, stars need `bound_claims_type=glob`",
            "fix `bound_claims`",
        ),
        confirmable=True,
        unbound=True,
    ),
    Reason.CLAIM_UNDECIDABLE: Entry(
        0,
        "The JWT role depends on a claim that is not known before the pod runs.",
        "Nothing to do; bind claims that are known, such as `sub`, to have them checked.",
        message='JWT role "{role}" depends on claim "{claim}", which is not known before the pod runs',
    ),
    Reason.REVIEWER_AUDIENCE_CONFLICT: Entry(
        403,
        "The auth mount reviews tokens with the pod's own token, whose audience the API server does not accept.",
        message="{mount} reviews tokens with {object}'s own token, whose audience {aud} the API server {accepts}",
        fixes=("`vault write {mount}/config token_reviewer_jwt=@<file> ...`",),
        confirmable=True,
        for_operator=True,
    ),
    Reason.POLICY_NOT_ASSIGNABLE: Entry(
        403,
        "The role attaches a policy no login may receive: `root` or `response-wrapping`.",
        message='role "{role}" attaches policy "{policy}", which no login may receive',
        fixes=("remove it from `token_policies`",),
        confirmable=True,
    ),
    Reason.BOUND_CIDR_UNDECIDABLE: Entry(
        0,
        "The role restricts source addresses; the pod has none yet.",
        "Nothing to do.",
        message='role "{role}" restricts source addresses; not verifiable before the pod has one',
    ),
    Reason.WILDCARD_BINDING: Entry(
        403,
        "The role accepts every service account or every namespace; refused only where `WILDCARD` is `deny`.",
        message='role "{role}" accepts every {what}',
        fixes=(
            "bind explicit names; a selector without `matchLabels` matches every namespace",
            "bind explicit names",
        ),
        confirmable=True,
        for_operator=True,
    ),
    Reason.AUDIENCE_NOT_CONFIGURED: Entry(
        403,
        "The role checks no audience; refused only where `REQUIRE_AUDIENCE` is `deny`.",
        message='role "{role}" checks no audience',
        fixes=("`vault write {mount}/role/{role} audience=vault ...`",),
        confirmable=True,
        for_operator=True,
    ),
    Reason.TOKEN_USE_LIMITED: Entry(
        0,
        "The role's tokens are limited to a number of uses; an agent needs more.",
        message='tokens of role "{role}" are limited to {uses} uses; an agent needs more',
        fixes=(
            "`vault write {mount}/role/{role} token_num_uses=0 ...`",
            "`token_num_uses=0`",
        ),
    ),
    Reason.TOKEN_OUTLIVES_IDENTITY: Entry(
        0,
        "The role's tokens live longer than the service account token.",
        message='tokens of role "{role}" live {ttl} s, longer than the service account token ({expiration} s)',
        fixes=("lower `token_ttl`",),
        for_operator=True,
    ),
    # the secrets the pod asks for
    Reason.SECRET_READABLE: Entry(0, "The role's policies let the agent read the path.", "Nothing to do."),
    Reason.SECRET_PATH_INVALID: Entry(
        400,
        "The annotation's value is no usable secret path.",
        message='"{path}" is no usable secret path',
        fixes=("write at most 4096 characters, without `.` and `..` between slashes", "correct the {kind}"),
    ),
    Reason.SECRET_MOUNT_UNKNOWN: Entry(
        403,
        "No secrets engine is mounted at the path.",
        message='no secrets engine is mounted at "{path}"',
        fixes=("`vault secrets list`; correct the path",),
        confirmable=True,
    ),
    Reason.SECRET_PATH_NOT_GRANTED: Entry(
        403,
        "No policy of the role covers the path.",
        "Add a rule with the capability `read` to one of its policies.",
        message='no policy of role "{role}" covers "{path}"',
        fixes=(
            'add `path "{path}" {{ capabilities = ["read"] }}` to one',
            "grant read on it in one of them",
        ),
        confirmable=True,
    ),
    Reason.SECRET_READ_NOT_GRANTED: Entry(
        403,
        "The policy rule that decides the path does not include read.",
        message='the policy rule deciding "{path}" does not include read',
        fixes=(
            "add `read`; remember that the most specific rule alone decides",
            "add `read`",
        ),
        confirmable=True,
    ),
    Reason.SECRET_PATH_DENIED: Entry(
        403,
        "A policy of the role denies the path.",
        message='a policy of role "{role}" denies "{path}"',
        fixes=("remove the deny, or use another path",),
        confirmable=True,
    ),
    Reason.SECRET_PATH_CONSTRAINED: Entry(
        403,
        "The rule for the path demands response wrapping or parameters the agent does not send.",
        message='the rule for "{path}" demands response wrapping or parameters {client} does not send',
        fixes=("drop min_wrapping_ttl, max_wrapping_ttl or required_parameters from it",),
        confirmable=True,
    ),
    Reason.SECRET_APPROVAL_REQUIRED: Entry(
        0,
        "Reading the path needs MFA or a control group.",
        "Nothing to do here; an agent cannot answer either.",
        message='reading "{path}" needs MFA or a control group',
    ),
    Reason.KV_V2_DATA_PREFIX_MISSING: Entry(
        403,
        "The policy grants the path without `data/`, which a KV version 2 engine is read under.",
        message='the policy grants the path without `data/`; KV version 2 is read at "{path}"',
        fixes=("use `<mount>/data/...` in the policy",),
        confirmable=True,
    ),
    Reason.KV_V1_DATA_PREFIX_UNNEEDED: Entry(
        403,
        "The path contains `data/` and the engine is KV version 1.",
        message='"{path}" contains `data/`, but the mount is KV version 1',
        fixes=("drop `data/` from the {kind}",),
        confirmable=True,
    ),
    Reason.KV_VERSION_UNKNOWN: Entry(
        0,
        "Whether the path lies on a KV version 2 engine is not known, and it matters.",
        message='cannot tell whether "{path}" lies on a KV version 2 mount',
        fixes=("let the webhook read `sys/mounts`, or list `mounts` in the bindings",),
    ),
    Reason.KV_VERSION_HIDDEN: Entry(
        0,
        "The path lies in a Vault namespace below the one the agent asks in, and `data/` is left out of it. The server hides mounts"
        " of other namespaces from the agent, which then adds no `data/`.",
        message='{client} cannot see that "{path}", in a Vault namespace below its own, is of KV version 2',
        fixes=("write `data/` behind the mount's path",),
    ),
    Reason.POLICY_NOT_FOUND: Entry(
        403,
        "A policy the role names does not exist.",
        message='policy "{policy}" of role "{role}" does not exist',
        fixes=("`vault policy list`; check the spelling",),
        confirmable=True,
    ),
    Reason.POLICY_UNAVAILABLE: Entry(
        0,
        "The text of a policy of the role is not known.",
        message='the text of a policy of role "{role}" is not known; "{path}" could not be confirmed',
        fixes=("let the webhook read `sys/policies/acl/*`",),
    ),
    Reason.POLICY_INVALID: Entry(
        0,
        "The text of a policy of the role could not be parsed.",
        message='the text of policy "{policy}" could not be parsed; "{path}" could not be confirmed',
        fixes=("`vault policy fmt <file>`",),
    ),
    Reason.POLICY_TEMPLATE_UNDECIDABLE: Entry(
        0,
        "Access depends on identity values unknown before login.",
        "Prefer `identity.entity.aliases.<accessor>.metadata.service_account_namespace` in the policy.",
        message='access to "{path}" depends on identity values unknown before login',
        fixes=("prefer `...metadata.service_account_namespace` in the policy",),
    ),
    Reason.POLICY_SET_UNDECIDABLE: Entry(
        0,
        "The role's own policies do not grant the path; identity groups may.",
        "Nothing to do; grant it in a policy of the role to have it checked.",
        message='not granted by the role\'s policies; identity groups may still grant "{path}"',
    ),
}
RANK = {reason: rank for rank, reason in enumerate(CATALOGUE)}
