"""The part of a pod we read, as msgspec decodes it in one pass; everything else of the pod is skipped, never re-encoded.

Members keep the API's names. `null` and absent are the same, as for the API server. Raw members are decoded only by the
few annotations that need them (copied mounts, AWS variables, recognising an agent).
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType


class TokenSource(Struct, frozen=True):
    """A serviceAccountToken projection."""

    audience: str | None = None
    expirationSeconds: int | None = None
    path: str | None = None


class Source(Struct, frozen=True):
    """One source of a projected volume."""

    serviceAccountToken: TokenSource | None = None


class Projected(Struct, frozen=True):
    """A projected volume."""

    sources: list[Source] | None = None


class Volume(Struct, frozen=True):
    """A volume of the pod."""

    name: str | None = None
    projected: Projected | None = None
    hostPath: Raw | UnsetType = UNSET

    @property
    def is_host_path(self) -> bool:
        """Tell whether it is a file or folder of the node."""
        return self.hostPath is not UNSET and bytes(self.hostPath) != b"null"

    def token_sources(self) -> Iterator[TokenSource]:
        """Yield its service account tokens."""
        for source in (self.projected.sources if self.projected else None) or ():
            if source.serviceAccountToken:
                yield source.serviceAccountToken

    def token_source(self) -> TokenSource | None:
        """Return the first token source, or None."""
        return next(self.token_sources(), None)

    @property
    def holds_only_tokens(self) -> bool:
        """Tell whether it projects service account tokens and nothing else."""
        sources = self.projected.sources if self.projected else None
        return bool(sources) and all(source.serviceAccountToken for source in sources or ())


class VolumeMount(Struct, frozen=True):
    """A mount of a container."""

    name: str | None = None
    mountPath: str | None = None
    subPath: str | None = None
    subPathExpr: str | None = None
    readOnly: bool | None = None


class Seccomp(Struct, frozen=True):
    """A seccomp profile; that there is one is all we need to know."""


class SecurityContext(Struct, frozen=True):
    """The security context of a pod or container."""

    runAsUser: int | None = None
    seccompProfile: Seccomp | None = None


class Container(Struct, frozen=True):
    """A container of the pod, init containers included."""

    name: str | None = None
    restartPolicy: str | None = None
    volumeMounts: list[VolumeMount] | None = None
    securityContext: SecurityContext | None = None
    env: Raw | UnsetType = UNSET
    resources: Raw | UnsetType = UNSET

    @property
    def mounts(self) -> Sequence[VolumeMount]:
        """Its mounts, an absent list as an empty one."""
        return self.volumeMounts or ()


class OperatingSystem(Struct, frozen=True):
    """spec.os."""

    name: str | None = None


class Spec(Struct, frozen=True):
    """The spec of a pod."""

    containers: list[Container] | None = None
    initContainers: list[Container] | None = None
    volumes: list[Volume] | None = None
    serviceAccountName: str | None = None
    serviceAccount: str | None = None
    securityContext: SecurityContext | None = None
    shareProcessNamespace: bool | None = None
    hostNetwork: bool | None = None
    restartPolicy: str | None = None
    terminationGracePeriodSeconds: int | None = None
    os: OperatingSystem | None = None
    nodeSelector: dict[str, str | None] | None = None
    runtimeClassName: str | None = None
    resources: Raw | UnsetType = UNSET


class Metadata(Struct, frozen=True):
    """The metadata of a pod. Before admission the name may be empty (generateName)."""

    name: str | None = None
    annotations: dict[str, str | None] | None = None


class Pod(Struct, frozen=True):
    """A pod as submitted."""

    metadata: Metadata | None = None
    spec: Spec | None = None


class EnvVar(Struct, frozen=True):
    """A variable of a container, its source as written."""

    name: str | None = None
    value: str | None = None
    valueFrom: Raw | UnsetType = UNSET


_environment = msgspec.json.Decoder(list[EnvVar] | None)


def environment(container: Container) -> Sequence[EnvVar]:
    """Return the container's variables.

    Raises:
        msgspec.DecodeError: `env` is no list of variables.
    """
    return () if container.env is UNSET else _environment.decode(container.env) or ()


def service_account(spec: Spec) -> str:
    """Return the account the pod runs as; the API server fills it in before webhooks run, recorded pods may lack it."""
    return spec.serviceAccountName or spec.serviceAccount or "default"
