"""What a role says of the token it issues."""

import pytest

from webhook.rolecheck.bindings.roles import RoleShape, token_of


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("default",)),
        ({"token_policies": " B, a,a"}, ("b", "a", "default")),
        ({"policies": ("x",)}, ("x", "default")),
        ({"token_policies": ("default", "x")}, ("default", "x")),
        ({"token_policies": ("x",), "token_no_default_policy": True}, ("x",)),
        ({"token_policies": ("x", "root")}, ("root", "default")),
        ({"token_policies": ("{{x}}",), "token_policies_template_claims": True}, ("default",)),
    ],
)
def test_a_token_has_the_default_policy_too(fields, expected) -> None:
    assert token_of(RoleShape(**fields)).policy_names == expected
