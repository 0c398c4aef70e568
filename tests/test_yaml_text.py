"""YAML as people write it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.yaml_text import YamlTextError, documents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"a: 1", [{"a": 1}]),
        (b"a: yes\nb: on", [{"a": "yes", "b": "on"}]),
        (b"a: 2026-02-03T10:00:00Z", [{"a": "2026-02-03T10:00:00Z"}]),
        (b"a: &x [1]\nb: *x", [{"a": [1], "b": [1]}]),
        (b"a: 1\n---\nb: 2", [{"a": 1}, {"b": 2}]),
        (b'{"a": [true, null, 1.5]}', [{"a": [True, None, 1.5]}]),
    ],
)
def test_values_are_plain(text: bytes, expected: list[object]) -> None:
    assert list(documents(text)) == expected


BOMB = "l0: &l0 {k: 1}\n" + "".join(
    f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]\n" for level in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        (b"a: 1\na: 2", "line 2: found duplicate key"),
        (b"a: [1", "line 1"),
        (b"\xff", "utf-8"),
        (b"a: *x", "undefined alias"),
        (b"!!python/object:os.system x", "could not determine a constructor"),
        (b"&a [*a]", "alias"),
        (BOMB.encode(), "alias"),
        (b"[" * 1_000, "nested too deep"),
        (b"a: !!int x", "invalid literal"),
    ],
)
def test_hostile_texts_are_refused_with_the_reason(text: bytes, mention: str) -> None:
    with pytest.raises(YamlTextError, match=mention):
        list(documents(text))


@given(text=st.text("ab:-[]{}&*!|>'\"#%@ \n1.", max_size=60))
def test_nothing_but_the_one_error_is_raised(text: str) -> None:
    with contextlib.suppress(YamlTextError):
        list(documents(text.encode()))
