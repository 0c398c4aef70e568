"""The dialect policies are written in: what reads alike, and what the server would refuse. Tried against OpenBao."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.acl.hcl import Item, Items, PolicySyntaxError, parse

READ = Items((Item(("path", "a"), Items((Item(("capabilities",), ["read"]),))),))


@pytest.mark.parametrize(
    "text",
    [
        'path "a" { capabilities = ["read"] }',
        'path "a" {\n  capabilities = [\n    "read",\n  ]\n}\n',
        'path "a" {\r\n  capabilities = ["read"]\r\n}\r\n',
        '"path" "a" { "capabilities" = ["read"] }',
        'path a { capabilities = ["read"], }',
        'path "a" { # one\n // two\n /* three\n four */ capabilities = [ # five\n "read" ] }',
        'path "\\x61" { capabilities = ["\\u0072e\\141d"] }',
        'path "a" { capabilities = [,"read",,] }',
        '{"path": {"a": {"capabilities": ["read"]}}}',
        ' \n{"path": [{"a": {"capabilities": ["read"]}}]} # what follows the object is ignored',
    ],
)
def test_spellings_of_one_block(text: str) -> None:
    assert parse(text) == READ


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x = 10", 10),
        ("x = -5", -5),
        ("x = 0x1F", 31),
        ("x = 017", 15),
        ("x = 1.5", 1.5),
        ("x = 1e3", 1000.0),
        ("x = true", True),
        ("x = false", False),
        ('x = "a\\"b\\\\c\\n"', 'a"b\\c\n'),
        ('x = "${a "b" {c}}"', '${a "b" {c}}'),
        ('x = "$a"', "$a"),
        ('x = "{{identity.entity.id}}"', "{{identity.entity.id}}"),
        ("x = <<EOT\none\n  two\nEOT\n", "one\n  two\n"),
        ("x = <<-EOT\n    one\n      two\n    EOT\n", "one\n  two\n"),
        ("x = <<EOT\nEOT\n", ""),
        ("x = [1, [2], {a = 3}]", [1, [2], Items((Item(("a",), 3),))]),
        ("x = []", []),
        ('x { "a" = [] b = 1 }', Items((Item(("a",), []), Item(("b",), 1)))),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert [item.value for item in parse(text)] == [value]


def test_duplicates_are_kept_in_both_forms() -> None:
    assert [item.keys for item in parse('path "a" {} path "a" {}')] == [("path", "a")] * 2
    assert [item.keys for item in parse('{"path": {"a": {}, "a": {}}}')] == [("path", "a")] * 2


def test_labels_are_keys() -> None:
    assert [item.keys for item in parse('a "b" "c" {}\npath {}')] == [("a", "b", "c"), ("path",)]


@pytest.mark.parametrize("text", ["", " \n", "# only a comment", "/* only */", "// one"])
def test_a_text_may_say_nothing(text: str) -> None:
    assert parse(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x =",
        "x = y",
        "= 1",
        "x y = 1",
        "{",
        "x {",
        "x { a }",
        "x }",
        "x = 1 ]",
        "x = [1 2]",
        "x = [1",
        'x = "a',
        'x = "a\nb"',
        'x = "\\q"',
        'x = "\\ud800"',
        'x = "\\UFFFFFFFF"',
        'x = "${a"',
        "x = <<EOT\nno end",
        "x = 5abc",
        "true = 1",
        "x = 1 /* no end",
        "x = 1,, y = 2",
        "\ufeffx = 1",
        "x = 'a'",
        "x = f(1)",
        "x = " + "[" * 500,
        "x " + "{ x " * 100_000,
        '{"a": ',
        "{" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicySyntaxError):
        parse(text)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(PolicySyntaxError, match="line 3: want a value"):
        parse("x = 1\n\ny = }")


WORDS = [
    "path",
    '"a"',
    '"b/*"',
    "{",
    "}",
    "[",
    "]",
    "=",
    ",",
    "1",
    "true",
    "capabilities",
    "#",
    "/*",
    "*/",
    "<<E\n",
    "E\n",
    "\n",
    "\\",
    '"',
    "$",
]


@given(words=st.lists(st.sampled_from(WORDS), max_size=25))
def test_any_sequence_of_words_is_read_or_refused(words: list[str]) -> None:
    with contextlib.suppress(PolicySyntaxError):
        assert all(item.keys for item in parse(" ".join(words)))


@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PolicySyntaxError):
        parse(text)


NAMES = st.text("abc/*+-_.", min_size=1, max_size=8)
VALUES = st.recursive(
    st.booleans() | st.integers(-(10**6), 10**6) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return str(value)


@given(
    members=st.lists(st.tuples(NAMES, VALUES.filter(lambda value: "${" not in repr(value))), max_size=4),
    separator=st.sampled_from([" ", "\n", ", ", " # c\n"]),
)
def test_what_is_written_is_read_back(members: list[tuple[str, Any]], separator: str) -> None:
    text = separator.join(f"{written(name)} = {written(value)}" for name, value in members)
    assert [(item.keys[0], item.value) for item in parse(text)] == members
