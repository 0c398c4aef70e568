"""One line that says what is wrong and what helps, however long the author's texts are."""

import pytest

from tests.core.asking import ask, pod_with
from webhook.core.refusal import MESSAGE_MAX, refused
from webhook.reasons import Reason


@pytest.mark.parametrize("length", [0, 10, 100, 1_000, 100_000])
@pytest.mark.parametrize("value", [None, "v", "v" * 100_000])
def test_a_long_problem_gives_way_to_the_remedy(length, value):
    message = refused(Reason.POD_INVALID, "spec", "p" * length, "Do this", value=value).message
    assert message.endswith(" Do this. (PodInvalid)")
    assert len(message) <= MESSAGE_MAX


@pytest.mark.parametrize("length", [0, 100, 1_000])
def test_nothing_is_longer_than_a_message_may_be(length):
    text = "x" * length
    message = refused(Reason.POD_INVALID, text, text, text, value=text).message
    assert message.endswith(" (PodInvalid)")
    assert len(message) <= MESSAGE_MAX


def test_a_long_path_of_the_pods_leaves_room_for_what_helps():
    path = "/" + "p" * 4_000
    mounted = {"name": "app", "image": "x", "volumeMounts": [{"name": "v", "mountPath": path}]}
    result = ask(pod_with({"agent-inject-secret-a": "x", "secret-volume-path": path}, containers=[mounted]))
    assert result.reason == "MountPathTaken"
    assert "secret-volume-path" in result.message


def test_a_role_in_audit_annotations_is_one_line_that_prints():
    assert ask(pod_with(role="a\nb\u202ec")).audit["role"] == "a b?c"
