"""What holds for any pod and any annotations, found by hypothesis."""

import base64
import json
from copy import deepcopy

import jsonpatch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.invariants import violations
from tests.core.asking import PREFIX, VAULT, review
from webhook.admit import Admission
from webhook.answer import FAILED
from webhook.core.annotations.table import TABLE
from webhook.settings.read import read

MODES = {mode: Admission(read({}, {**VAULT, "AGENT_INJECT_SIDECAR_MODE": mode})) for mode in ("classic", "native")}

names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
mounts = st.lists(st.builds(lambda n, p: {"name": n, "mountPath": p}, names, paths), max_size=3)
container = st.fixed_dictionaries(
    {"name": names, "image": names},
    optional={
        "volumeMounts": st.one_of(st.none(), mounts),
        "env": st.lists(st.fixed_dictionaries({"name": names, "value": names}), max_size=2),
        "securityContext": st.fixed_dictionaries({"runAsUser": st.integers(0, 2**31 - 1)}),
        "restartPolicy": st.just("Always"),
        "futureField": st.integers(),
    },
)
containers = st.lists(container, max_size=3, unique_by=lambda c: c["name"])
spec = st.fixed_dictionaries(
    {"containers": containers},
    optional={
        "initContainers": st.one_of(st.none(), containers),
        "volumes": st.one_of(
            st.none(),
            st.lists(
                st.builds(lambda n: {"name": n, "emptyDir": {}}, names), max_size=3, unique_by=lambda v: v["name"]
            ),
        ),
        "restartPolicy": st.sampled_from(["Always", "Never", "OnFailure"]),
        "shareProcessNamespace": st.booleans(),
        "hostNetwork": st.booleans(),
        "securityContext": st.fixed_dictionaries(
            {}, optional={"runAsUser": st.integers(0, 9), "seccompProfile": st.just({})}
        ),
        "preserved": st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    },
)
key = st.one_of(
    st.sampled_from([row.key for row in TABLE if not row.is_open]),
    st.builds(lambda row, name: row.stem + name, st.sampled_from([row for row in TABLE if row.is_open]), names),
    st.text(max_size=20),
)
value = st.one_of(
    st.sampled_from(
        ["true", "false", "", "1", "5s", "64Mi", "100", "/a/b", "native", "0644", "json", "[]", "null", "auto"]
    ),
    st.text(max_size=30),
    st.sampled_from(
        ["9" * 400, "\0", "\u202e~/~1", "~0/", "a" * 70_000, '[{"op":"add","path":"/x","value":1}]', "{{", "../.."]
    ),
)
annotations = st.dictionaries(key, value, max_size=6)
any_pod = st.builds(
    lambda found, body: {
        "metadata": {
            "annotations": {
                PREFIX + "agent-inject": "true",
                PREFIX + "role": "r",
                **{PREFIX + k: v for k, v in found.items()},
            }
        },
        "spec": body,
    },
    annotations,
    spec,
)
often = settings(max_examples=300)


def ask(mode, pod):
    answer = MODES[mode].answer(json.dumps(review(pod)).encode(), None, 0.0)
    assert answer.decision != FAILED, answer.error
    assert answer.status == 200
    response = json.loads(answer.body)["response"]
    assert response["uid"] == review(pod)["request"]["uid"]
    return response


def patched(pod, response):
    operations = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    return jsonpatch.apply_patch(deepcopy(pod), operations)


@often
@given(st.sampled_from(sorted(MODES)), any_pod)
def test_a_patch_applies_and_leaves_the_authors_part_alone(mode, pod):
    response = ask(mode, pod)
    if not response["allowed"]:
        assert len(response["status"]["message"]) <= 300
        assert response["status"]["message"].isprintable()
        return
    after = patched(pod, response)
    if "patch" in response and "agent-json-patch" not in str(pod) and "agent-init-json-patch" not in str(pod):
        audience = pod["metadata"]["annotations"].get(PREFIX + "agent-token-audience", "vault")
        assert violations(pod, after, audience="vault" if audience == "auto" else audience) == []


@often
@given(st.sampled_from(sorted(MODES)), any_pod)
def test_a_second_pass_adds_nothing(mode, pod):
    response = ask(mode, pod)
    if response["allowed"]:
        once = patched(pod, response)
        again = ask(mode, once)
        assert again["allowed"], again["status"]["message"]
        assert patched(once, again) == once


@often
@given(st.sampled_from(sorted(MODES)), any_pod)
def test_what_pods_share_holds_nothing_of_the_pods_before(mode, pod):
    body = json.dumps(review(pod)).encode()
    alone = Admission(read({}, {**VAULT, "AGENT_INJECT_SIDECAR_MODE": mode}))
    assert MODES[mode].answer(body, None, 0.0).body == alone.answer(body, None, 0.0).body


@often
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body):
    answer = MODES["classic"].answer(body, None, 0.0)
    assert (answer.status, answer.decision) == (400, "malformed")
    assert json.loads(answer.body)["error"]
