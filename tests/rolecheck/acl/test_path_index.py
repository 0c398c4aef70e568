"""Texts found by the paths that match them, against every text tried one by one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.acl.path_index import Prefixes, SegmentTree

TEXTS = st.lists(st.text(alphabet="a/bé", max_size=5), max_size=12)


@given(texts=TEXTS, path=st.text(alphabet="a/bé", max_size=8))
def test_prefixes_are_all_found_the_longest_first(texts: list[str], path: str) -> None:
    prefixes = Prefixes()
    for text in texts:
        prefixes.add(text)
    expected = sorted({text for text in texts if path.startswith(text)}, key=len, reverse=True)
    assert list(prefixes.of(path)) == expected
    assert prefixes.longest_of(path) == (expected[0] if expected else None)


def test_a_prefix_that_comes_later_is_found_too() -> None:
    prefixes = Prefixes()
    prefixes.add("a")
    assert list(prefixes.of("abc")) == ["a"]
    prefixes.add("ab")
    assert list(prefixes.of("abc")) == ["ab", "a"]


SEGMENT = st.sampled_from(["a", "ab", "b", "", "+", "a+"])
RULES = st.lists(st.tuples(st.lists(SEGMENT, min_size=1, max_size=4), st.booleans()), max_size=10)


def expression(text: str) -> str:
    """Return what a segment rule means, as a regular expression."""
    closed = text.removesuffix("*")
    body = "/".join("[^/]*" if part == "+" else re.escape(part) for part in closed.split("/"))
    return body + ".*" * (closed != text)


@given(rules=RULES, path=st.lists(st.sampled_from(["a", "ab", "b", "", "abc"]), min_size=1, max_size=5))
def test_segment_rules_are_found_but_those_that_a_longer_open_end_outranks(rules, path: list[str]) -> None:
    tree = SegmentTree()
    texts = {"/".join(parts) + "*" * is_open for parts, is_open in rules if not (is_open and parts[-1] == "+")}
    for text in texts:
        tree.add(text)
    asked = "/".join(path)
    matching = {text for text in texts if re.fullmatch(expression(text), asked, re.DOTALL)}
    kept = {
        text
        for text in matching
        if not text.endswith("*")
        or not any(
            other.endswith("*")
            and other != text
            and other.rpartition("/")[0] == text.rpartition("/")[0]
            and len(other) > len(text)
            for other in matching
        )
    }
    assert set(tree.matching(asked)) == kept


@pytest.mark.parametrize("text", ["+", "+/a", "a/+", "a/+/b*", "+/+/*"])
def test_a_rule_s_text_is_told_as_it_was_written(text: str) -> None:
    tree = SegmentTree()
    tree.add(text)
    assert list(tree.matching(text.replace("+", "q").removesuffix("*"))) == [text]
