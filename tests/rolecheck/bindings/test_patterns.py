"""Names against patterns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.bindings.patterns import Patterns, is_only_stars, matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "anything", True),
        ("**", "anything", True),
        ("web", "web", True),
        ("web", "Web", False),
        ("web", "web2", False),
        ("team-*", "team-blue", True),
        ("team-*", "team-", True),
        ("team-*", "a-team-", False),
        ("*-prod", "shop-prod", True),
        ("*-prod", "shop-prod-2", False),
        ("*x*", "axb", True),
        ("*x*", "ab", False),
        ("app-*-sa", "app-cart-sa", True),
        ("app-*-sa", "app-sa", False),
        ("ab*ba", "aba", False),
        ("web*web", "web", False),
        ("a*b*a", "aba", True),
        ("a*b*c", "abxbc", True),
        ("we?", "web", False),
        ("[a]", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_star_is_any_run_and_the_rest_is_literal(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(pattern=st.text("ab*?.", max_size=8), text=st.text("ab?.", max_size=10))
def test_matching_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    oracle = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert matches(pattern, text) is bool(re.fullmatch(oracle, text, re.DOTALL))


@pytest.mark.parametrize(
    ("pattern", "expected"), [("*", True), ("***", True), ("", False), ("a*", False), ("*-*", False)]
)
def test_only_a_pattern_of_stars_admits_everything(pattern: str, expected: bool) -> None:
    assert is_only_stars(pattern) is expected


@given(patterns=st.lists(st.text("ab*", max_size=4), max_size=4), text=st.text("ab", max_size=5))
def test_a_list_admits_what_any_of_its_patterns_does(patterns: list[str], text: str) -> None:
    assert Patterns.of(patterns).admit(text) is any(matches(pattern, text) for pattern in patterns)


def test_a_star_among_others_admits_everything() -> None:
    compiled = Patterns.of(["web", "*"])
    assert (compiled.admit("other"), compiled.everything) == (True, True)


def test_an_empty_list_admits_nothing() -> None:
    assert Patterns.of([]).admit("") is False
