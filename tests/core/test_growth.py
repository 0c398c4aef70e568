"""What a pod's author can make larger costs no more than in proportion: counted in calls, not in seconds."""

import json

import pytest

from tests.core.asking import VAULT, pod_with, review
from tests.growth import calls
from webhook.admit import FAILED, Admission
from webhook.core.annotations.read import find
from webhook.settings.read import read

PRESETS = ("compat", "baseline", "strict")
ADMISSIONS = {
    preset: Admission(read({}, {**VAULT, "AGENT_INJECT_PRESET": preset, "AGENT_INJECT_MAX_SECRETS": "9999"}))
    for preset in PRESETS
}
NOISE = 400  # calls that have nothing to do with the size: caches that are filled, patterns compiled


def numbered(key, value="p"):
    return lambda n: pod_with({key.format(f"{i:04}"): value for i in range(n)})


def repeated(key, text, *, around="{}", **more):
    return lambda n: pod_with({key: around.format(text * n), **more})


def containers(n, **more):
    return [{"name": f"c{i}", "image": "i", **more} for i in range(n)]


def patch(operation):
    return lambda n: pod_with({"agent-json-patch": json.dumps([operation] * n)})


def mounts(n):
    return [{"name": "v", "mountPath": f"/m{i}"} for i in range(n)]


DECLARED, MOUNTED = "agent-inject-secret-", "secret-volume-path-"
SECRET = {"agent-inject-secret-a": "kv/a"}
GROWING = {
    "path": repeated("agent-inject-secret-a", "x/"),
    "path of dots": repeated("agent-inject-secret-a", "../"),
    "path of a certificate": repeated("agent-inject-secret-a", "pki/issue/"),
    "file": repeated("agent-inject-file-a", "x/", **SECRET),
    "mount path": repeated("secret-volume-path", "/x"),
    "mount path of a secret": repeated("secret-volume-path-a", "/x", **SECRET),
    "name": lambda n: pod_with({"agent-inject-secret-" + "n" * n: "p"}),
    "unknown name": lambda n: pod_with({"agent-inject-secert-" + "n" * n: "p"}),
    "template of calls": repeated("agent-inject-template-a", '{{ secret "kv/a" }}'),
    "template of functions": repeated("agent-inject-template-a", "{{ env }}"),
    "template of words": repeated("agent-inject-template-a", "a ", around="{{{{ {} }}}}"),
    "template of texts": repeated("agent-inject-template-a", '"" ', around="{{{{ {} }}}}"),
    "template not closed": repeated("agent-inject-template-a", "{{ "),
    "template of comments": repeated("agent-inject-template-a", "{{/* a */}}"),
    "template of quotes": repeated("agent-inject-template-a", '\\"', around='{{{{ "{}'),
    "secrets": numbered("agent-inject-secret-{}"),
    "templates": numbered("agent-inject-template-{}", "x"),
    "template files": numbered("agent-inject-template-file-{}", "/vault/custom/x"),
    "ambiguous names": lambda n: pod_with({"agent-inject-template-" + "file-" * i + "a": "x" for i in range(n)}),
    "mount paths": lambda n: pod_with(
        {key + str(i): value for i in range(n) for key, value in ((DECLARED, "p"), (MOUNTED, f"/vault/secrets/{i}"))}
    ),
    "orphans": numbered("agent-inject-perms-{}", "0440"),
    "unknown keys": numbered("unknown-{}"),
    "nearly known keys": numbered("agent-inject-secert-{}"),
    "telemetry": numbered("agent-telemetry-x{}"),
    "telemetry list": repeated("agent-telemetry-prefix-filter", "a,"),
    "telemetry members": repeated("agent-telemetry-x", "[],", around="[{}1]"),
    "auth config": numbered("auth-config-x-{}"),
    "containers asked for": lambda n: pod_with({"agent-inject-containers": ",".join(f"c{i}" for i in range(n))}),
    "containers": lambda n: pod_with(SECRET, containers=containers(n)),
    "containers and names of them": lambda n: pod_with(
        {**SECRET, "agent-inject-containers": ",".join(f"c{i}" for i in range(n))}, containers=containers(n)
    ),
    "mounts": lambda n: pod_with(SECRET, containers=containers(1, volumeMounts=mounts(n))),
    "copied mounts": lambda n: pod_with(
        {**SECRET, "agent-copy-volume-mounts": "c0"}, containers=containers(1, volumeMounts=mounts(n))
    ),
    "volumes": lambda n: pod_with(SECRET, volumes=[{"name": f"v{i}", "emptyDir": {}} for i in range(n)]),
    "volumes of our name": lambda n: pod_with(
        SECRET, volumes=[{"name": f"vault-agent-token-{i}"} for i in range(n)] + [{"name": "vault-agent-token"}]
    ),
    "patch operations": patch({"op": "add", "path": "/env/-", "value": {"name": "A", "value": "1"}}),
    "patch path": repeated("agent-json-patch", "/x", around='[{{"op":"test","path":"{}","value":1}}]'),
}


def calls_of(admission, pod):
    """Return how many functions are called to answer for this pod."""
    body, answers = json.dumps(review(pod)).encode(), []
    count = calls(lambda: answers.append(admission.answer(body, None, 0.0)))
    assert answers[0].decision != FAILED, answers[0].error
    return count


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("what", GROWING)
def test_twice_as_much_costs_at_most_twice_as_many_calls(what, preset):
    build, admission = GROWING[what], ADMISSIONS[preset]
    calls_of(admission, build(1))
    first, second, third = (calls_of(admission, build(n)) for n in (60, 120, 240))
    assert third - second <= 2.2 * max(second - first, 0) + NOISE, (first, second, third)


def test_whether_a_container_is_asked_for_does_not_depend_on_how_many_are():
    intent = read({}, VAULT).reader.read(
        find(
            {
                "vault.hashicorp.com/agent-inject": "true",
                "vault.hashicorp.com/role": "r",
                "vault.hashicorp.com/agent-inject-containers": "a,b",
            }
        )
    )
    assert isinstance(intent.containers, frozenset)
