"""The words of findings: one short printable line each, safe to paste."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.reasons import CATALOGUE, Reason
from webhook.rolecheck.login import DENY_ORDER, WARN_ORDER
from webhook.rolecheck.verdict import Level, Problem
from webhook.rolecheck.wording import LENGTH_MAX, SENTENCES, finding

PLACEHOLDERS = (
    *("role", "mount", "vns", "sa", "ns", "aud", "raud", "path", "policy", "detail", "claim", "type", "auth_type"),
    *("what", "uses", "ttl", "expiration", "age", "limit", "accepts", "similar", "bound", "label", "dots"),
)


@pytest.mark.parametrize("reason", SENTENCES)
@settings(max_examples=20)
@given(names=st.fixed_dictionaries({name: st.text(max_size=300) for name in PLACEHOLDERS if name != "label"}))
def test_a_sentence_is_one_printable_line_within_the_limit(reason: Reason, names: dict[str, str]) -> None:
    said = finding(Problem(Level.DENY, reason, names | {"label": ""}), {}, full=True)
    assert said.sentence.isprintable()
    assert len(said.sentence) <= LENGTH_MAX
    assert said.sentence.endswith(f"({reason})")


@pytest.mark.parametrize("reason", [reason for reason in SENTENCES if SENTENCES[reason].remedies])
def test_the_longest_names_leave_room_for_a_remedy(reason: Reason) -> None:
    names = dict.fromkeys(PLACEHOLDERS, "x" * 300) | {"label": ", or label the namespace"}
    assert finding(Problem(Level.DENY, reason, names), {}, full=True).hint


@pytest.mark.parametrize("reason", [*DENY_ORDER, *WARN_ORDER])
def test_every_reason_of_the_orders_has_words_and_a_row(reason: Reason) -> None:
    assert reason in SENTENCES
    assert reason in CATALOGUE


def test_every_reason_a_login_can_be_refused_for_has_an_http_code() -> None:
    assert {CATALOGUE[reason].status for reason in DENY_ORDER} <= {400, 403, 503}


@pytest.mark.parametrize("role", ["x; rm -rf ~", "$(id)", "`id`", "a b", "a'b", 'a"b', "x" * 90, ""])
def test_a_command_to_paste_never_holds_a_name_that_needs_quoting(role: str) -> None:
    said = finding(Problem(Level.DENY, Reason.ROLE_TYPE_NOT_USABLE), {"role": role, "mount": "auth/jwt"}, full=False)
    assert said.hint == "`vault write auth/jwt/role/<role> role_type=jwt ...`"


def test_an_ordinary_name_is_named_in_the_command() -> None:
    names = {"role": "shop", "mount": "auth/k8s", "sa": "web", "ns": "n", "similar": "", "bound": "", "dots": ""}
    said = finding(Problem(Level.DENY, Reason.SERVICE_ACCOUNT_NOT_BOUND), names, full=False)
    assert "`vault write auth/k8s/role/shop bound_service_account_names=<list>,web ...`" in said.hint
