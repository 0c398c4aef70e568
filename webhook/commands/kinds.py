"""Which objects make pods, and where each kind keeps the template of them. To take another kind: a row."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

Path = tuple[str, ...]  # steps from the object down; `*` stands for every item of a list or mapping


class Kind(Struct, frozen=True):
    """One kind of workload."""

    group: str  # of its API, "" for the core's
    name: str
    templates: tuple[Path, ...]  # those that are there are read; () is the object itself
    built_in: bool = False  # Kubernetes' own: one without a template is a mistake


def path_of(text: str) -> Path:
    """Return the path that is written as `spec.template`; nothing is the object itself."""
    return tuple(step for step in text.split(".") if step)


def _rows(group: str, names: str, *templates: str, built_in: bool = False) -> list[Kind]:
    return [Kind(group, name, tuple(map(path_of, templates)), built_in) for name in names.split()]


KINDS: Sequence[Kind] = (
    *_rows("", "Pod", "", built_in=True),
    *_rows("", "PodTemplate", "template", built_in=True),
    *_rows("", "ReplicationController", "spec.template", built_in=True),
    *_rows("apps", "Deployment StatefulSet DaemonSet ReplicaSet", "spec.template", built_in=True),
    *_rows("extensions", "Deployment DaemonSet ReplicaSet", "spec.template", built_in=True),
    *_rows("batch", "Job", "spec.template", built_in=True),
    *_rows("batch", "CronJob", "spec.jobTemplate.spec.template", built_in=True),
    *_rows("argoproj.io", "Rollout", "spec.template"),
    *_rows("apps.openshift.io", "DeploymentConfig", "spec.template"),
    *_rows("serving.knative.dev", "Service Configuration", "spec.template"),
    *_rows("serving.knative.dev", "Revision", ""),
    *_rows("apps.kruise.io", "CloneSet StatefulSet DaemonSet BroadcastJob", "spec.template"),
    *_rows(
        "apps.kruise.io",
        "AdvancedCronJob",
        "spec.template.jobTemplate.spec.template",
        "spec.template.broadcastJobTemplate.spec.template",
    ),
    *_rows("apps.kruise.io", "UnitedDeployment", "spec.template.*.spec.template"),
    *_rows("apps.pingcap.com", "StatefulSet", "spec.template"),
    *_rows("keda.sh", "ScaledJob", "spec.jobTargetRef.template"),
    *_rows("batch.volcano.sh", "Job", "spec.tasks.*.template"),
    *_rows("jobset.x-k8s.io", "JobSet", "spec.replicatedJobs.*.template.spec.template"),
    *_rows(
        "leaderworkerset.x-k8s.io",
        "LeaderWorkerSet",
        "spec.leaderWorkerTemplate.leaderTemplate",
        "spec.leaderWorkerTemplate.workerTemplate",
    ),
    *_rows("kubeflow.org", "PyTorchJob", "spec.pytorchReplicaSpecs.*.template"),
    *_rows("kubeflow.org", "TFJob", "spec.tfReplicaSpecs.*.template"),
    *_rows("kubeflow.org", "MPIJob", "spec.mpiReplicaSpecs.*.template"),
    *_rows("ray.io", "RayCluster", "spec.headGroupSpec.template", "spec.workerGroupSpecs.*.template"),
    *_rows("agones.dev", "GameServer", "spec.template"),
    *_rows("agones.dev", "Fleet GameServerSet", "spec.template.spec.template"),
)
_BY_NAME: Mapping[tuple[str, str], Kind] = {(kind.group, kind.name): kind for kind in KINDS}


def kind_of(api_version: object, name: str) -> Kind | None:
    """Return the row of an object, None when its kind is not known.

    Args:
        api_version: such as `apps/v1`; where an object has none, the kind's name alone decides.
        name: the object's `kind`.
    """
    if isinstance(api_version, str) and api_version:
        return _BY_NAME.get((api_version.rpartition("/")[0], name))
    return next((kind for kind in KINDS if kind.name == name), None)
