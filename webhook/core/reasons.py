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
}
