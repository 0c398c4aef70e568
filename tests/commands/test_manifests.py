"""Which pods of a manifest are read, and what is said of everything else."""

import pytest

from webhook.commands.kinds import KINDS
from webhook.commands.manifests import TEXT_BYTES_MAX, ManifestError, Unchecked, Workload, files_of, found, load, read
from webhook.core.annotations.family import FAMILIES

PREFIXES = [family.prefix for family in FAMILIES]
ROLE = "vault.hashicorp.com/role"
SPEC = {"containers": [{"name": "app", "image": "app:1"}]}
TEMPLATE = {"metadata": {"annotations": {ROLE: "shop"}}, "spec": SPEC}


def see(*documents, paths=()):
    return list(found("f", documents, namespace="ns", template_paths=paths))


def put(path, value):
    """Return an object that holds a value at a path, a list where it says `*`."""
    for step in reversed(path):
        value = [value] if step == "*" else {step: value}
    return value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.group}.{kind.name}")
def test_every_known_kind_is_read_at_all_its_places(kind):
    for path in kind.templates:
        document = put(path, TEMPLATE) if path else dict(TEMPLATE)
        document |= {"apiVersion": f"{kind.group}/v1" if kind.group else "v1", "kind": kind.name}
        (one,) = see(document)
        assert isinstance(one, Workload)
        assert (one.kind, one.template["spec"], one.warnings) == (kind.name, SPEC, ())


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("batch.volcano.sh/v1 Job", {"tasks": [{"template": TEMPLATE}, {"template": TEMPLATE}]}),
        (
            "kubeflow.org/v1 PyTorchJob",
            {"pytorchReplicaSpecs": {"Master": {"template": TEMPLATE}, "Worker": {"template": TEMPLATE}}},
        ),
        (
            "leaderworkerset.x-k8s.io/v1 LeaderWorkerSet",
            {"leaderWorkerTemplate": {"leaderTemplate": TEMPLATE, "workerTemplate": TEMPLATE}},
        ),
    ],
)
def test_several_templates_of_one_object_are_several_workloads(kind, spec):
    version, name = kind.split()
    assert [type(one) for one in see({"apiVersion": version, "kind": name, "spec": spec})] == [Workload, Workload]


@pytest.mark.parametrize(
    ("kind", "body", "mention"),
    [
        ("argoproj.io/v1 Workflow", {"spec": {"templates": [{"container": {"image": "a"}}]}}, "spec.templates.*"),
        (
            "argoproj.io/v1 Workflow",
            {"spec": {"templates": [{"script": {"image": "a", "source": "x"}}]}},
            "spec.templates.*",
        ),
        (
            "sparkoperator.k8s.io/v1 SparkApplication",
            {"spec": {"driver": {"annotations": {ROLE: "r"}}}},
            f"{ROLE} at spec.driver.annotations",
        ),
        ("tekton.dev/v1 TaskRun", {"spec": {"taskSpec": {"steps": [{"image": "a"}]}}}, "spec.taskSpec"),
        ("tekton.dev/v1 TaskRun", {"metadata": {"annotations": {ROLE: "r"}}}, f"{ROLE} at metadata.annotations"),
        ("example.org/v1 Gizmo", {"spec": {"template": TEMPLATE}}, "to check it, add --template-path spec.template"),
        (
            "example.org/v1 Deployment",
            {"spec": {"template": TEMPLATE}},
            "to check it, add --template-path spec.template",
        ),
        ("example.org/v1 Gizmo", {"pods": [{"template": TEMPLATE}]}, "add --template-path pods.*.template"),
        ("example.org/v1 Gizmo", {"spec": SPEC}, "a pod's containers at spec; which pods"),
        ("v1 ServiceAccount", {"metadata": {"annotations": {ROLE: "r"}}}, "metadata.annotations"),
        ("v1 ConfigMap", {"data": {"pod.yaml": "annotations:\n  openbao.org/agent-inject: 'true'\n"}}, "data.pod.yaml"),
        (
            "helm.toolkit.fluxcd.io/v2 HelmRelease",
            {"spec": {"values": {"podAnnotations": {ROLE: "r"}}}},
            "spec.values.podAnnotations",
        ),
        *(
            ("example.org/v1 Gizmo", {"a": [{"b": {prefix + "role": "r"}}]}, f"{prefix}role at a.*.b")
            for prefix in PREFIXES
        ),
    ],
)
def test_what_holds_a_pod_or_annotations_and_is_not_read_is_said(kind, body, mention):
    version, name = kind.split()
    (one,) = see({"apiVersion": version, "kind": name, **body})
    assert isinstance(one, Unchecked)
    assert (one.kind, one.namespace) == (name, "ns")
    assert mention in one.why


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "v1", "kind": "Service", "spec": {"ports": []}},
        {"kind": "Service", "spec": {"ports": []}},
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"image": "a", "note": "vault.hashicorp.com/agent-inject"}},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": {"workloadRef": {"name": "d"}}},
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "webhooks": [{"matchConditions": [{"expression": "'vault.hashicorp.com/agent-inject'\nin object"}]}],
        },
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "spec": {"properties": {"containers": {"items": {"image": {"type": "string"}}}}},
        },
    ],
    ids=lambda document: document["kind"],
)
def test_a_file_without_pods_says_so(document):
    (one,) = see(document)
    assert (one.kind, one.why) == ("", "holds no pod, so nothing was checked")
    assert [type(one) for one in see(document, {"kind": "Pod", **TEMPLATE})] == [Workload]


def test_names_and_places_are_one_line_whatever_their_author_wrote():
    odd = {
        "kind": "Giz\nmo",
        "metadata": {"name": "a\nb" * 200, "namespace": "x\ty"},
        "s\np" * 300: {"pod": {"spec": SPEC}},
    }
    (one,) = see(odd)
    assert all(text.isprintable() and len(text) <= 520 for text in (one.title, one.why))
    assert (one.kind, one.namespace, len(one.name)) == ("Giz mo", "x y", 253)


def test_an_empty_file_says_so():
    assert [one.why for one in see()] == ["holds no pod, so nothing was checked"]
    assert [one.why for one in see({"kind": "List", "items": None})] == ["holds no pod, so nothing was checked"]


@pytest.mark.parametrize(
    ("document", "at", "to"),
    [
        (
            {"kind": "Deployment", "spec": {"template": {"spec": SPEC}}},
            "metadata.annotations",
            "spec.template.metadata.annotations",
        ),
        (
            {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": SPEC}}}}},
            "metadata.annotations",
            "spec.jobTemplate.spec.template.metadata.annotations",
        ),
        (
            {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {"template": {"spec": SPEC}}},
            "metadata.annotations",
            "spec.template.metadata.annotations",
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_annotations_of_the_workload_itself_are_warned_of_with_the_place_they_belong(document, at, to, prefix):
    misplaced = {prefix + "agent-inject": "true", prefix + "role": "shop", "other": "x"}
    (one,) = see({**document, "metadata": {"annotations": misplaced}})
    assert one.warnings == (
        f"{prefix}agent-inject and 1 more at {at} of the {document['kind']} never reach its pods: move them to {to}",
    )


def test_annotations_anywhere_else_in_a_workload_are_warned_of_too():
    job = {"metadata": {"annotations": {ROLE: "r"}}, "spec": {"template": {"spec": SPEC}}}
    (one,) = see({"kind": "CronJob", "spec": {"jobTemplate": job}})
    assert f"{ROLE} at spec.jobTemplate.metadata.annotations of the CronJob" in one.warnings[0]


def test_annotations_that_the_template_has_as_well_are_fine():
    document = {"kind": "Deployment", "metadata": {"annotations": {ROLE: "x"}}, "spec": {"template": TEMPLATE}}
    assert see(document)[0].warnings == ()


def test_paths_given_are_read_in_kinds_we_do_not_know_and_the_rest_is_still_said():
    gizmo = {"apiVersion": "example.org/v1", "kind": "Gizmo", "a": {"t": TEMPLATE}, "b": [{"t": TEMPLATE}]}
    assert [type(one) for one in see(gizmo, paths=["a.t", "b.*.t"])] == [Workload, Workload]
    one, other = see(gizmo, paths=["a.t"])
    assert (type(one), type(other)) == (Workload, Unchecked)
    assert "--template-path b.*.t" in other.why
    assert [type(one) for one in see({"kind": "Pod", **TEMPLATE}, paths=["a.t"])] == [Workload]


def test_items_of_a_typed_list_may_leave_their_kind_out():
    assert [one.title for one in see({"kind": "PodList", "items": [{**TEMPLATE, "metadata": {"name": "p"}}]})] == [
        "Pod ns/p"
    ]


@pytest.mark.parametrize(
    "document",
    [
        5,
        {"kind": 5},
        {"metadata": {}},
        {"kind": "List", "items": 5},
        {"kind": "List", "items": {"a": 1}},
        {"kind": "List", "items": [5]},
        {"kind": "Pod", "metadata": 5, "spec": {}},
        {"kind": "Deployment", "spec": {}},
        {"kind": "CronJob", "spec": {"jobTemplate": []}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": 5}},
    ],
    ids=str,
)
def test_what_is_no_object_is_refused(document):
    with pytest.raises(ManifestError, match=r"^f: "):
        see(document)


def test_lists_deep_inside_lists_are_refused_as_text_and_flat_ones_read():
    text = b'{"kind": "List", "items": [' * 200 + b"]}" * 200
    with pytest.raises(ManifestError, match="nested deeper"):
        load("f", text)


def test_files_that_cannot_be_read(tmp_path):
    for source in (str(tmp_path), str(tmp_path / "nowhere"), "a\0b"):
        with pytest.raises(ManifestError, match="cannot be read"):
            read(source)


def test_a_folder_stands_for_its_manifests(tmp_path):
    with pytest.raises(ManifestError, match="a folder without manifests"):
        files_of(str(tmp_path))
    for name in ("b.yaml", "a.json", "c.yml", "README.md", "deep"):
        (tmp_path / name).mkdir() if name == "deep" else (tmp_path / name).touch()
    assert files_of(str(tmp_path)) == [str(tmp_path / name) for name in ("a.json", "b.yaml", "c.yml")]
    for one in ("-", str(tmp_path / "b.yaml"), "no\0name", "nowhere"):
        assert files_of(one) == [one]


def test_a_file_without_end_is_not_read_to_its_end():
    with pytest.raises(ManifestError, match=f"larger than {TEXT_BYTES_MAX >> 20} MiB"):
        read("/dev/zero")
