"""The words of findings: one short printable line each, safe to paste."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.reasons import CATALOGUE, Reason
from webhook.rolecheck.login_request import FieldNames
from webhook.rolecheck.verdict import Level, Problem
from webhook.rolecheck.wording import LENGTH_MAX, finding, general

PLACEHOLDERS = (
    *("role", "mount", "vns", "sa", "ns", "aud", "raud", "path", "policy", "detail", "claim", "type", "auth_type"),
    *("what", "uses", "ttl", "expiration", "age", "limit", "accepts", "similar", "bound", "label", "dots"),
)


WORDED = [reason for reason, entry in CATALOGUE.items() if entry.message]


@pytest.mark.parametrize("reason", WORDED)
@settings(max_examples=20)
@given(names=st.fixed_dictionaries({name: st.text(max_size=300) for name in PLACEHOLDERS if name != "label"}))
def test_a_finding_is_one_printable_line_within_the_limit(reason: Reason, names: dict[str, str]) -> None:
    said = finding(Problem(Level.DENY, reason, names | {"label": ""}), {}, FieldNames(), full=True)
    line = f"{said.message}. {said.remedy} ({reason})"
    assert line.isprintable()
    assert len(line) <= LENGTH_MAX


@pytest.mark.parametrize("reason", [reason for reason in WORDED if CATALOGUE[reason].fixes])
def test_the_longest_names_leave_room_for_a_remedy(reason: Reason) -> None:
    names = dict.fromkeys(PLACEHOLDERS, "x" * 300) | {"label": ", or label the namespace"}
    said = finding(Problem(Level.DENY, reason, names), {}, FieldNames(), full=True)
    assert said.remedy == f"Fix: {said.hint}"
    assert said.hint


def test_what_may_be_confirmed_refuses() -> None:
    assert {entry.status for entry in CATALOGUE.values() if entry.confirmable} <= {403, 503}


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_has_a_remedy_on_its_page(reason: Reason) -> None:
    assert "{" not in CATALOGUE[reason].cause
    assert general(reason, FieldNames()).isprintable()
    assert "{" not in general(reason, FieldNames()).replace("{ capabilities", "")


@pytest.mark.parametrize("role", ["x; rm -rf ~", "$(id)", "`id`", "a b", "a'b", 'a"b', "x" * 90, ""])
def test_a_command_to_paste_never_holds_a_name_that_needs_quoting(role: str) -> None:
    names = {"role": role, "mount": "auth/jwt"}
    said = finding(Problem(Level.DENY, Reason.ROLE_TYPE_NOT_USABLE), names, FieldNames(), full=False)
    assert said.hint == "`vault write auth/jwt/role/<role> role_type=jwt ...`"


def test_an_ordinary_name_is_named_in_the_command() -> None:
    names = {"role": "shop", "mount": "auth/k8s", "sa": "web", "ns": "n", "similar": "", "bound": "", "dots": ""}
    said = finding(Problem(Level.DENY, Reason.SERVICE_ACCOUNT_NOT_BOUND), names, FieldNames(), full=False)
    assert "`vault write auth/k8s/role/shop bound_service_account_names=<list>,web ...`" in said.hint


def test_a_remedy_names_the_fields_of_its_source() -> None:
    fields = FieldNames(kind="field", mount="`spec.mount`", mount_form="", namespace="`spec.namespace`")
    names = {"mount": "auth/k8s", "vns": "root", "dots": ""}
    said = finding(Problem(Level.DENY, Reason.AUTH_MOUNT_UNKNOWN, names), {}, fields, full=False)
    assert said.hint == "`vault auth list`; correct the `spec.mount` field or `spec.namespace`"


@pytest.mark.parametrize("reason", WORDED)
def test_no_row_names_a_field_of_a_source_itself(reason: Reason) -> None:
    entry = CATALOGUE[reason]
    assert not any("annotation" in text or "the agent" in text for text in (entry.message, *entry.fixes))
