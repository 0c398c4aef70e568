"""What pods that ask alike share: forms with slots, and nothing of any one pod."""

import gc
import json

import pytest

from tests.core.asking import PREFIX, VAULT, Result, pod_with, review
from webhook.admit import Admission
from webhook.core.json_template import JsonTemplate, elements, more, slot
from webhook.settings.read import read


def answers(*pods, **settings):
    """Ask one admission about all, in turn."""
    admission = Admission(read({}, {**VAULT, **settings}))
    return [Result(pod, admission.answer(json.dumps(review(pod)).encode(), None, 0.0)) for pod in pods]


@pytest.mark.parametrize("text", ["plain", "100%", "%(a)b", "%s", '"', "\0a\x02", "\x01a\x02", ",\x01a\x02", "ü"])
def test_a_form_is_the_json_of_its_value_whatever_the_texts(text):
    form = JsonTemplate({"before": text, "a": slot("a"), "list": [text, more("more")], text: "after"})
    filled = json.loads(form.fill({b"a": json.dumps(text).encode(), b"more": elements([text, {"x": text}]), b"b": b""}))
    assert filled == {"before": text, "a": text, "list": [text, text, {"x": text}], text: "after"}


def test_a_rest_may_stay_empty():
    assert JsonTemplate([1, more("more")]).fill({b"more": elements([])}) == b"[1]"


@pytest.mark.parametrize(
    "patch",
    [
        [
            {"op": "replace", "path": "", "value": {"name": "vault-agent", "image": "i", "env": []}},
            {"op": "add", "path": "/env/-", "value": {"name": "A", "value": "1"}},
        ],
        [
            {"op": "add", "path": "/ports", "value": []},
            {"op": "add", "path": "/ports/-", "value": {"containerPort": 1}},
            {"op": "copy", "from": "/env", "path": "/ports/0/env"},
        ],
    ],
)
def test_a_container_patch_does_the_same_to_every_pod(patch):
    pods = [pod_with({"agent-json-patch": json.dumps(patch)}, role=role) for role in ("a", "a", "b")]
    first, second, other = answers(*pods)
    assert first.operations == second.operations
    assert len(json.dumps(other.operations)) == len(json.dumps(first.operations))


def test_each_pod_has_its_own_role_secrets_token_and_user():
    def pod(name, user):
        volume = {"name": "tok", "projected": {"sources": [{"serviceAccountToken": {"path": name}}]}}
        return pod_with(
            {
                f"agent-inject-secret-{name}": f"secret/data/{name}",
                "agent-service-account-token-volume-name": "tok",
                "agent-run-as-same-user": "true",
            },
            role=name,
            volumes=[volume],
            containers=[{"name": "app", "image": "i", "securityContext": {"runAsUser": user}}],
        )

    for name, result in zip("ab", answers(pod("a", 7), pod("b", 8)), strict=True):
        config, agent = result.config(), result.container("vault-agent")
        login = config["auto_auth"]["method"]["config"]
        assert (login["role"], login["token_path"].rpartition("/")[2]) == (name, name)
        assert [template["destination"] for template in config["template"]] == [f"/vault/secrets/{name}"]
        assert agent["securityContext"]["runAsUser"] == {"a": 7, "b": 8}[name]


@pytest.mark.parametrize("annotations", [{}, {"agent-limits-cpu": "1"}, {"agent-unknown": "x" * 5_000}])
def test_an_answer_leaves_nothing_for_the_garbage_collector(annotations):
    admission = Admission(read({}, VAULT))
    body = json.dumps(review(pod_with({"agent-inject-secret-db": "secret/data/db", **annotations}))).encode()
    admission.answer(body, None, 0.0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            admission.answer(body, None, 0.0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_telemetry_value_that_does_not_fit_is_named_in_any_letter_case():
    pod = pod_with({"agent-telemetry-Disable_Hostname": "perhaps"})
    (result,) = answers(pod)
    assert result.reason == "AnnotationInvalid"
    assert PREFIX + "agent-telemetry-Disable_Hostname" in result.message


@pytest.mark.parametrize("second", ["/vault/secrets/", "/vault/secrets"])
def test_another_volume_at_the_secrets_path_is_refused_beside_ours_too(second):
    mounts = [{"name": "vault-secrets", "mountPath": "/vault/secrets"}, {"name": "other", "mountPath": second}]
    for order in (mounts, mounts[::-1]):
        (result,) = answers(pod_with(containers=[{"name": "app", "volumeMounts": order}]))
        assert result.reason == "MountPathTaken"
