"""What the operator decided for every pod and no annotation can change."""

from enum import StrEnum

from msgspec import Struct

from webhook.core.annotations.presets import PresetPolicy

AUTO_AUDIENCE = "auto"  # the audience the role pins, else DEFAULT_AUDIENCE
DEFAULT_AUDIENCE = "vault"


class SidecarMode(StrEnum):
    """Classic: an init container and a sidecar. Native: one init container that stays (restartPolicy Always)."""

    CLASSIC = "classic"
    NATIVE = "native"


class PodSettings(Struct, frozen=True, kw_only=True):
    """The server's own settings, as far as they shape a pod."""

    sidecar_mode: SidecarMode = SidecarMode.CLASSIC
    preset: PresetPolicy = PresetPolicy()
    token_audience: str = DEFAULT_AUDIENCE
    token_expiration_s: int = 3_600
    memory_volume_size_limit: str = "64Mi"  # quantity; "0" for none
    ca_certificates: str = ""  # PEM, for the agent's VAULT_CACERT_BYTES
    system_namespaces: frozenset[str] = frozenset({"kube-system", "kube-public"})
