"""What a policy's blocks grant, and how two for one path become one. Tried against OpenBao."""

import pytest

from webhook.rolecheck.acl.hcl import PolicySyntaxError
from webhook.rolecheck.acl.policy import DENY, PathKind, Rule, blocks, kind_of, merged, template_parts


def rule(body: str) -> Rule:
    (block,) = blocks(f'path "a" {{ {body} }}')
    return block.rule


@pytest.mark.parametrize(
    ("body", "can_read", "is_denied"),
    [
        ("", False, False),
        ("capabilities = []", False, False),
        ('capabilities = ["read"]', True, False),
        ('capabilities = ["list", "sudo"]', False, False),
        ('capabilities = ["read", "deny"]', False, True),
        ('capabilities = ["create", "patch", "scan", "subscribe", "recover"]', False, False),
        ('policy = "read"', True, False),
        ('policy = "write"', True, False),
        ('policy = "sudo"', True, False),
        ('policy = "deny"', False, True),
        ('policy = ""', False, False),
        ('capabilities = ["read"] policy = "deny"', False, True),
        ('capabilities = ["list"] policy = "read"', True, False),
        ('capabilities = ["list"] capabilities = ["read"]', True, False),
    ],
)
def test_capabilities(body: str, can_read: bool, is_denied: bool) -> None:
    found = rule(body)
    assert (found.can_read, found.is_denied) == (can_read, is_denied)


def test_constraints() -> None:
    found = rule(
        'capabilities = ["read"] min_wrapping_ttl = "1m" max_wrapping_ttl = 3600 required_parameters = ["Version"]'
        ' allowed_parameters = { "Version" = ["1"], "*" = [] } denied_parameters { x = [] } mfa_methods = ["m"]'
        ' comment = "c" pagination_limit = 5'
    )
    assert (found.wrapping_s, found.required, found.needs_approval) == ((60, 3600), {"version"}, True)
    assert (found.allowed, found.denied) == ({"version": ("1",), "*": ()}, {"x": ()})


def test_a_control_group_is_an_approval() -> None:
    assert rule('control_group = { factor "ops" { identity { group_names = ["ops"] } } }').needs_approval


def test_deny_cancels_the_constraints_of_its_block() -> None:
    assert rule('capabilities = ["deny"] required_parameters = ["x"] min_wrapping_ttl = "1s"') == DENY


@pytest.mark.parametrize(
    "text",
    [
        "foo = 1",
        'name "n" {}',
        'path = "x"',
        'path = { "a" = {} }',
        'path "a" { capabilities = "read" }',
        'path "a" { capabilities = ["write"] }',
        'path "a" { capabilities = ["READ"] }',
        'path "a" { capabilities = [1] }',
        'path "a" { capabilities = { a = 1 } }',
        'path "a" { policy = "foo" }',
        'path "a" { policy = read }',
        'path "a" { Capabilities = ["read"] }',
        'path "a" { foo = 1 }',
        'path "a" { allowed_parameters = { "version" = "1" } }',
        'path "a" { allowed_parameters = 1 }',
        'path "a" { required_parameters = "x" }',
        'path "a" { min_wrapping_ttl = "soon" }',
        'path "a" { min_wrapping_ttl = ["5"] }',
        'path "a" { min_wrapping_ttl = "10s" max_wrapping_ttl = "5s" }',
        'path "a" { pagination_limit = 1.5 }',
        'path "a" { expiration = "soon" }',
        'path "a/+*" { policy = "read" }',
        'path "a/{{x" { policy = "read" }',
        'path "a/x}}" { policy = "read" }',
        'path "a/{{x}}}}" { policy = "read" }',
        '{"foo": 1}',
        '{"path": null}',
        '{"path": {"a": {"capabilities": null}}}',
    ],
)
def test_what_the_server_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(PolicySyntaxError) as refusal:
        blocks(text)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("a/b", PathKind.EXACT, "a/b"),
        ("/a/b", PathKind.EXACT, "a/b"),
        ("//a", PathKind.EXACT, "/a"),
        ("a/*", PathKind.PREFIX, "a/"),
        ("*", PathKind.PREFIX, ""),
        ("a*b", PathKind.EXACT, "a*b"),
        ("a**", PathKind.PREFIX, "a*"),
        ("a+/b", PathKind.EXACT, "a+/b"),
        ("+", PathKind.SEGMENTS, "+"),
        ("+/a", PathKind.SEGMENTS, "+/a"),
        ("a/+/b*", PathKind.SEGMENTS, "a/+/b*"),
        ("a/+foo", PathKind.SEGMENTS, "a/+foo"),
        ("", PathKind.EXACT, ""),
    ],
)
def test_a_path_says_how_it_is_compared(path: str, kind: PathKind, text: str) -> None:
    assert kind_of(path) == (kind, text)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a", ["a"]),
        ("{{ x }}", ["", "x", ""]),
        ("a/{{x}}/b/{{y.z}}/*", ["a/", "x", "/b/", "y.z", "/*"]),
        ("a/{b}/c", ["a/{b}/c"]),
    ],
)
def test_templates_are_cut_out(path: str, parts: list[str]) -> None:
    assert template_parts(path) == parts


class TestMerging:
    def test_capabilities_are_united(self) -> None:
        assert merged(rule('policy = "read"'), rule('capabilities = ["list"]')).can_read

    def test_deny_swallows(self) -> None:
        assert merged(rule('policy = "read"'), DENY) == DENY
        assert merged(DENY, rule('policy = "read"')) == DENY

    @pytest.mark.parametrize(
        ("first", "second", "expected_s"), [("0", "5", 5), ("7", "5", 5), ("0", "0", 0), ("5", "0", 5)]
    )
    def test_the_smaller_wrapping_time_counts(self, first: str, second: str, expected_s: int) -> None:
        both = merged(rule(f"min_wrapping_ttl = {first}"), rule(f"min_wrapping_ttl = {second}"))
        assert both.wrapping_s == (expected_s, 0)

    def test_parameters_are_united_and_any_value_wins(self) -> None:
        first = rule('allowed_parameters = { a = ["1"] b = [] } required_parameters = ["x"]')
        second = rule('allowed_parameters = { a = ["2"] b = ["3"] c = ["4"] } required_parameters = ["y"]')
        both = merged(first, second)
        assert both.allowed == {"a": ("1", "2"), "b": (), "c": ("4",)}
        assert both.required == {"x", "y"}

    def test_approvals_are_united(self) -> None:
        assert merged(rule('mfa_methods = ["m"]'), rule("")).needs_approval
