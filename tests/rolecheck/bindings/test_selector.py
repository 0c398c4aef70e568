"""The namespace selector of a role."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.bindings.selector import parse
from webhook.yaml_text import documents


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('{"matchLabels": {"team": "shop"}}', {"team": "shop"}),
        ("matchLabels:\n  team: shop\n", {"team": "shop"}),
        ("{matchLabels: {team: shop}}", {"team": "shop"}),
        ('{"MATCHLABELS": {"team": "shop"}}', {"team": "shop"}),
        ('{"matchLabels": {"team": "shop"}, "matchExpressions": null}', {"team": "shop"}),
        ("matchLabels: {on: true}", {"on": "true"}),
        ("matchLabels: {n: 7, f: 1.5, g: 2.0}", {"n": "7", "f": "1.5", "g": "2"}),
        ("matchLabels: {team: }", {"team": ""}),
        ('{"matchLabels": {"team": null}}', {"team": ""}),
        ("matchLabels: {team: a}\n---\nmatchLabels: {team: b}\n", {"team": "a"}),
        ('{"matchLabels": {"example.com/team": "a.b_c-1"}}', {"example.com/team": "a.b_c-1"}),
    ],
)
def test_labels_are_read(text: str, labels: dict[str, str]) -> None:
    selector = parse(text, documents)
    assert (dict(selector.labels), selector.failure, selector.everything) == (labels, "", False)


@pytest.mark.parametrize(
    "text",
    ["{}", "null", " ", "# nothing", '{"matchLabels": {}}', '{"matchLabels": null}', '{"team": "x"}', "team: x"],
)
def test_a_selector_without_labels_admits_every_namespace(text: str) -> None:
    selector = parse(text, documents)
    assert (selector.everything, selector.admits({}), selector.admits({"a": "b"})) == (True, True, True)


@pytest.mark.parametrize(
    "text",
    [
        "team=shop",
        '"team"',
        "3",
        "[]",
        "a: [",
        "a: 1\na: 2",
        '{"matchExpressions": []}',
        '{"matchExpressions": [{"key": "team"}], "matchLabels": {"team": "shop"}}',
        '{"matchLabels": []}',
        '{"matchLabels": {"team": ["shop"]}}',
        '{"matchLabels": {"on": true}}',
        '{"matchLabels": {"n": 7}}',
        '{"matchLabels": {"team ": "shop"}}',
        '{"matchLabels": {"team": "-shop"}}',
        '{"matchLabels": {"team": "' + "x" * 64 + '"}}',
        '{"matchLabels": {"UPPER.com/team": "shop"}}',
        '{"matchLabels": {"": "shop"}}',
        "[" * 100_000,
    ],
)
def test_what_the_server_fails_on_admits_nothing(text: str) -> None:
    selector = parse(text, documents)
    assert selector.failure
    assert not selector.everything
    assert not selector.admits({"team": "shop"})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"team": "shop", "env": "", "more": "x"}, True),
        ({"team": "shop"}, False),
        ({"team": "Shop", "env": ""}, False),
        ({}, False),
    ],
)
def test_every_label_must_be_there_with_its_value(labels: dict[str, str], expected: bool) -> None:
    assert parse('{"matchLabels": {"team": "shop", "env": ""}}', documents).admits(labels) is expected


@given(text=st.text("{}[]:,\"'-&*!| \nmatchLbes", max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    selector = parse(text, documents)
    assert not (selector.failure and selector.labels)
