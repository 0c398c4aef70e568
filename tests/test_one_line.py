"""Foreign text fit for one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.one_line import clean, cut


@given(text=st.text(), width=st.integers(10, 80))
def test_a_cleaned_value_is_one_printable_line_of_the_width(text: str, width: int) -> None:
    cleaned = clean(text, width)
    assert cleaned.isprintable()
    assert len(cleaned) <= width


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("shop", "shop"),
        ("a \t\n b", "a b"),
        ("a\x1b[31m\u202eb", "a?[31m?b"),
        ("x" * 61, "x" * 59 + "…"),
        (7, "7"),
        (None, "None"),
        (" " * 1_000_000, " "),
    ],
)
def test_what_becomes_of_a_value(value: object, expected: str) -> None:
    assert clean(value) == expected


def test_a_short_text_is_not_cut() -> None:
    assert (cut("abc", 3), cut("abcd", 3)) == ("abc", "ab…")
