"""Which rule decides a path. The tables and the whole of the precedence were tried against OpenBao."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.rolecheck.acl.path_index import SegmentTree
from webhook.rolecheck.acl.policy import PathKind, blocks, kind_of
from webhook.rolecheck.acl.ruleset import RuleSet, State, add_block
from webhook.rolecheck.acl.template_variables import TemplateVariables, Unresolved

NOBODY = TemplateVariables(
    "acc", Unresolved.UNCERTAIN, {"service_account_namespace": "shop"}, Unresolved.DROPPED, Unresolved.DROPPED
)


def ruleset(text: str, identity: TemplateVariables = NOBODY, *, allows_slashes: bool = True) -> RuleSet:
    rules = RuleSet()
    for block in blocks(text):
        add_block(rules, block, identity, allows_slashes=allows_slashes)
    return rules


def state(text: str, path: str, parameters: Mapping[str, object] | None = None) -> State:
    return ruleset(text).decide(path, parameters or {}).state


def granting(*paths: str) -> str:
    """Return a policy: read on a path, none on one written with a minus in front, deny on one with an exclamation mark."""
    lists = {"-": "[]", "!": '["deny"]'}
    granted = [(path.lstrip("-!"), lists.get(path[:1], '["read"]')) for path in paths]
    return "".join(f'path "{path}" {{ capabilities = {listed} }}\n' for path, listed in granted)


@pytest.mark.parametrize(
    ("paths", "path", "expected"),
    [
        (("a/b",), "a/b", State.READABLE),
        (("a/b",), "a/b/c", State.NONE),
        (("a/*",), "a/", State.READABLE),
        (("a/*",), "a", State.NONE),
        (("a/b*",), "a/bc/d", State.READABLE),
        (("*",), "a", State.READABLE),
        (("a*c",), "abc", State.NONE),
        (("a*c",), "a*c", State.READABLE),
        (("a/+/c",), "a/b/c", State.READABLE),
        (("a/+/c",), "a//c", State.READABLE),
        (("a/+/c",), "a/b/b/c", State.NONE),
        (("+/b",), "a/b", State.READABLE),
        (("+",), "a", State.READABLE),
        (("a/+/c*",), "a/b/cd/e", State.READABLE),
        (("a/+/*",), "a/b", State.NONE),
        (("a/+/*",), "a/b/", State.READABLE),
        (("a/+b/c",), "a/xb/c", State.NONE),
        (("a/+b/c",), "a/+b/c", State.READABLE),
        # the exact rule decides
        (("a/*", "-a/b"), "a/b", State.NO_READ),
        (("!a/*", "a/b"), "a/b", State.READABLE),
        (("a/+", "!a/b"), "a/b", State.DENIED),
        # the longest prefix only
        (("a/*", "-a/b/*"), "a/b/c", State.NO_READ),
        (("*", "!a/*"), "a/b", State.DENIED),
        # a later wildcard wins, then no trailing star, then fewer plus signs, then length
        (("a/+/c", "-a/b/*"), "a/b/c", State.NO_READ),
        (("-a/*", "a/+"), "a/b", State.READABLE),
        (("-a/+/*", "a/+/c"), "a/b/c", State.READABLE),
        (("-a/+/+", "a/+/c"), "a/b/c", State.READABLE),
        (("-a/+/c*", "a/+/cd*"), "a/b/cde", State.READABLE),
    ],
)
def test_one_rule_decides(paths: tuple[str, ...], path: str, expected: State) -> None:
    assert state(granting(*paths), path) is expected


def test_equal_texts_add_up_and_a_deny_swallows() -> None:
    both = 'path "a" { capabilities = ["list"] }\npath "/a" { capabilities = ["read"] }\n'
    assert state(both, "a") is State.READABLE
    assert state(both + granting("!a"), "a") is State.DENIED


@pytest.mark.parametrize(
    ("body", "parameters", "expected"),
    [
        ("", {}, State.READABLE),
        ('min_wrapping_ttl = "1s"', {}, State.CONSTRAINED),
        ('max_wrapping_ttl = "1s"', {}, State.CONSTRAINED),
        ("min_wrapping_ttl = 0", {}, State.READABLE),
        ("min_wrapping_ttl = -1", {}, State.READABLE),
        ('required_parameters = ["Version"]', {}, State.CONSTRAINED),
        ('required_parameters = ["Version"]', {"version": "1"}, State.READABLE),
        ('denied_parameters = { "*" = [] }', {}, State.READABLE),
        ('denied_parameters = { "*" = [] }', {"version": "1"}, State.CONSTRAINED),
        ('denied_parameters = { "version" = [] }', {"version": "1"}, State.CONSTRAINED),
        ('denied_parameters = { "version" = ["2"] }', {"version": "1"}, State.READABLE),
        ('denied_parameters = { "version" = ["1*"] }', {"version": "12"}, State.CONSTRAINED),
        ('denied_parameters = { "version" = ["*1"] }', {"version": "12"}, State.READABLE),
        ('denied_parameters = { "version" = ["*2*"] }', {"version": "123"}, State.CONSTRAINED),
        ('denied_parameters = { "version" = ["*"] }', {"version": "1"}, State.READABLE),
        ('denied_parameters = { "version" = ["**"] }', {"version": "1"}, State.CONSTRAINED),
        ('allowed_parameters = { "version" = ["1"] }', {}, State.READABLE),
        ('allowed_parameters = { "version" = ["1"] }', {"version": "1"}, State.READABLE),
        ('allowed_parameters = { "version" = ["1"] }', {"version": "2"}, State.CONSTRAINED),
        ('allowed_parameters = { "version" = [1] }', {"version": "1"}, State.CONSTRAINED),
        ('allowed_parameters = { "version" = [] }', {"version": "2"}, State.READABLE),
        ('allowed_parameters = { "other" = [] }', {"version": "2"}, State.CONSTRAINED),
        ('allowed_parameters = { "*" = ["2"] }', {"version": "1"}, State.READABLE),
        ('allowed_parameters = { "*" = [], "version" = ["2"] }', {"version": "1"}, State.CONSTRAINED),
        ('allowed_parameters = { "*" = [], "version" = ["2"] }', {"other": "1"}, State.READABLE),
    ],
)
def test_constraints_apply_to_reads(body: str, parameters: dict[str, object], expected: State) -> None:
    assert state(f'path "a" {{ capabilities = ["read"] {body} }}', "a", parameters) is expected


def segments_match(text: str, path: str) -> bool:
    tree = SegmentTree()
    tree.add(text)
    return any(True for _ in tree.matching(path))


SEGMENTS = st.lists(st.sampled_from(["a", "ab", "b", "", "+", "a+"]), min_size=1, max_size=4).map("/".join)


@given(
    text=SEGMENTS,
    is_open=st.booleans(),
    path=st.lists(st.sampled_from(["a", "ab", "b", "", "abc"]), min_size=1, max_size=5).map("/".join),
)
def test_segment_rules_agree_with_a_regular_expression(text: str, is_open: bool, path: str) -> None:
    oracle = "/".join("[^/]*" if part == "+" else re.escape(part) for part in text.split("/"))
    if is_open and text.endswith("+"):
        return  # `+*` is forbidden
    expected = re.fullmatch(oracle + (".*" if is_open else ""), path)
    assert segments_match(text + "*" * is_open, path) is bool(expected)


RULES = st.lists(st.tuples(SEGMENTS, st.booleans(), st.sampled_from(["", "-", "!"])), min_size=1, max_size=6)


@given(rules=RULES, path=SEGMENTS.filter(lambda text: "+" not in text), seed=st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(rules, path: str, seed) -> None:
    texts = [f"{sign}{text}{'*' * is_open}" for text, is_open, sign in rules if not (is_open and text.endswith("+"))]
    shuffled = seed.sample(texts, len(texts))
    assert state(granting(*texts), path) is state(granting(*shuffled), path)


def brute(texts: dict[str, State], path: str) -> State:
    """Decide as the reference text says it: every candidate written out and compared."""
    candidates = []
    for text, outcome in texts.items():
        kind, body = kind_of(text)
        if kind is PathKind.EXACT and body == path:
            return outcome
        if kind is PathKind.PREFIX and path.startswith(body):
            candidates.append(((len(body), 0, 0, len(body), body), kind, outcome))
        if kind is PathKind.SEGMENTS and segments_match(body, path):
            bare = body.removesuffix("*")
            pluses = bare.split("/").count("+")
            candidates.append(((body.index("+"), int(bare == body), -pluses, len(bare), bare), kind, outcome))
    longest = max((key for key, kind, _ in candidates if kind is PathKind.PREFIX), default=None)
    kept = [(key, outcome) for key, kind, outcome in candidates if kind is not PathKind.PREFIX or key == longest]
    return max(kept, key=lambda pair: pair[0])[1] if kept else State.NONE


@given(rules=RULES, path=SEGMENTS.filter(lambda text: "+" not in text))
@example(rules=[("", True, ""), ("/", True, "!")], path="ab")
def test_precedence_agrees_with_the_rule_written_out(rules, path: str) -> None:
    outcome = {"": State.READABLE, "-": State.NO_READ, "!": State.DENIED}
    written = [
        (f"{text}{'*' * is_open}", sign) for text, is_open, sign in rules if not (is_open and text.endswith("+"))
    ]
    texts = dict({kind_of(text): (text, sign) for text, sign in written}.values())  # `/a` and `a` are one rule
    expected = brute({text: outcome[sign] for text, sign in texts.items()}, path)
    assert state(granting(*(sign + text for text, sign in texts.items())), path) is expected


NAMESPACE = "{{identity.entity.aliases.acc.metadata.service_account_namespace}}"
ID = "{{identity.entity.id}}"


class TestTemplates:
    @pytest.mark.parametrize(
        ("paths", "path", "expected"),
        [
            ((f"a/{NAMESPACE}/*",), "a/shop/db", State.READABLE),
            ((f"a/{NAMESPACE}/*",), "a/other/db", State.NONE),
            ((f"a/{NAMESPACE}/*", "-a/shop/*"), "a/shop/db", State.READABLE),
            ((f"!a/{NAMESPACE}/*", "a/shop/*"), "a/shop/db", State.DENIED),
            ((f"a/{ID}/*",), "a/x/db", State.UNCERTAIN),
            ((f"a/{ID}/*",), "b/x/db", State.NONE),
            ((f"a/{ID}",), "a/x/y", State.UNCERTAIN),
            ((f"a/{ID}",), "a/x*y", State.NONE),
            ((f"a/+/{ID}/c",), "a/b/x/c", State.UNCERTAIN),
            ((f"a/+/{ID}/c",), "a/b/x/d", State.NONE),
            ((f"a/+/{ID}*",), "a/b/x/d", State.UNCERTAIN),
            ((f"-a/{ID}",), "a/x", State.NONE),
            # against certain rules
            ((f"a/{ID}", "a/*"), "a/x", State.READABLE),
            ((f"!a/{ID}", "a/*"), "a/x", State.UNCERTAIN),
            ((f"a/{ID}", "!a/x"), "a/x", State.DENIED),
            ((f"!a/{ID}/*", "a/x/y"), "a/x/y", State.READABLE),
            ((f"!a/{ID}", "a/x"), "a/x", State.UNCERTAIN),
            ((f"a/{ID}", "-a/*"), "a/x", State.UNCERTAIN),
            ((f"!a/{ID}", "-a/*"), "a/x", State.NO_READ),
            (("a/{{nonsense}}/*",), "a/x/y", State.NONE),
        ],
    )
    def test_what_is_not_known_before_login_weakens_both_ways(self, paths, path: str, expected: State) -> None:
        assert state(granting(*paths), path) is expected

    def test_unknown_values_span_no_slash_where_the_server_takes_none(self) -> None:
        rules = ruleset(granting(f"a/{ID}"), allows_slashes=False)
        assert rules.decide("a/x", {}).state is State.UNCERTAIN
        assert rules.decide("a/x/y", {}).state is State.NONE

    @pytest.mark.parametrize(
        ("value", "allows_slashes", "expected"),
        [
            ("x", False, State.READABLE),
            ("x/y", True, State.READABLE),
            ("x/y", False, State.NONE),
            ("x*", True, State.NONE),
            ("+", True, State.NONE),
        ],
    )
    def test_values_with_wildcards_drop_the_rule(self, value: str, allows_slashes: bool, expected: State) -> None:
        who = TemplateVariables("acc", value, {}, Unresolved.DROPPED, Unresolved.DROPPED)
        rules = ruleset(granting("a/{{identity.entity.aliases.acc.name}}"), who, allows_slashes=allows_slashes)
        assert rules.decide(f"a/{value}", {}).state is expected

    def test_many_unknown_values_cost_little(self) -> None:
        rules = ruleset(granting("a/" + f"{ID}a" * 40))
        assert rules.decide("a/" + "a" * 2_000 + "b", {}).state is State.NONE
