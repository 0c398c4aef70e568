"""Which pods are not ours to change, whatever their annotations say."""

from webhook.core.pod import Pod

_MIRROR = "kubernetes.io/config.mirror"
_OS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")


def skip_reason(pod: Pod) -> str | None:
    """Return why a pod that asks for injection is left alone, None when it is not.

    The kubelet makes mirror pods from files and refuses differences, token volumes above all; Windows knows none of the
    security settings and paths of our agents.
    """
    metadata, spec = pod.metadata, pod.spec
    if metadata and metadata.annotations and _MIRROR in metadata.annotations:
        return "a static pod's mirror cannot be changed; no agent is added"
    if spec is None:
        return None
    windows = (
        (spec.os is not None and spec.os.name == "windows")
        or (spec.nodeSelector is not None and any(spec.nodeSelector.get(label) == "windows" for label in _OS_LABELS))
        or "windows" in (spec.runtimeClassName or "").lower()
    )
    return "the agent does not run on Windows; no agent is added" if windows else None
