"""A pod that comes a second time, or from elsewhere: recognised, completed, never doubled."""

from copy import deepcopy

import pytest

from tests.core.asking import PREFIX, ask, pod_with

STATUS = PREFIX + "agent-inject-status"
NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}
MODES = pytest.mark.parametrize("settings", [{}, NATIVE], ids=["classic", "native"])


def injected(settings, **annotations):
    return ask(pod_with({"agent-inject-secret-db": "p", **annotations}), settings=settings).pod


@MODES
def test_a_container_added_after_us_gets_the_mounts_it_lacks(settings):
    pod = injected(settings)
    pod["spec"]["containers"].insert(0, {"name": "late"})
    result = ask(pod, settings=settings)
    assert set(result.mounts("late")) == {"/vault/secrets"}
    assert len(result.operations) == 1


@MODES
def test_what_others_write_into_our_containers_does_not_matter(settings):
    pod = injected(settings)
    for container in [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]:
        container.setdefault("env", []).append({"name": "MESH", "value": "1"})
        container.setdefault("volumeMounts", []).append({"name": "mesh", "mountPath": "/mesh"})
        container["terminationMessagePolicy"] = "File"
    assert ask(pod, settings=settings).operations == []


@MODES
def test_a_lost_mark_is_written_again(settings):
    pod = injected(settings)
    del pod["metadata"]["annotations"][STATUS]
    assert [operation["value"] for operation in ask(pod, settings=settings).operations] == ["injected"]


def test_a_forged_mark_gets_no_agent_and_a_warning():
    result = ask(pod_with({"agent-inject-status": "injected"}))
    assert (result.allowed, result.operations) == (True, [])
    assert any(STATUS in text for text in result.warnings)


@pytest.mark.parametrize("value", ["", "true", "Injected"])
def test_any_other_mark_stops_nothing(value):
    result = ask(pod_with({"agent-inject-status": value}))
    assert result.pod["metadata"]["annotations"][STATUS] == "injected"
    assert result.container("vault-agent")


@pytest.mark.parametrize(("member", "name"), [("containers", "vault-agent"), ("initContainers", "vault-agent-init")])
@pytest.mark.parametrize("marked", [True, False])
def test_half_an_injection_is_refused(member, name, marked):
    pod = injected({})
    pod["spec"][member] = [container for container in pod["spec"][member] if container["name"] != name]
    if not marked:
        del pod["metadata"]["annotations"][STATUS]
    result = ask(pod)
    assert (result.status.get("code"), result.reason) == (422, "AgentIncomplete")


def test_a_pod_injected_in_classic_mode_is_whole_in_native_mode_and_the_reverse():
    assert ask(injected({}), settings=NATIVE).operations == []
    assert ask(injected(NATIVE), settings={}).operations == []


def test_the_references_pods_are_left_alone():
    pod = deepcopy(injected({}))
    spec = pod["spec"]
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] != "vault-agent-token"]
    for container in [*spec["containers"], *spec["initContainers"]]:
        container["volumeMounts"] = [m for m in container.get("volumeMounts", []) if m["name"] != "vault-agent-token"]
    spec["containers"].append({"name": "late"})
    result = ask(pod)
    assert (result.allowed, result.operations, result.warnings) == (True, [], [])


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}},
        {"spec": {"os": {"name": "windows"}}},
        {"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}},
        {"spec": {"runtimeClassName": "windows-2022"}},
    ],
)
def test_mirror_and_windows_pods_are_left_alone_with_a_warning(change):
    pod = pod_with()
    pod["metadata"]["annotations"].update(change.get("metadata", {}).get("annotations", {}))
    pod["spec"].update(change.get("spec", {}))
    result = ask(pod)
    assert (result.allowed, result.operations) == (True, [])
    assert len(result.warnings) == 1


def test_the_phase_an_exported_pod_carries_does_not_matter():
    pod = {**pod_with(), "status": {"phase": "Running"}}
    assert ask(pod).container("vault-agent")
