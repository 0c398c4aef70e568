"""Resources of the pod as a whole: the API server and we agree on which sums fit, and injected pods are never refused by it.

Such pods are not run: the kubelet of a node without cgroups of its own for pods, as ours is, ends with a fault on the first one.
"""

import json
import random
from typing import Any

import msgspec
import pytest

from tests.e2e.holdings import ASKING
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import Object, Space, pod
from webhook.core.annotations.family import VAULT
from webhook.core.annotations.intent import Intent
from webhook.core.inject.pod_level import refuse_misfit
from webhook.core.pod import Spec
from webhook.core.refusal import Refused
from webhook.settings.read import read

pytestmark = pytest.mark.cluster
DRY = ("--dry-run=server",)
SMALL: Any = {"resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "450m", "memory": "127Mi"}}}
APP: Any = {"resources": {"requests": {"cpu": "10m", "memory": "8Mi"}}}
ROUNDS = 60


@pytest.fixture(scope="module", params=MODES)
def space(request: pytest.FixtureRequest, injectors: Injectors) -> Space:
    kind: Kind = request.param
    return injectors.space(f"e2e-resources-{kind}", kind)


@pytest.mark.parametrize(
    ("annotations", "refused"),
    [
        ({}, False),
        ({"agent-requests-cpu": "10m", "agent-requests-mem": "24Mi"}, False),
        ({"agent-requests-cpu": "11m"}, True),
        ({"agent-limits-mem": "25Mi"}, True),
        ({"agent-limits-mem": "128Mi", "agent-requests-mem": "1Mi", "agent-init-limits-mem": "64Mi"}, None),
    ],
)
def test_what_does_not_fit_is_refused_in_our_words(
    space: Space, annotations: dict[str, str], refused: bool | None
) -> None:
    answer = space.create(pod("dry", ASKING | annotations, app=APP, **SMALL), check=False, arguments=DRY)
    assert "must be" not in answer.stderr
    if refused is not None:
        assert ("(ResourcesMisfit)" in answer.stderr) is refused, answer.stderr


@pytest.mark.parametrize("half", ["requests", "limits"])
def test_one_amount_alone_is_taken(space: Space, half: str) -> None:
    one = {f"agent-{half}-cpu": "100m" if half == "limits" else "900m"}
    assert space.create(pod("one", ASKING | one), check=False, arguments=DRY).stderr == ""


def test_we_reckon_as_the_api_server_does(injectors: Injectors) -> None:
    """Pods without annotations: the last container and an init container stand for agents."""
    space = injectors.space("e2e-reckoning", Kind.UNCHECKED)
    chance = random.Random(7)
    made = [_random_pod(chance, f"p{n}") for n in range(ROUNDS)]
    answer = space.create(*made, check=False, arguments=(*DRY, "--output=name"))
    accepted = {line.removeprefix("pod/") for line in answer.stdout.split()}
    ours = {found["metadata"]["name"] for found in made if _fits(found["spec"])}
    assert ours == accepted, answer.stderr
    assert 10 < len(accepted) < ROUNDS - 10


def _random_pod(chance: random.Random, name: str) -> Object:
    def some(most: int) -> dict[str, str]:
        return {"cpu": f"{chance.randint(1, most)}0m"}

    def container(own: str, **members: Any) -> Object:
        limits = {"limits": {"cpu": f"{chance.choice((5, 8, 12))}0m"}} if chance.random() < 0.4 else {}
        requests = {"requests": some(4)} if chance.random() < 0.7 else {}
        return {"name": own, "image": "none", "resources": requests | limits, **members}

    inits = [container("agent-init"), container("own-init")]
    for init in inits:
        if chance.random() < 0.5:
            init["restartPolicy"] = "Always"
    whole = {"requests": some(20), "limits": {"cpu": f"{chance.choice((10, 20))}0m"}}
    if chance.random() < 0.3:
        whole["limits"] = {"cpu": "1"}
    whole["requests"]["cpu"] = min(whole["requests"]["cpu"], whole["limits"]["cpu"], key=_millis)
    spec = {"initContainers": inits, "containers": [container("app"), container("agent")], "resources": whole}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _millis(cpu: str) -> int:
    return int(cpu.removesuffix("m")) if cpu.endswith("m") else 1_000 * int(cpu)


def _fits(spec: Object) -> bool:
    """Ask our check: the first init container and the last container are agents, the others the author's."""
    agents = [json.dumps(spec["initContainers"][0]).encode()], [json.dumps(spec["containers"][-1]).encode()]
    own = {**spec, "initContainers": spec["initContainers"][1:], "containers": spec["containers"][:-1]}
    intent: Intent = read({}, {"AGENT_INJECT_VAULT_ADDR": "x"}).reader.usual(VAULT)
    limits = spec["resources"]["limits"]["cpu"]
    try:
        refuse_misfit(msgspec.json.decode(json.dumps(own), type=Spec), intent, *agents, first=True)
    except Refused:
        return False
    app_limit = spec["containers"][0]["resources"].get("limits", {}).get("cpu", "0m")
    return _millis(app_limit) <= _millis(limits)  # the author's own, which is for the API server to judge
