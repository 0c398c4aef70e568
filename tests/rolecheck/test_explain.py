"""Every recorded case of the role check, judged as `bindings explain` would."""

import json
from pathlib import Path
from typing import Any

import pytest

from webhook.rolecheck.explain import CaseError, explain
from webhook.yaml_text import documents

CASES = Path(__file__).parents[1] / "cases"
RECORDED = [
    case for name in ("bindings", "policies") for case in json.loads((CASES / f"{name}.json").read_text())["cases"]
]


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["id"])
def test_verdict_is_the_recorded_one(case: dict[str, Any]) -> None:
    answer = explain(case, documents)
    assert {"decision": answer["decision"], "reason": answer["reason"]} == case["expected"], answer


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["id"])
def test_primary_reason_heads_the_findings(case: dict[str, Any]) -> None:
    answer = explain(case, documents)
    if answer["decision"] == "allow":
        assert (answer["findings"], answer["message"]) == ([], "")
    else:
        first = answer["findings"][0]
        assert (first["level"], first["reason"], first["message"]) == (
            answer["decision"],
            answer["reason"],
            answer["message"],
        )


def test_the_same_case_is_judged_alike_when_its_document_is_yaml() -> None:
    yaml = b"apiVersion: vault-bindings/v1\nkind: BindingSnapshot\nauth: []\n"
    case = RECORDED[0] | {"bindings": next(documents(yaml))}
    assert explain(case, documents)["reason"] == "AuthMountUnknown"


@pytest.mark.parametrize(
    ("change", "mention"),
    [
        ({"request": 3}, "request"),
        ({"identity": {"audience": "vault"}}, "audience"),
        ({"now": "noon"}, "now"),
        ({"settings": {"requireAudience": "loudly"}}, "requireAudience"),
        ({"settings": {"mode": "loud"}}, "mode"),
        ({"bindings": {"kind": "Pod"}}, "apiVersion"),
    ],
)
def test_what_is_no_case_is_refused_by_name(change: dict[str, Any], mention: str) -> None:
    with pytest.raises(CaseError, match=mention):
        explain(RECORDED[0] | change, documents)


def test_a_path_is_judged_whatever_the_age_of_the_data_and_the_pod_s_token() -> None:
    readable = next(case for case in RECORDED if case["expected"]["reason"] == "SecretReadable")
    bindings = readable["bindings"] | {"fetchedAt": "2001-01-01T00:00:00Z"}
    identity = readable["identity"] | {"hasToken": False}
    case = readable | {"bindings": bindings, "identity": identity, "now": "2026-02-03T10:00:00Z"}
    assert explain(case, documents)["reason"] == "SecretReadable"


def test_a_path_asked_for_through_a_role_that_is_not_there_is_refused_for_the_role() -> None:
    readable = next(case for case in RECORDED if case["expected"]["reason"] == "SecretReadable")
    case = readable | {"request": readable["request"] | {"role": "nobody"}}
    assert explain(case, documents)["reason"] == "RoleNotFound"
