"""With the role check off: the refused examples are admitted and hang, and in native mode an event says why."""

from collections.abc import Iterator, Mapping

import pytest

from tests.cluster import examples
from tests.cluster.cluster import Cluster
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import AGENT, INIT_AGENT, Space

pytestmark = pytest.mark.cluster
ERRORS = {  # the last line of OpenBao's answer, as the agent logs it
    "refused-namespace": "* namespace not authorized",
    "refused-service-account": "* service account name not authorized",
    "refused-unknown-role": '* invalid role name "shopp"',
}


@pytest.fixture(scope="module", params=[Kind.UNCHECKED, Kind.UNCHECKED_NATIVE])
def kind(
    request: pytest.FixtureRequest, cluster: Cluster, example_spaces: Mapping[str, Space], injectors: Injectors
) -> Iterator[Kind]:
    wanted: Kind = request.param
    injectors.take_all(example_spaces.values(), wanted)
    files = examples.files_of(examples.REFUSED)
    cluster.kubectl("apply", *files)
    yield wanted
    cluster.kubectl("delete", *files, "--grace-period=1")


@pytest.mark.parametrize("example", examples.REFUSED)
def test_the_pod_hangs_and_the_agent_says_why(example_spaces: Mapping[str, Space], kind: Kind, example: str) -> None:
    space = example_spaces[examples.read(examples.path_of(example))["metadata"]["namespace"]]
    agent = INIT_AGENT if kind is Kind.UNCHECKED else AGENT
    space.says(example, ERRORS[example], agent)
    assert space.kubectl("get", "pod", example, "--no-headers").stdout.split()[2] == "Init:0/1"
    assert _state(space, example, "app")["waiting"]["reason"] == "PodInitializing"


@pytest.mark.parametrize("example", examples.REFUSED)
def test_in_native_mode_an_event_names_the_file_and_the_error(
    example_spaces: Mapping[str, Space], kind: Kind, example: str
) -> None:
    space = example_spaces[examples.read(examples.path_of(example))["metadata"]["namespace"]]
    if kind is Kind.UNCHECKED:  # a plain init container has no probe, so its log alone tells
        assert space.events(example, "Unhealthy") == []
        return
    begin, end = "Startup probe failed: not rendered yet: /vault/secrets/db | ", ERRORS[example]
    said = space.eventually(lambda: space.events(example, "Unhealthy"), lambda said: ERRORS[example] in "".join(said))
    assert any(event.startswith(begin) and event.rstrip("\n").endswith(end) for event in said), said


def _state(space: Space, pod: str, container: str) -> Mapping[str, Mapping[str, str]]:
    status = space.get("pod", pod)["status"]
    known = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    return next((entry["state"] for entry in known if entry["name"] == container), {})
