"""Twice as much of anything an author may write costs at most about twice the work, and makes at most about twice the patch.

Work is counted in lines of our code that run: what a request costs on any machine.
"""

import json

import pytest

from tests.core.asking import VAULT, pod_with, review
from tests.growth import lines
from webhook.admit import Admission
from webhook.settings.read import read

MODES = [Admission(read({}, {**VAULT, "AGENT_INJECT_SIDECAR_MODE": mode})) for mode in ("classic", "native")]
N = 40  # and twice as many; enough for a square to show
APP = {"name": "app"}
AGENT = {
    "env": [{"name": "VAULT_CONFIG", "value": "e30="}],
    "volumeMounts": [{"name": "home-sidecar", "mountPath": "/home/vault"}],
}
AWS = {"auth-type": "aws", "auth-path": "auth/aws"}
COPY = {"agent-copy-volume-mounts": "app"}
TOKEN_FILE = {"auth-config-token-path": "/p0/token", **COPY}


SQUARE = """
def square(spec, *_):
    for one in spec.volumes or ():
        for other in spec.volumes:
            pass
"""


def secrets(n, **more):
    made = {f"agent-inject-secret-s{i}": "secret/data/x" for i in range(n)}
    return made | {f"{stem}{i}": text.format(i) for stem, text in more.items() for i in range(n)}


def mounts(n, name="v{}", path="/p{}"):
    return [{"name": name.format(i), "mountPath": path.format(i)} for i in range(n)]


def volumes(n):
    token = {"serviceAccountToken": {"path": "token", "audience": "a"}}
    return [{"name": f"v{i}", "projected": {"sources": [token] * 2}} for i in range(n)]


def containers(n, **members):
    return [{"name": f"c{i}", **members} for i in range(n)]


SHAPES = {
    "secrets": lambda n: pod_with(secrets(n)),
    "secrets at paths of their own": lambda n: pod_with(secrets(n, **{"secret-volume-path-s": "/custom/{}"})),
    "secrets with commands": lambda n: pod_with(secrets(n, **{"agent-inject-command-s": "kill -HUP {}"})),
    "a long path of a secret's file": lambda n: pod_with(
        {"agent-inject-secret-a": "x", "agent-inject-file-a": "x/" * n + "y"}
    ),
    "a long template": lambda n: pod_with({"agent-inject-template-a": "{{ $x }}" * n}),
    "long delimiters": lambda n: pod_with({"agent-inject-secret-a": "x", "agent-template-left-delim-a": "<" * n}),
    "a long secret-volume-path": lambda n: pod_with({"secret-volume-path": "/x" * n}),
    "texts with dollars": lambda n: pod_with({"agent-revoke-on-shutdown": "true", "namespace": "$(A)$$(" * n}),
    "containers": lambda n: pod_with(containers=containers(n)),
    "containers and a list of them": lambda n: pod_with(
        {"agent-inject-containers": ",".join(f"c{i}" for i in range(n))}, containers=containers(n)
    ),
    "a list of absent containers": lambda n: pod_with({"agent-inject-containers": ",".join(f"x{i}" for i in range(n))}),
    "agents that are there already": lambda n: pod_with(containers=[AGENT | {"name": f"c{i}"} for i in range(n)]),
    "init containers": lambda n: pod_with(initContainers=containers(n, restartPolicy="Always")),
    "volumes": lambda n: pod_with(volumes=volumes(n)),
    "taken names of the token volume": lambda n: pod_with(
        volumes=[{"name": f"vault-agent-token{f'-{i}' if i else ''}", "emptyDir": {}} for i in range(n)]
    ),
    "mounts": lambda n: pod_with(containers=[APP | {"volumeMounts": mounts(n)}]),
    "copied mounts": lambda n: pod_with(COPY, containers=[APP | {"volumeMounts": mounts(n)}]),
    "copied mounts that are left out": lambda n: pod_with(
        COPY, containers=[APP | {"volumeMounts": mounts(n, path="/etc/ssl/{}")}]
    ),
    "copied mounts of long paths": lambda n: pod_with(
        COPY, containers=[APP | {"volumeMounts": mounts(1, path="/x" * n)}]
    ),
    "copied mounts and as many secrets": lambda n: pod_with(
        COPY | secrets(n, **{"secret-volume-path-s": "/custom/{}"}), containers=[APP | {"volumeMounts": mounts(n)}]
    ),
    "copied mounts and a token's file": lambda n: pod_with(
        TOKEN_FILE, containers=[APP | {"volumeMounts": mounts(n)}], volumes=volumes(n)
    ),
    "a long token path": lambda n: pod_with(
        TOKEN_FILE | {"auth-config-token-path": "/p0" + "/x" * n}, containers=[APP | {"volumeMounts": mounts(n)}]
    ),
    "variables of AWS": lambda n: pod_with(
        AWS, containers=[APP | {"env": [{"name": "AWS_REGION", "value": "x"}, {"name": f"V{i}"}]} for i in range(n)]
    ),
    "resources of the pod": lambda n: pod_with(
        resources={"requests": {"cpu": "9"} | {f"x{i}": "1" for i in range(n)}},
        containers=containers(n, resources={"requests": {"cpu": "1m"}}),
        initContainers=containers(n, restartPolicy="Always", resources={"limits": {"cpu": "1m"}}),
    ),
    "operations of a container patch": lambda n: pod_with(
        {"agent-json-patch": json.dumps([{"op": "copy", "from": "/env/0", "path": "/env/-"}] * n)}
    ),
    "a value of a container patch": lambda n: pod_with(
        {"agent-json-patch": json.dumps([{"op": "add", "path": "/x", "value": [[0]] * n}])}
    ),
    "a container that is patched again and again": lambda n: pod_with(
        {
            "agent-json-patch": json.dumps(
                [{"op": "add", "path": "/x", "value": [0] * n}, *[{"op": "move", "from": "/x", "path": "/x"}] * n]
            )
        }
    ),
    "annotations of others": lambda n: pod_with(
        {f"agent-telemetry-x{i}": "1" for i in range(n)} | {f"auth-config-x{i}": "1" for i in range(n)}
    ),
}


def cost(admission, pod):
    """Lines of our code that one answer runs, and the bytes of the answer."""
    body, answers = json.dumps(review(pod)).encode(), []
    run = lines(lambda: answers.append(admission.answer(body, None, 0.0)), "/webhook/")
    assert answers[0].error is None, answers[0].error
    return run, len(answers[0].body)


@pytest.mark.parametrize("admission", MODES, ids=["classic", "native"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_twice_as_much_costs_twice_as_much(shape, admission):
    for pod in (shape(0), shape(1)):
        cost(admission, pod)  # what is made once and kept
    base, once, twice = (cost(admission, shape(n)) for n in (1, N, 2 * N))
    for part in (0, 1):
        slack = 200  # a constant share: lines of warnings, bytes of an ellipsis
        assert twice[part] - base[part] <= 2.2 * max(once[part] - base[part], 0) + slack


def test_a_square_would_be_seen(monkeypatch):
    found = {}
    exec(compile(SQUARE, "/webhook/x.py", "exec"), found)
    monkeypatch.setattr("webhook.core.inject.plan._refuse_taken_names", found["square"])
    with pytest.raises(AssertionError):
        test_twice_as_much_costs_twice_as_much(SHAPES["volumes"], MODES[0])
