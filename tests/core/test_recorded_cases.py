"""What the reference injector was seen to do, 141 times, and what must hold of every injected pod."""

import json
from pathlib import Path

import pytest

from tests.cases.compare import differences, normalize
from tests.cases.invariants import violations
from tests.core.asking import ask

CASES = json.loads((Path(__file__).parents[1] / "cases" / "injection.json").read_text())["cases"]
INJECTED = [case for case in CASES if "pod" in case["expected"]]
NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}


def by_id(case):
    return case["id"]


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_classic_mode_does_what_the_reference_does(case):
    result = ask(case["pod"], settings=case["settings"], namespace=case["namespace"])
    expected = case["expected"]
    assert result.allowed == expected["allowed"], result.message
    if not expected["allowed"]:
        assert expected.get("mention", "") in result.message
    elif expected.get("unchanged"):
        assert result.operations == []
    else:
        assert differences(expected["pod"], normalize(case["pod"], result.pod)) == []
        assert violations(case["pod"], result.pod) == []


@pytest.mark.parametrize("case", INJECTED, ids=by_id)
def test_native_mode_keeps_the_invariants(case):
    result = ask(case["pod"], settings={**case["settings"], **NATIVE}, namespace=case["namespace"])
    assert result.allowed, result.message
    assert violations(case["pod"], result.pod) == []


@pytest.mark.parametrize("settings", [{}, NATIVE], ids=["classic", "native"])
@pytest.mark.parametrize("case", INJECTED, ids=by_id)
def test_a_second_pass_adds_nothing(case, settings):
    settings = {**case["settings"], **settings}
    once = ask(case["pod"], settings=settings, namespace=case["namespace"])
    twice = ask(once.pod, settings=settings, namespace=case["namespace"])
    assert (twice.allowed, twice.operations) == (True, []), twice.message


@pytest.mark.parametrize("case", [case for case in CASES if not case["expected"]["allowed"]], ids=by_id)
def test_native_mode_refuses_the_same(case):
    result = ask(case["pod"], settings={**case["settings"], **NATIVE}, namespace=case["namespace"])
    assert not result.allowed
    assert case["expected"].get("mention", "") in result.message
