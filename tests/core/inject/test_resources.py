"""Requests and limits of the agents: what nobody asked for gives way, what contradicts itself is refused, by name."""

import msgspec
import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.inject.pod_level import limited
from webhook.core.pod import Spec
from webhook.settings.read import SettingsError

AGENTS = ("vault-agent", "vault-agent-init")
USUAL = {"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "250m", "memory": "64Mi"}}


def resources(annotations, settings=None, agent="vault-agent", **spec):
    result = ask(pod_with(annotations, **spec), settings=settings)
    assert result.allowed, result.message
    return result.container(agent)["resources"]


def cpu(amounts):
    return amounts.get("requests", {}).get("cpu"), amounts.get("limits", {}).get("cpu")


@pytest.mark.parametrize(
    ("annotations", "settings", "sidecar", "init"),
    [
        ({}, {}, ("250m", "500m"), ("250m", "500m")),
        ({"agent-limits-cpu": "100m"}, {}, ("100m", "100m"), ("100m", "100m")),
        ({"agent-limits-cpu": "0.1"}, {}, ("0.1", "0.1"), ("0.1", "0.1")),
        ({"agent-limits-cpu": "0"}, {}, ("0", "0"), ("0", "0")),
        ({"agent-requests-cpu": "1"}, {}, ("1", "1"), ("1", "1")),
        ({"agent-requests-cpu": "1", "agent-limits-cpu": ""}, {}, ("1", None), ("1", None)),
        ({"agent-requests-cpu": "", "agent-limits-cpu": "1m"}, {}, (None, "1m"), (None, "1m")),
        ({"agent-requests-cpu": "250m", "agent-limits-cpu": "0.25"}, {}, ("250m", "0.25"), ("250m", "0.25")),
        ({"agent-init-limits-cpu": "100m"}, {}, ("250m", "500m"), ("100m", "100m")),
        ({"agent-init-requests-cpu": "2"}, {}, ("250m", "500m"), ("2", "2")),
        ({"agent-init-limits-cpu": "100m", "agent-init-requests-cpu": "50m"}, {}, ("250m", "500m"), ("50m", "100m")),
        ({"agent-limits-cpu": "100m", "agent-init-limits-cpu": "2"}, {}, ("100m", "100m"), ("250m", "2")),
        ({}, {"CPU_LIMIT": "100m"}, ("100m", "100m"), ("100m", "100m")),
        ({}, {"CPU_REQUEST": "1"}, ("1", "1"), ("1", "1")),
        ({"agent-limits-cpu": "100m"}, {"CPU_REQUEST": "300m"}, ("100m", "100m"), ("100m", "100m")),
        ({"agent-requests-cpu": "2"}, {"CPU_LIMIT": "1"}, ("2", "2"), ("2", "2")),
        ({"agent-init-limits-cpu": "10m"}, {"CPU_REQUEST": "300m"}, ("300m", "500m"), ("10m", "10m")),
    ],
)
def test_what_nobody_asked_for_gives_way(annotations, settings, sidecar, init):
    given = {"AGENT_INJECT_" + variable: text for variable, text in settings.items()}
    assert cpu(resources(annotations, given)) == sidecar
    assert cpu(resources(annotations, given, agent="vault-agent-init")) == init


@pytest.mark.parametrize(("short", "name"), [("mem", "memory"), ("ephemeral", "ephemeral-storage")])
def test_memory_and_storage_do_as_cpu_does(short, name):
    found = resources({f"agent-limits-{short}": "32Mi"})
    assert found["limits"][name] == "32Mi"
    assert found["requests"].get(name) == ("32Mi" if name == "memory" else None)
    found = resources({f"agent-requests-{short}": "1Gi"})
    assert (found["requests"][name], found["limits"].get(name)) == ("1Gi", "1Gi" if name == "memory" else None)


@pytest.mark.parametrize(
    ("annotations", "keys"),
    [
        ({"agent-requests-cpu": "2", "agent-limits-cpu": "1"}, ("agent-requests-cpu", "agent-limits-cpu")),
        ({"agent-requests-mem": "1Gi", "agent-limits-mem": "1G"}, ("agent-requests-mem", "agent-limits-mem")),
        (
            {"agent-requests-ephemeral": "2Mi", "agent-limits-ephemeral": "1Mi"},
            ("agent-requests-ephemeral", "agent-limits-ephemeral"),
        ),
        (
            {"agent-init-requests-cpu": "2", "agent-init-limits-cpu": "1"},
            ("agent-init-requests-cpu", "agent-init-limits-cpu"),
        ),
        ({"agent-init-requests-cpu": "2", "agent-limits-cpu": "1"}, ("agent-init-requests-cpu", "agent-limits-cpu")),
        (
            {"agent-requests-cpu": "400m", "agent-init-limits-cpu": "1m"},
            ("agent-requests-cpu", "agent-init-limits-cpu"),
        ),
    ],
)
def test_a_request_above_the_limit_is_refused_naming_both(annotations, keys):
    result = ask(pod_with(annotations))
    assert (result.status.get("code"), result.reason) == (400, "AnnotationConflict")
    assert all(key in result.message for key in keys)
    assert PREFIX + keys[0] in result.message


@pytest.mark.parametrize(
    ("request_", "limit"),
    [("CPU_REQUEST", "CPU_LIMIT"), ("MEM_REQUEST", "MEM_LIMIT"), ("EPHEMERAL_REQUEST", "EPHEMERAL_LIMIT")],
)
def test_settings_that_contradict_each_other_stop_the_start(request_, limit):
    given = {f"AGENT_INJECT_{request_}": "2Gi", f"AGENT_INJECT_{limit}": "1Gi"}
    with pytest.raises(SettingsError) as error:
        ask(pod_with(), settings=given)
    assert request_ in str(error.value)
    assert limit in str(error.value)


class TestPodLevel:
    """A pod with `spec.resources` of its own."""

    def test_defaults_are_left_out_and_annotations_count(self):
        pod = {
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}
        }
        server = {"AGENT_INJECT_CPU_REQUEST": "10m"}
        for agent in AGENTS:
            assert resources({}, agent=agent, **pod) == {}
            assert resources({}, server, agent=agent, **pod) == {}
            found = resources({"agent-requests-cpu": "20m", "agent-limits-mem": "32Mi"}, agent=agent, **pod)
            assert found == {"requests": {"cpu": "20m"}, "limits": {"memory": "32Mi"}}

    @pytest.mark.parametrize("half", ["requests", "limits"])
    def test_a_resource_the_pod_does_not_name_keeps_its_default(self, half):
        found = resources({}, resources={half: {"cpu": "1m"}})
        assert found == {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}

    @pytest.mark.parametrize("pod", [None, {}, {"requests": None}, {"requests": {}, "limits": {}}])
    def test_none_is_as_if_there_were_none(self, pod):
        assert resources({}, resources=pod) == USUAL

    @pytest.mark.parametrize(
        ("pod", "annotations", "spec", "field"),
        [
            ({"requests": {"cpu": "100m"}}, {"agent-requests-cpu": "101m"}, {}, "requests.cpu"),
            (
                {"requests": {"cpu": "100m"}},
                {"agent-limits-cpu": "101m"},
                {},
                "requests.cpu",
            ),  # a limit is a request, too
            ({"requests": {"memory": 67_108_864}}, {"agent-requests-mem": "65Mi"}, {}, "requests.memory"),
            ({"limits": {"cpu": 1}}, {"agent-limits-cpu": "1001m"}, {}, "limits.cpu"),
            (
                {"requests": {"cpu": 0.1}},
                {"agent-requests-cpu": "60m"},
                {"containers": [{"name": "a", "resources": {"requests": {"cpu": "50m"}}}]},
                "requests.cpu",
            ),
            (
                {"requests": {"cpu": "100m"}},
                {"agent-requests-cpu": "60m", "agent-init-requests-cpu": "1m"},
                {"containers": [{"name": "a", "resources": {"limits": {"cpu": "50m"}}}]},
                "requests.cpu",
            ),
            (
                {"requests": {"cpu": "100m"}},
                {"agent-init-requests-cpu": "60m"},
                {
                    "initContainers": [
                        {"name": "a", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
                    ]
                },
                "requests.cpu",
            ),
        ],
    )
    def test_what_does_not_fit_is_refused_by_name(self, pod, annotations, spec, field):
        result = ask(pod_with(annotations, resources=pod, **spec))
        assert (result.status.get("code"), result.reason) == (422, "ResourcesMisfit")
        assert f"spec.resources.{field}" in result.message
        assert len(result.message) <= 300

    @pytest.mark.parametrize(
        ("pod", "annotations", "spec"),
        [
            ({"requests": {"cpu": "100m"}}, {"agent-requests-cpu": "100m"}, {}),
            (  # one after the other, not together
                {"requests": {"cpu": "100m"}},
                {"agent-requests-cpu": "50m", "agent-init-requests-cpu": "100m"},
                {"containers": [{"name": "a", "resources": {"requests": {"cpu": "50m"}}}]},
            ),
            (  # the limit of an init container may be above the pod's
                {"limits": {"cpu": "100m"}},
                {"agent-init-limits-cpu": "1", "agent-init-requests-cpu": "1m"},
                {},
            ),
            (  # an init agent that runs before the sidecar of the author's
                {"requests": {"cpu": "100m"}},
                {"agent-init-requests-cpu": "60m", "agent-init-first": "true"},
                {
                    "initContainers": [
                        {"name": "a", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
                    ]
                },
            ),
            (  # too much already without us: the API server says so
                {"requests": {"cpu": "10m"}},
                {},
                {"containers": [{"name": "a", "resources": {"requests": {"cpu": "50m"}}}]},
            ),
        ],
    )
    def test_what_fits_is_let_through(self, pod, annotations, spec):
        result = ask(pod_with(annotations, resources=pod, **spec))
        assert result.allowed, result.message

    def test_a_native_agent_runs_beside_all(self):
        pod = {
            "resources": {"requests": {"cpu": "100m"}},
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "50m"}}}],
        }
        native = {"AGENT_INJECT_SIDECAR_MODE": "native"}
        assert ask(pod_with({"agent-requests-cpu": "50m"}, **pod), settings=native).allowed
        assert ask(pod_with({"agent-requests-cpu": "51m"}, **pod), settings=native).reason == "ResourcesMisfit"

    def test_what_a_container_patch_asks_for_counts(self):
        patch = '[{"op":"add","path":"/resources/requests","value":{"cpu":"2"}}]'
        result = ask(pod_with({"agent-json-patch": patch}, resources={"requests": {"cpu": "1"}}))
        assert result.reason == "ResourcesMisfit"

    @pytest.mark.parametrize("bad", ["lots", "1" * 100, [], {}, 7])
    def test_what_is_no_amount_is_refused_as_the_pods_fault(self, bad):
        for spec in ({"resources": {"requests": {"cpu": bad}}}, {"resources": {"limits": bad}}, {"resources": bad}):
            if spec["resources"] in ({}, {"limits": {}}):
                continue
            result = ask(pod_with({"agent-requests-cpu": "1"}, **spec))
            assert result.allowed or result.reason in ("PodInvalid", "ResourcesMisfit")

    def test_what_authors_name_is_not_kept(self):
        raw = msgspec.Raw(b'{"requests":{"cpu":"1","example.com/a":"1"},"limits":{"hugepages-2Mi":"2Mi"}}')
        assert limited(Spec(resources=raw)) == {"cpu"}
