"""Every reason code: its HTTP status, what it means and how it is mended.

One spelling in the answer, the log, the metric and docs/reasons.md, which is generated from CATALOGUE.
To add a refusal: a member of Reason, a row of CATALOGUE, `vault-webhook reasons > docs/reasons.md`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Stable codes; CamelCase, never renamed."""

    # the annotations of the pod
    ANNOTATION_INVALID = "AnnotationInvalid"
    ANNOTATION_CONFLICT = "AnnotationConflict"
    ROLE_MISSING = "RoleMissing"
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
    AGENT_INCOMPLETE = "AgentIncomplete"
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
    ROLE_NOT_FOUND = "RoleNotFound"
    ROLE_NOT_COVERED = "RoleNotCovered"
    ROLE_UNREADABLE = "RoleUnreadable"
    ROLE_INVALID = "RoleInvalid"
    ROLE_TYPE_NOT_USABLE = "RoleTypeNotUsable"
    ISSUER_MISMATCH = "IssuerMismatch"
    ISSUER_UNDECIDABLE = "IssuerUndecidable"
    AUDIENCE_MISMATCH = "AudienceMismatch"
    AUDIENCE_UNDECIDABLE = "AudienceUndecidable"
    AUDIENCE_NOT_BOUND = "AudienceNotBound"
    AUDIENCE_NOT_CONFIGURED = "AudienceNotConfigured"
    SERVICE_ACCOUNT_NOT_BOUND = "ServiceAccountNotBound"
    NAMESPACE_NOT_BOUND = "NamespaceNotBound"
    NAMESPACE_SELECTOR_INVALID = "NamespaceSelectorInvalid"
    NAMESPACE_SELECTOR_UNUSABLE = "NamespaceSelectorUnusable"
    NAMESPACE_LABELS_UNKNOWN = "NamespaceLabelsUnknown"
    SUBJECT_MISMATCH = "SubjectMismatch"
    USER_CLAIM_INVALID = "UserClaimInvalid"
    CLAIM_MAPPING_INVALID = "ClaimMappingInvalid"
    GROUPS_CLAIM_INVALID = "GroupsClaimInvalid"
    CLAIM_MISMATCH = "ClaimMismatch"
    CLAIM_UNDECIDABLE = "ClaimUndecidable"
    REVIEWER_AUDIENCE_CONFLICT = "ReviewerAudienceConflict"
    POLICY_NOT_ASSIGNABLE = "PolicyNotAssignable"
    BOUND_CIDR_UNDECIDABLE = "BoundCidrUndecidable"
    WILDCARD_BINDING = "WildcardBinding"
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
    POLICY_NOT_FOUND = "PolicyNotFound"
    POLICY_UNAVAILABLE = "PolicyUnavailable"
    POLICY_INVALID = "PolicyInvalid"
    POLICY_TEMPLATE_UNDECIDABLE = "PolicyTemplateUndecidable"
    POLICY_SET_UNDECIDABLE = "PolicySetUndecidable"


@dataclass(frozen=True, slots=True)
class Entry:
    """What docs/reasons.md says of a code: status is the answer's `status.code`, 0 where a code never refuses."""

    status: int
    cause: str
    remedy: str


CATALOGUE: dict[Reason, Entry] = {
    Reason.ANNOTATION_INVALID: Entry(
        400, "One annotation has a value we do not understand or cannot honour.", "Correct the annotation named."
    ),
    Reason.ANNOTATION_CONFLICT: Entry(
        400, "Two annotations contradict each other.", "Remove or change one of the annotations named."
    ),
    Reason.ROLE_MISSING: Entry(
        400, "The pod asks for injection and names no Vault role.", "Set the `role` annotation."
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
        "The volume named by `agent-service-account-token-volume-name` is absent or projects no token.",
        "Name a projected volume with a serviceAccountToken source, or remove the annotation.",
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
    Reason.AGENT_INCOMPLETE: Entry(
        422,
        "The pod already holds one of the two agent containers; the other one is missing.",
        "Recreate the pod from its original manifest, without the injected parts.",
    ),
    Reason.INTERNAL_ERROR: Entry(
        503, "A fault of vault-webhook itself.", "Tell the platform team; the webhook's log names the request's uid."
    ),
    Reason.ALLOWED: Entry(0, "The role accepts the pod as far as can be told before it runs.", "Nothing to do."),
    Reason.AUTH_TYPE_NOT_CHECKED: Entry(
        0, "The agent logs in with a method whose roles are not examined.", "Nothing to do."
    ),
    Reason.AGENT_CONFIG_NOT_INSPECTED: Entry(
        0, "The agent's configuration comes from a ConfigMap and was not examined.", "Nothing to do."
    ),
    Reason.BINDINGS_UNAVAILABLE: Entry(
        503,
        "No Vault role data are available yet; refused only where `BINDINGS_ON_UNAVAILABLE` is `closed`.",
        "Check the webhook's access to Vault: its log, and `vault status`.",
    ),
    Reason.BINDINGS_STALE: Entry(
        503,
        "The Vault role data are older than the staleness limit; refused only where `BINDINGS_ON_STALE` is `closed`.",
        "Check the webhook's access to Vault: its log, and `vault status`.",
    ),
    Reason.SERVER_NOT_COVERED: Entry(
        0,
        "The role data are of another Vault server than the pod's.",
        "Correct the pod's Vault address, or add that server to the bindings source.",
    ),
    Reason.TOKEN_VOLUME_MISSING: Entry(
        403,
        "The pod mounts no service account token the agent could use.",
        "Remove `automountServiceAccountToken: false`, or name a volume: `agent-service-account-token-volume-name`.",
    ),
    Reason.AUTH_MOUNT_UNKNOWN: Entry(
        403,
        "Vault has no auth mount at that path of that Vault namespace.",
        "`vault auth list`; correct the `auth-path` annotation (it starts with `auth/`) or the `namespace` annotation.",
    ),
    Reason.AUTH_MOUNT_NOT_COVERED: Entry(
        0, "The auth mount is not among the known ones, and not all are known.", "Add the mount to the bindings source."
    ),
    Reason.AUTH_TYPE_MISMATCH: Entry(
        403,
        "The auth mount is of another type than the agent's login.",
        "Correct the `auth-type` or `auth-path` annotation.",
    ),
    Reason.ROLE_NOT_FOUND: Entry(
        403,
        "The Vault role does not exist on the auth mount.",
        "`vault list auth/<mount>/role`; correct the `role` annotation, or create the role with `vault write`.",
    ),
    Reason.ROLE_NOT_COVERED: Entry(
        0,
        "The role is not among the known ones of the mount, and not all are known.",
        "Add the role to the bindings source.",
    ),
    Reason.ROLE_UNREADABLE: Entry(
        503,
        "The role exists and its bindings could not be read; refused only where `BINDINGS_ON_UNAVAILABLE` is `closed`.",
        "Grant read on `auth/<mount>/role/*` to the webhook.",
    ),
    Reason.ROLE_INVALID: Entry(
        403,
        "The role's definition can never permit a login.",
        "Correct the role with `vault write`, or the bindings file.",
    ),
    Reason.ROLE_TYPE_NOT_USABLE: Entry(
        403,
        "The role is an OIDC role and accepts no token login.",
        "`vault write auth/<mount>/role/<role> role_type=jwt ...`",
    ),
    Reason.ISSUER_MISMATCH: Entry(
        403,
        "The auth mount expects tokens from another issuer than this cluster's.",
        "Compare `vault read auth/<mount>/config` with `kubectl get --raw /.well-known/openid-configuration`.",
    ),
    Reason.ISSUER_UNDECIDABLE: Entry(
        0, "The auth mount checks the token's issuer, which the webhook does not know.", "Set `CLUSTER_ISSUER`."
    ),
    Reason.AUDIENCE_MISMATCH: Entry(
        403,
        "The role expects another audience than the agent's token carries.",
        "Set the `agent-token-audience` annotation, or change the role's `audience`.",
    ),
    Reason.AUDIENCE_UNDECIDABLE: Entry(
        0,
        "The role expects an audience; that of the agent's token is not known.",
        "Name a projected token volume, or set `DEFAULT_TOKEN_AUDIENCES`.",
    ),
    Reason.AUDIENCE_NOT_BOUND: Entry(
        403,
        "The JWT role binds no audience and therefore refuses service account tokens.",
        "`vault write auth/<mount>/role/<role> bound_audiences=vault ...`",
    ),
    Reason.AUDIENCE_NOT_CONFIGURED: Entry(
        403,
        "The role checks no audience; refused only where `REQUIRE_AUDIENCE` is `deny`.",
        "`vault write auth/<mount>/role/<role> audience=vault ...`",
    ),
    Reason.SERVICE_ACCOUNT_NOT_BOUND: Entry(
        403,
        "The service account is not bound to the role. A pod without `serviceAccountName` runs as `default`.",
        "Set `serviceAccountName`, or add the account to the role's `bound_service_account_names`.",
    ),
    Reason.NAMESPACE_NOT_BOUND: Entry(
        403,
        "The namespace is not bound to the role, neither by name nor by label.",
        "Add it to the role's `bound_service_account_namespaces`, or label the namespace as the role's selector asks.",
    ),
    Reason.NAMESPACE_SELECTOR_INVALID: Entry(
        403,
        "The role's namespace selector is one the server fails on, and the namespace is not listed either.",
        "Use `matchLabels` only in `bound_service_account_namespace_selector`.",
    ),
    Reason.NAMESPACE_SELECTOR_UNUSABLE: Entry(
        403,
        "The role selects namespaces by label and the auth mount has no credential to read them.",
        "`vault write auth/<mount>/config token_reviewer_jwt=@<file> ...`",
    ),
    Reason.NAMESPACE_LABELS_UNKNOWN: Entry(
        0,
        "The role selects namespaces by label and the labels could not be read.",
        "Grant the webhook get on namespaces.",
    ),
    Reason.SUBJECT_MISMATCH: Entry(
        403, "The JWT role is bound to another subject.", "Correct `bound_subject`, or the service account."
    ),
    Reason.USER_CLAIM_INVALID: Entry(
        403,
        "The JWT role's user claim is missing from, or no string in, service account tokens.",
        "`user_claim=sub`, or a pointer with `user_claim_json_pointer=true`.",
    ),
    Reason.CLAIM_MAPPING_INVALID: Entry(
        403, "A claim mapping of the JWT role does not name a string.", "Correct `claim_mappings`."
    ),
    Reason.GROUPS_CLAIM_INVALID: Entry(
        403, "The JWT role's groups claim does not exist in service account tokens.", "Unset `groups_claim`."
    ),
    Reason.CLAIM_MISMATCH: Entry(
        403,
        "A bound claim of the JWT role does not fit the service account.",
        "Correct `bound_claims`; nested claims need a leading slash, stars need `bound_claims_type=glob`.",
    ),
    Reason.CLAIM_UNDECIDABLE: Entry(
        0,
        "The JWT role depends on a claim that is not known before the pod runs.",
        "Nothing to do; bind claims that are known, such as `sub`, to have them checked.",
    ),
    Reason.REVIEWER_AUDIENCE_CONFLICT: Entry(
        403,
        "The auth mount reviews tokens with the pod's own token, whose audience the API server does not accept.",
        "`vault write auth/<mount>/config token_reviewer_jwt=@<file> ...`",
    ),
    Reason.POLICY_NOT_ASSIGNABLE: Entry(
        403,
        "The role attaches a policy no login may receive: `root` or `response-wrapping`.",
        "Remove it from `token_policies`.",
    ),
    Reason.BOUND_CIDR_UNDECIDABLE: Entry(
        0, "The role restricts source addresses; the pod has none yet.", "Nothing to do."
    ),
    Reason.WILDCARD_BINDING: Entry(
        403,
        "The role accepts every service account or every namespace; refused only where `WILDCARD` is `deny`.",
        "Bind explicit names; a selector without `matchLabels` matches every namespace.",
    ),
    Reason.TOKEN_USE_LIMITED: Entry(
        0, "The role's tokens are limited to a number of uses; an agent needs more.", "`token_num_uses=0`"
    ),
    Reason.TOKEN_OUTLIVES_IDENTITY: Entry(
        0, "The role's tokens live longer than the service account token.", "Lower `token_ttl`."
    ),
    Reason.SECRET_READABLE: Entry(0, "The role's policies let the agent read the path.", "Nothing to do."),
    Reason.SECRET_PATH_INVALID: Entry(
        400, "The annotation's value is no usable secret path.", "Correct the annotation."
    ),
    Reason.SECRET_MOUNT_UNKNOWN: Entry(
        403, "No secrets engine is mounted at the path.", "`vault secrets list`; correct the path."
    ),
    Reason.SECRET_PATH_NOT_GRANTED: Entry(
        403, "No policy of the role covers the path.", "Add a rule with the capability `read` to one of its policies."
    ),
    Reason.SECRET_READ_NOT_GRANTED: Entry(
        403,
        "The policy rule that decides the path does not include read.",
        "Add `read` to it; the most specific rule alone decides.",
    ),
    Reason.SECRET_PATH_DENIED: Entry(
        403, "A policy of the role denies the path.", "Remove the deny, or use another path."
    ),
    Reason.SECRET_PATH_CONSTRAINED: Entry(
        403,
        "The rule for the path demands response wrapping or parameters the agent does not send.",
        "Drop `min_wrapping_ttl`, `max_wrapping_ttl` or `required_parameters` from it.",
    ),
    Reason.SECRET_APPROVAL_REQUIRED: Entry(
        0, "Reading the path needs MFA or a control group.", "Nothing to do here; an agent cannot answer either."
    ),
    Reason.KV_V2_DATA_PREFIX_MISSING: Entry(
        403,
        "The policy grants the path without `data/`, which a KV version 2 engine is read under.",
        "Use `<mount>/data/...` in the policy.",
    ),
    Reason.KV_V1_DATA_PREFIX_UNNEEDED: Entry(
        403, "The path contains `data/` and the engine is KV version 1.", "Drop `data/` from the annotation."
    ),
    Reason.KV_VERSION_UNKNOWN: Entry(
        0,
        "Whether the path lies on a KV version 2 engine is not known, and it matters.",
        "Let the webhook read `sys/mounts`, or list `mounts` in the bindings document.",
    ),
    Reason.POLICY_NOT_FOUND: Entry(
        403, "A policy the role names does not exist.", "`vault policy list`; check the spelling in `token_policies`."
    ),
    Reason.POLICY_UNAVAILABLE: Entry(
        0, "The text of a policy of the role is not known.", "Let the webhook read `sys/policies/acl/*`."
    ),
    Reason.POLICY_INVALID: Entry(
        0, "The text of a policy of the role could not be parsed.", "`vault policy fmt <file>`"
    ),
    Reason.POLICY_TEMPLATE_UNDECIDABLE: Entry(
        0,
        "Access depends on identity values unknown before login.",
        "Prefer `identity.entity.aliases.<accessor>.metadata.service_account_namespace` in the policy.",
    ),
    Reason.POLICY_SET_UNDECIDABLE: Entry(
        0,
        "The role's own policies do not grant the path; identity groups may.",
        "Nothing to do; grant it in a policy of the role to have it checked.",
    ),
}
