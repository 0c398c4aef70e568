"""From a body to an answer, and what it says of the request on the way."""

import json

from tests.core.asking import ask, pod_with
from webhook.admit import WARNINGS_MAX, withhold
from webhook.answer import Answer, Outcome


def test_an_answer_says_nothing_of_a_request_refused_at_once():
    answer = ask(pod_with(switch="maybe")).answer
    assert (answer.decision, answer.outcome) == ("refused", Outcome())


def test_warnings_are_kept_in_order_and_the_role_check_s_come_first():
    outcome = Outcome()
    outcome.add(["preset"])
    outcome.add(["pod", "volume"])
    outcome.add(["role"], first=True)
    assert outcome.warnings == ["role", "preset", "pod", "volume"]


def test_each_answer_has_an_outcome_of_its_own():
    one, other = (Answer(status=200, body=b"", decision="unchanged") for _ in range(2))
    one.outcome.add(["only here"])
    assert other.outcome.warnings == []


def test_a_refusal_without_reasons_is_a_refusal_of_the_same_request():
    answer = ask(pod_with(switch="maybe")).answer
    withheld = withhold(answer)
    response = json.loads(withheld.body)["response"]
    assert (response["uid"], response["allowed"], response["status"]["reason"]) == (
        answer.uid,
        False,
        "RefusalsLimited",
    )
    assert "maybe" not in json.dumps(response)
    assert (withheld.decision, withheld.reason) == ("refused", "AnnotationInvalid")


def test_only_so_many_warnings_reach_the_author():
    answer = ask(pod_with({f"agent-inject-foo{number}": "x" for number in range(WARNINGS_MAX + 4)})).answer
    assert len(answer.outcome.warnings) > WARNINGS_MAX
    assert len(json.loads(answer.body)["response"]["warnings"]) == WARNINGS_MAX
