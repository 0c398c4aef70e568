"""What the controller goes by: how it reaches Vault and Kubernetes, what it reads, where it writes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from webhook.rolecheck.role_ref import mount_path, namespace_of
from webhook.settings.parsers import Address, auth_mounts


class VaultAuth(StrEnum):
    """How the controller logs in to Vault."""

    KUBERNETES = "kubernetes"
    APPROLE = "approle"
    TOKEN_FILE = "token_file"  # noqa: S105 the name of a method


class Control(Struct, frozen=True, kw_only=True):
    """What the controller goes by; paths of mounts have no `auth/` and no slash at either end."""

    document: str  # the file it writes
    listen: Address
    state_file: str  # "": none
    confirm_socket: str  # "": none
    poll_interval_s: int
    reads_per_second: int
    max_staleness_s: int
    wants_policies: bool
    identity_model: str
    agents_address: str  # of Vault, as pods name it
    vault_address: str
    vault_ca_file: str  # "": vault_ca_certificates, and if there are none either, the system's
    vault_ca_certificates: str
    vault_namespace: str
    vault_auth: VaultAuth
    vault_auth_path: str
    vault_role: str
    token_file: str
    role_id_file: str
    secret_id_file: str
    mounts: tuple[tuple[str, str], ...]  # Vault namespace and path
    reads_labels: bool
    kubeconfig: str  # "": as a pod of the cluster


def control(found: Mapping[str, Any], given: Mapping[str, str]) -> Control:
    """Return the controller's part of the settings.

    Args:
        found: every variable without prefix, to its value as read.
        given: the same, to its text as given or by default.
    """
    namespace = namespace_of(given["VAULT_NAMESPACE"])
    method = VaultAuth(found["CONTROL_VAULT_AUTH"])
    path = given["CONTROL_VAULT_AUTH_PATH"] or ("auth/approle" if method is VaultAuth.APPROLE else _usual_path(given))
    usual = "/".join(filter(None, (namespace, _usual_path(given))))
    return Control(
        document=found["BINDINGS"],
        listen=found["CONTROL_LISTEN"],
        state_file=found["CONTROL_STATE_FILE"],
        confirm_socket=found["CONFIRM_SOCKET"],
        poll_interval_s=found["BINDINGS_POLL_INTERVAL"],
        reads_per_second=found["BINDINGS_MAX_READS_PER_SECOND"],
        max_staleness_s=found["BINDINGS_MAX_STALENESS"],
        wants_policies=found["POLICY_CHECK"] != "off",
        identity_model=found["CONTROL_IDENTITY_MODEL"],
        agents_address=given["VAULT_ADDR"],
        vault_address=found["CONTROL_VAULT_ADDR"] or given["VAULT_ADDR"],
        vault_ca_file=found["CONTROL_VAULT_CA_FILE"],
        vault_ca_certificates=found["VAULT_CACERT_BYTES"],
        vault_namespace=namespace_of(found["CONTROL_VAULT_NAMESPACE"]) or namespace,
        vault_auth=method,
        vault_auth_path=mount_path(path),
        vault_role=found["CONTROL_VAULT_ROLE"],
        token_file=found["CONTROL_TOKEN_FILE"],
        role_id_file=found["CONTROL_ROLE_ID_FILE"],
        secret_id_file=found["CONTROL_SECRET_ID_FILE"],
        mounts=tuple(dict.fromkeys((*_usual_mount(usual), *found["CONTROL_MOUNTS"]))),
        reads_labels=found["CONTROL_NAMESPACE_LABELS"],
        kubeconfig=found["CONTROL_KUBECONFIG"],
    )


def _usual_path(given: Mapping[str, str]) -> str:
    return given["VAULT_AUTH_PATH"] or "auth/kubernetes"


def _usual_mount(path: str) -> tuple[tuple[str, str], ...]:
    """Return the mount pods use by default; none where the setting is no path of a mount, which is a pod's matter."""
    try:
        return auth_mounts(path)
    except ValueError:
        return ()
