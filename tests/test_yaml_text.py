"""YAML as people write it, and as nobody should."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.yaml_text import YamlTextError, documents, kept_documents, line_of, plain, write
from webhook.yaml_tree import NESTING_MAX, NUMBER_LENGTH_MAX


def kept(text: bytes) -> list[object]:
    return plain(kept_documents(text))


WAYS = pytest.mark.parametrize("read", [lambda text: list(documents(text)), kept], ids=["plain", "kept"])


@WAYS
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: 1", [{"a": 1}]),
        (b"a: yes\nb: on", [{"a": "yes", "b": "on"}]),
        (b"a: 2026-02-03T10:00:00Z", [{"a": "2026-02-03T10:00:00Z"}]),
        (b"a: 9999-99-99", [{"a": "9999-99-99"}]),
        (b"a: 2001-12-14t21:59:43.10-99:99", [{"a": "2001-12-14t21:59:43.10-99:99"}]),
        (b"a: &x [1]\nb: *x", [{"a": [1], "b": [1]}]),
        (b"a: &x true\nb: *x", [{"a": True, "b": True}]),
        (b"a: &x 1\nb: &x 2\nc: *x", [{"a": 1, "b": 2, "c": 2}]),
        (b"b: &b {x: 1, y: 1}\na:\n  <<: *b\n  y: 2", [{"b": {"x": 1, "y": 1}, "a": {"x": 1, "y": 2}}]),
        (b"a: {<<: [{x: 1}, {x: 2, y: 2}]}", [{"a": {"x": 1, "y": 2}}]),
        (b"a: 1\n---\nb: 2\n...\n", [{"a": 1}, {"b": 2}]),
        (b'{"a": [true, null, 1.5]}', [{"a": [True, None, 1.5]}]),
        (b'{"a": 123456789012345678901234567890}', [{"a": 123456789012345678901234567890}]),
        (b"\xef\xbb\xbfa: 1", [{"a": 1}]),
        (b"a: 1\n---\n\xef\xbb\xbfb: 2", [{"a": 1}, {"b": 2}]),
        ("a: \u00e9".encode("utf-16"), [{"a": "\u00e9"}]),
        (b"a:\n" + b"".join(b" " * i + b"b:\n" for i in range(1, NESTING_MAX - 1)), None),
    ],
)
def test_values_are_plain(read, text, expected):
    assert expected in (None, read(text))


def test_empty_documents():
    assert list(documents(b"")) == []
    assert list(documents(b"---\n---\na: 1")) == [None, {"a": 1}]
    assert kept_documents(b"---\n---\n# no more\n---\na: 1") == [{"a": 1}]


BOMB = "l0: &l0 {k: 1}\n" + "".join(
    f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
MERGES = "m0: &m0 {k0: 1}\n" + "".join(f"m{n}: &m{n}\n  <<: [*m{n - 1}, *m{n - 1}]\n" for n in range(1, 30))
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, NESTING_MAX + 1))
DIGITS = "9" * (NUMBER_LENGTH_MAX + 1)


@WAYS
@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("a: 1\na: 2", "line 2: found duplicate key"),
        ('{"a": 1,\n"a": 2}', "line 2: found duplicate key"),
        ("a: [1", "line 1"),
        (b"a: 1\nb: \xff", "line 2: no UTF-8"),
        ("a: 1\nb: \0", "line 2: character U[+]0000"),
        ("a: \x07", "U[+]0007"),
        ("a: *x", "line 1: found undefined alias"),
        ("!!python/object:os.system x", "line 1: !!python/object:os.system is no type of JSON"),
        ("&a [*a]", "line 1: an alias stands inside of what it names"),
        ("a: &a\n  b: *a", "an alias stands inside"),
        ("a: &a\n  <<: *a", "an alias stands inside"),
        ("a:\n  <<: 5", "line 2: expected a mapping"),
        ("a:\n  <<: [1]", "line 2: expected a mapping"),
        (BOMB, "values once every alias is written out"),
        (MERGES, "values once every alias is written out"),
        (CHAIN, "nested deeper"),
        ("[" * 1_000, "nested deeper"),
        ("[" * 1_000 + "]" * 1_000, "nested deeper"),
        ('{"a":' * 1_000 + "1" + "}" * 1_000, "nested deeper"),
        ("? " * 1_000, "nested deeper"),
        ("- " * 1_000, "nested deeper"),
        ("? " * 90, "a key that is a list or a mapping"),
        ("a: 1\n!x b: 1", "line 2: a key with a tag, !x"),
        ("? [a]\n: 1", "line 1: a key that is a list or a mapping"),
        ("{a: 1, ? {b: c} : 1}", "a key that is a list or a mapping"),
        (f"a: {DIGITS}", "beyond the numbers of JSON"),
        (f"a: 0x{DIGITS}", "beyond the numbers of JSON"),
        (f"a: {DIGITS}.5", "beyond the numbers of JSON"),
        (f'{{"a": {DIGITS}}}', "beyond the numbers of JSON"),
        ('{"a": 1e999}', "beyond the numbers of JSON"),
        ("a: 1e999", "beyond the numbers of JSON"),
        ("a: .inf", "beyond the numbers of JSON"),
        ("a: -.Inf", "beyond the numbers of JSON"),
        ("a: .NaN", "beyond the numbers of JSON"),
        ('a: "\\ud800"', "half of a surrogate pair"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('a: "\\UFFFFFFFF"', "int too large"),
        ("a: !! [x]", "line 1: !! is no type of JSON"),
        ("a: !!timestamp x", "!!timestamp is no type of JSON"),
        ("a: !!binary x", "!!binary is no type of JSON"),
        ("a: !!set {b}", "!!set is no type of JSON"),
        ("a: !!omap [b: 1]", "!!omap is no type of JSON"),
        ("%YAML 3.0\n---\na: 1", "line 1: found incompatible YAML document"),
        *(
            (f"a: 1\nb: {odd}", f"line 2: '{shown}' is no !!{kind}")
            for odd, shown, kind in [
                ("-_", "-_", "int"),
                ("!!int x", "x", "int"),
                ('!!int ""', "", "int"),
                ('!!int "_"', "_", "int"),
                ('!!int "0x"', "0x", "int"),
                ('!!int "0o"', "0o", "int"),
                ('!!int "+"', "[+]", "int"),
                ("!!int 0b2", "0b2", "int"),
                ("!<tag:yaml.org,2002:int> _", "_", "int"),
                ('!!float ""', "", "float"),
                ("!!float .", ".", "float"),
                ("!!float x", "x", "float"),
                ("!!float 1:2", "1:2", "float"),
                ("!!bool x", "x", "bool"),
                ('!!bool ""', "", "bool"),
                ('{ !!int "": 1}', "", "int"),
                ("{? !!bool x : 1}", "x", "bool"),
            ]
        ),
    ],
)
def test_hostile_texts_are_refused_with_the_reason(read, text, mention):
    with pytest.raises(YamlTextError, match=mention):
        read(text if isinstance(text, bytes) else text.encode())


def test_tags_of_the_authors_own_are_passed_over_where_comments_are_kept_and_refused_where_not():
    text = b"a: !mine b\nc: !yours {d: 1}"
    assert kept(text) == [{"a": "b", "c": {"d": 1}}]
    assert write(kept_documents(text)) == "a: !mine b\nc: !yours {d: 1}\n"
    with pytest.raises(YamlTextError, match="constructor"):
        list(documents(text))


@given(text=st.text("ab:-[]{}&*!|>'\"#%@ \n1._?<,~=", max_size=60))
def test_nothing_but_the_one_error_is_raised(text: str) -> None:
    for read in (documents, kept_documents):
        with contextlib.suppress(YamlTextError):
            for document in read(text.encode()):
                json.dumps(plain(document), allow_nan=False).encode()
    line_of(text.encode(), "a.b")


@given(text=st.text("ab:-[]{}&*|>'\"# \n1", max_size=60))
def test_what_is_written_says_what_was_read(text: str) -> None:
    with contextlib.suppress(YamlTextError):
        read = [document for document in kept_documents(text.encode()) if isinstance(document, dict)]
        assert kept(write(read).encode()) == plain(read)


def test_comments_order_and_style_stay():
    text = "# head\nb: '1'  # why\n\na: |\n  x\n  y\nwhen: 2026-02-03\nlist:\n  - {c: 0x1F, d: 1.10}\n"
    assert write(kept_documents(text.encode())) == text


def test_a_change_stays_where_it_is_made():
    document = kept_documents(b"base: &b {list: [1]}\none: *b\ntwo: *b\nthree: {<<: *b}\n")[0]
    document["one"]["list"].append(2)
    assert plain(document) == {
        "base": {"list": [1]},
        "one": {"list": [1, 2]},
        "two": {"list": [1]},
        "three": {"list": [1]},
    }
