"""What only a real API server does: Pod Security, dry-run, reinvocation of an injected pod, a webhook that is gone."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, FOREVER, INIT_AGENT, RESTRICTED, Object, names, pod

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("kind", MODES)
def test_pod_security_restricted_accepts_an_injected_pod(injectors: Injectors, kind: Kind) -> None:
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = injectors.space(f"e2e-restricted-{kind}", kind, enforce)
    space.create(pod("strict", ASKING, PRINT, app={"securityContext": RESTRICTED}))
    refused = space.create(pod("loose", ASKING), check=False)
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr
    assert 'container "app" must set' in refused.stderr
    assert AGENT not in refused.stderr
    space.ready("strict")
    assert space.says("strict", PASSWORD) == PRINTED


@pytest.mark.parametrize("kind", MODES)
def test_an_injected_pod_created_again_is_left_as_it_is_and_runs(injectors: Injectors, kind: Kind) -> None:
    space = injectors.space(f"e2e-again-{kind}", kind)
    space.create(pod("first", ASKING, PRINT))
    first = space.get("pod", "first")
    assert first["metadata"]["annotations"]["vault.hashicorp.com/agent-inject-status"] == "injected"
    space.create(_again(first, "second"))
    second = space.get("pod", "second")
    assert _shape(second) == _shape(first)
    space.ready("second")
    assert space.says("second", PASSWORD) == PRINTED


def test_a_server_side_dry_run_shows_the_injected_pod_and_makes_none(injectors: Injectors) -> None:
    space = injectors.space("e2e-dry-run", Kind.CLASSIC)
    answer = space.create(pod("dry", ASKING), arguments=("--dry-run=server", "--output=json"))
    spec = json.loads(answer.stdout)["spec"]
    assert (names(spec["initContainers"]), names(spec["containers"])) == ([INIT_AGENT], ["app", AGENT])
    assert space.items("pods") == []


def test_without_the_webhook_pods_that_ask_for_an_agent_are_refused_and_no_others(injectors: Injectors) -> None:
    space = injectors.space("e2e-outage", Kind.DISPOSABLE)
    injectors.webhook(Kind.DISPOSABLE).part.stop()
    refused = space.create(pod("asks", ASKING), check=False)
    assert refused.returncode == 1
    assert 'failed calling webhook "pods.webhook-disposable.vault-webhook.test.example.com"' in refused.stderr
    plain = pod("plain", {})
    plain["metadata"]["annotations"] = {"example.com/agent-inject": "true"}
    space.create(plain)
    assert names(space.get("pod", "plain")["spec"]["containers"]) == ["app"]
    assert names(pod["metadata"] for pod in space.items("pods")) == ["plain"]


def test_a_static_pod_with_our_annotations_runs_as_it_is(cluster: Cluster, injectors: Injectors) -> None:
    space = injectors.space("e2e-static", Kind.CLASSIC)
    static = pod("static", ASKING, f"echo runs; {FOREVER}")
    static["metadata"]["namespace"] = space.name
    manifest = cluster.static_pods / "static.json"
    manifest.write_text(json.dumps(static))
    try:
        (mirror,) = space.eventually(lambda: space.items("pods"), bool)
        name = mirror["metadata"]["name"]
        assert "kubernetes.io/config.mirror" in mirror["metadata"]["annotations"]
        assert names(mirror["spec"]["containers"]) == ["app"]
        space.ready(name)
        assert space.says(name, "runs") == "runs\n"
    finally:
        manifest.unlink()


def _again(pod: Mapping[str, Any], name: str) -> Object:
    """Return the pod as its YAML, saved, would be applied under another name."""
    metadata = {"name": name, "annotations": pod["metadata"]["annotations"]}
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _shape(pod: Mapping[str, Any]) -> Any:
    spec = pod["spec"]
    return [spec["volumes"], spec["initContainers"], spec["containers"], pod["metadata"]["annotations"]]
