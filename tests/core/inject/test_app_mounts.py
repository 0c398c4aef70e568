"""The mounts of secrets in the pod's own containers are bounded: secrets times containers never makes more than a pod may be."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.inject.app_mounts import BYTES_MAX


def secrets(n, length=10):
    paths = {f"secret-volume-path-s{i}": f"/s{i}{'x' * length}" for i in range(n)}
    return {f"agent-inject-secret-s{i}": "p" for i in range(n)} | paths


def containers(n, **members):
    return [{"name": f"c{i}", **members} for i in range(n)]


@pytest.mark.parametrize("member", ["containers", "initContainers"])
@pytest.mark.parametrize(
    ("annotations", "count"),
    [
        (secrets(100), 1_000),
        (secrets(400), 60),
        ({"secret-volume-path": "/" + "x" * 20_000, "agent-inject-secret-a": "p"}, 100),
        (secrets(10, length=5_000), 30),
    ],
    ids=["many containers", "many secrets", "one long path", "long paths"],
)
def test_secrets_times_containers_is_refused_before_it_is_made(annotations, count, member):
    for mounts in ([], [{"name": "data", "mountPath": "/data"}]):
        result = ask(pod_with(annotations, **{member: containers(count, volumeMounts=mounts)}))
        assert (result.status["code"], result.reason) == (400, "AnnotationInvalid")
        assert PREFIX + "secret-volume-path" in result.message
        assert len(result.message) <= 300


@pytest.mark.parametrize(("n", "count"), [(1, 500), (64, 64), (300, 1)])
def test_what_a_pod_can_be_is_not_refused(n, count):
    result = ask(pod_with(secrets(n), containers=containers(count)))
    assert result.allowed, result.message
    assert len(result.answer.body) < 2 * BYTES_MAX


def test_containers_left_out_do_not_count():
    annotations = secrets(100) | {"agent-inject-containers": "c1", "agent-pre-populate": "false"}
    result = ask(pod_with(annotations, containers=containers(1_000), initContainers=containers(1_000)))
    assert result.allowed, result.message
