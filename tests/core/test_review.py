"""Bodies of every kind get the right kind of answer; a readable uid always gets a whole review back."""

import json

import pytest

from tests.core.asking import VAULT, ask, pod_with, review
from webhook.admit import Admission
from webhook.settings.read import read

ADMISSION = Admission(read({}, VAULT))


def answer(body):
    result = ADMISSION.answer(body, None, 0.0)
    assert result.error is None
    return result, json.loads(result.body)


def whole(**changes):
    return json.dumps({**review(pod_with()), **changes}).encode()


NESTED = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"\xff\xfe",
        b"kind: AdmissionReview",
        NESTED,
        whole(kind="Review"),
        whole(kind=None),
        whole(apiVersion="admission.k8s.io/v1beta1"),
        whole(apiVersion="admission.k8s.io/v2"),
        whole(apiVersion="a/b/c"),
        whole(request=None),
        whole(request={}),
        whole(request={"uid": ""}),
        whole(request={"uid": 7}),
        whole(request=[]),
    ],
)
def test_what_is_no_review_with_a_uid_is_answered_400(body):
    result, said = answer(body)
    assert (result.status, result.decision) == (400, "malformed")
    assert said["error"]


@pytest.mark.parametrize(
    "pod",
    [
        None,
        7,
        [],
        {"metadata": []},
        {"metadata": {"annotations": {"vault.hashicorp.com/agent-inject": True}}},
        {"metadata": {"annotations": ["x"]}},
        {"spec": {"containers": {}}},
        {"spec": {"volumes": [7]}},
    ],
)
def test_a_pod_we_cannot_read_is_refused_in_a_whole_review(pod):
    result, said = answer(json.dumps(review(pod)).encode())
    assert result.status == 200
    assert said["response"]["uid"] == review(pod)["request"]["uid"]
    assert said["response"]["status"]["reason"] == "PodInvalid"


def test_a_pod_that_is_nested_too_deeply_is_refused_in_a_whole_review():
    body = json.dumps(review("HERE")).encode().replace(b'"HERE"', NESTED)
    result, said = answer(body)
    assert (result.status, said["response"]["allowed"]) == (200, False)
    assert said["response"]["uid"]


def test_the_envelope_is_the_api_servers():
    _, said = answer(whole())
    assert (said["apiVersion"], said["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert said["response"]["patchType"] == "JSONPatch"


def test_without_a_patch_there_is_no_patch_type():
    _, said = answer(json.dumps(review(pod_with(switch="false"))).encode())
    assert said["response"] == {"uid": said["response"]["uid"], "allowed": True}


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT"},
        {"subResource": "ephemeralcontainers"},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
        {"kind": {"group": "example.com", "version": "v1", "kind": "Pod"}},
        {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}, "object": {"spec": 7, "metadata": []}},
    ],
)
def test_what_is_not_the_creation_of_a_pod_is_allowed_untouched(request_):
    result, said = answer(json.dumps(review(pod_with(), **request_)).encode())
    assert result.decision == "unchanged"
    assert (said["response"]["allowed"], "patch" in said["response"]) == (True, False)


def test_the_requests_namespace_counts_not_the_pods():
    pod = pod_with()
    pod["metadata"]["namespace"] = "kube-system"
    assert ask(pod, namespace="shop").allowed


def test_half_a_surrogate_becomes_the_replacement_character():
    body = json.dumps(review(pod_with({"agent-inject-template-db": "a\ud800b \ud83d\ude00 \\ud800"}))).encode()
    result, said = answer(body)
    assert result.decision == "injected"
    assert said["response"]["allowed"]


@pytest.mark.parametrize("text", ["\0", "\u2028", "\U0001f600", "\\", '"', "</script>", "${X}", "\x7f"])
def test_any_text_reaches_the_agent_as_it_is(text):
    config = ask(pod_with({"agent-inject-template-db": f"a{text}b"})).config()
    assert config["template"][0]["contents"] == f"a{text}b"


def test_integers_of_any_length_and_unknown_members_do_not_matter():
    body = json.dumps(review(pod_with(future={"deep": [1]}))).encode()
    body = body.replace(b'"deep"', b'"big": ' + b"9" * 400 + b', "deep"')
    result, _ = answer(body)
    assert result.decision == "injected"


def test_duplicate_keys_count_last():
    body = json.dumps(review(pod_with())).encode()
    body = body.replace(
        b'"vault.hashicorp.com/role"', b'"vault.hashicorp.com/role": "first", "vault.hashicorp.com/role"'
    )
    result, _ = answer(body)
    assert result.outcome.role == "shop"


@pytest.mark.parametrize("member", ["initContainers", "volumes"])
def test_null_lists_are_absent_lists(member):
    result = ask(pod_with(**{member: None}))
    assert result.allowed, result.message
    assert result.container("vault-agent")


def test_the_same_question_gets_the_same_bytes():
    annotations = {"agent-inject-secret-b": "x", "agent-inject-secret-a": "y", "role": "r"}
    backwards = dict(reversed(annotations.items()))
    one, other = (answer(json.dumps(review(pod_with(a))).encode())[0].body for a in (annotations, backwards))
    assert one == other


def test_dry_run_is_answered_as_always():
    assert ask(pod_with(), dryRun=True).container("vault-agent")


@pytest.mark.parametrize(
    ("value", "written", "kind"),
    [(True, "true", "a boolean"), (False, "false", "a boolean"), (5, "5", "a number"), (0.5, "0.5", "a number")],
)
def test_an_annotation_that_yaml_made_a_boolean_or_a_number_is_named(value, written, kind):
    pod = pod_with()
    pod["metadata"]["annotations"] |= {"example.com/b": value, "example.com/c": value}
    result = ask(pod)
    assert result.reason == "PodInvalid"
    problem = f'the value {written} is {kind}, and annotations are texts; quote it: "{written}"'
    assert result.message == f"example.com/b: {problem}. (PodInvalid)"


@pytest.mark.parametrize("value", [[], {}, [True]])
def test_an_annotation_that_is_no_scalar_is_named(value):
    pod = pod_with()
    pod["metadata"]["annotations"]["example.com/b"] = value
    assert ask(pod).message.startswith("example.com/b: ")


def test_another_part_that_cannot_be_read_is_told_as_before():
    pod = pod_with(containers=7)
    assert ask(pod).message.startswith("request.object: ")
    pod["metadata"]["annotations"]["x"] = "9" * 10
    assert ask({**pod, "metadata": 7}).message.startswith("request.object: ")
