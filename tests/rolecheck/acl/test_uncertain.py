"""Which rules with unknown variables may match a path, against a regular expression."""

import re

from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.acl.policy import DENY
from webhook.rolecheck.acl.uncertain import COMPARED_MAX, UncertainRules, uncertain_rule

PARTS = st.lists(st.sampled_from([None, "a", "/", "ab", "/+/", "*", "b/", "+"]), min_size=1, max_size=6).filter(
    lambda parts: None in parts and "+*" not in "".join(part or "\0" for part in parts)
)


def may_match(parts: list[str | None], path: str, *, allows_slashes: bool) -> bool:
    rules = UncertainRules()
    rules.add(uncertain_rule(parts, DENY, allows_slashes=allows_slashes))
    return bool(rules.matching(path))


def expression(parts: list[str | None], *, allows_slashes: bool) -> str:
    """Return what the rule means: see `kind_of` for which of the signs count."""
    text = "".join("\0" if part is None else part for part in parts).removeprefix("/")
    has_pluses = text == "+" or text.startswith("+/") or "/+" in text
    is_open = text.endswith("*")
    body = re.escape(text.removesuffix("*"))
    if has_pluses:
        body = re.sub(r"(?<![^/])\\\+(?![^/])", "[^/]*", body)
    variable = "[^*+]*" if allows_slashes else "[^*+/]*"
    return body.replace(re.escape("\0"), variable) + ".*" * is_open


@given(parts=PARTS, path=st.text(alphabet="ab/*+", max_size=9), allows_slashes=st.booleans())
def test_unknown_values_are_any_text_without_wildcards(
    parts: list[str | None], path: str, allows_slashes: bool
) -> None:
    expected = re.fullmatch(expression(parts, allows_slashes=allows_slashes), path, re.DOTALL)
    assert may_match(parts, path, allows_slashes=allows_slashes) is bool(expected)


def test_too_many_rules_that_begin_like_a_path_are_not_compared() -> None:
    rules = UncertainRules()
    for number in range(COMPARED_MAX):
        rules.add(uncertain_rule(["a/", None, f"/{number:05}"], DENY, allows_slashes=True))
    assert rules.matching("a/x/none") is None
    assert rules.matching("b/x/none") == []
