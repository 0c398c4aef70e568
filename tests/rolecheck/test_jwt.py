"""Logins at mounts of type jwt."""

import json
from typing import Any

import pytest

from webhook.rolecheck.bindings.load import load
from webhook.rolecheck.login import check
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level
from webhook.yaml_text import documents

ROLE = {
    "role_type": "jwt",
    "user_claim": "sub",
    "bound_audiences": ["vault"],
    "bound_subject": "system:serviceaccount:shop:web",
    "token_policies": ["shop-read"],
}


def judged(
    role: dict[str, Any], *, config: dict[str, Any] | None = None, wildcard: Level = Level.WARN, **fields: Any
) -> str:
    mount = {"path": "jwt", "type": "jwt", "config": config, "roles": {"shop": ROLE | role}}
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [mount]}
    claim = LoginRequest(
        **{
            "auth_type": "jwt",
            "ref": RoleRef.parse("auth/jwt", role="shop"),
            "service_account": "web",
            "namespace": "shop",
            "audience": ("vault",),
        }
        | fields
    )
    verdict = check(claim, load(json.dumps(document).encode(), documents), Rules(wildcard=wildcard), None)
    return f"{verdict.decision} {verdict.reason}"


@pytest.mark.parametrize(
    ("role", "fields", "expected"),
    [
        ({}, {}, "allow Allowed"),
        ({}, {"auth_type": "kubernetes"}, "allow Allowed"),
        ({"user_claim": ""}, {}, "deny RoleInvalid"),
        ({"role_type": "oidc"}, {}, "deny RoleTypeNotUsable"),
        ({"role_type": None}, {}, "allow Allowed"),
        ({"bound_subject": "system:serviceaccount:shop:api"}, {}, "deny SubjectMismatch"),
        ({}, {"namespace": "other"}, "deny SubjectMismatch"),
        ({"bound_subject": "system:serviceaccount:shop:default"}, {"service_account": ""}, "allow Allowed"),
        ({"bound_audiences": []}, {}, "deny AudienceNotBound"),
        ({"bound_audiences": None}, {"audience": None}, "deny AudienceNotBound"),
        ({"bound_audiences": ["a", "vault"]}, {}, "allow Allowed"),
        ({}, {"audience": ("other",)}, "deny AudienceMismatch"),
        ({}, {"audience": None}, "warn AudienceUndecidable"),
        ({"token_policies": ["root"]}, {}, "deny PolicyNotAssignable"),
        ({"token_policies": ["root"], "user_claim": ""}, {}, "deny RoleInvalid"),
    ],
)
def test_role_and_token(role: dict[str, Any], fields: dict[str, Any], expected: str) -> None:
    assert judged(role, **fields) == expected


@pytest.mark.parametrize(
    ("issuer", "expected"), [("a", "allow Allowed"), ("b", "deny IssuerMismatch"), ("", "warn IssuerUndecidable")]
)
def test_the_bound_issuer(issuer: str, expected: str) -> None:
    assert judged({}, config={"bound_issuer": "a"}, issuer=issuer) == expected


@pytest.mark.parametrize(
    ("claim", "pointer", "fields", "expected"),
    [
        ("sub", False, {}, "allow Allowed"),
        ("sub", True, {}, "allow Allowed"),
        ("iss", False, {"issuer": "x"}, "allow Allowed"),
        ("iss", False, {}, "warn ClaimUndecidable"),
        ("jti", False, {}, "warn ClaimUndecidable"),
        ("aud", False, {}, "deny UserClaimInvalid"),
        ("exp", False, {}, "deny UserClaimInvalid"),
        ("email", False, {}, "deny UserClaimInvalid"),
        ("kubernetes.io", False, {}, "deny UserClaimInvalid"),
        ("/kubernetes.io/namespace", True, {}, "allow Allowed"),
        ("/kubernetes.io/namespace", False, {}, "deny UserClaimInvalid"),
        ("/kubernetes.io/serviceaccount/uid", True, {}, "warn ClaimUndecidable"),
        ("/kubernetes.io/serviceaccount/uid", True, {"uid": "1"}, "allow Allowed"),
        ("/kubernetes.io/pod/name", True, {"pod_name": "p"}, "allow Allowed"),
        ("/kubernetes.io/pod/name", True, {}, "warn ClaimUndecidable"),
        ("/kubernetes.io/node/name", True, {}, "warn ClaimUndecidable"),
        ("/aud/0", True, {}, "allow Allowed"),
        ("/aud/1", True, {}, "deny UserClaimInvalid"),
        ("/aud/" + "9" * 5_000, True, {}, "deny UserClaimInvalid"),
        ("/kubernetes.io/serviceaccount", True, {}, "deny UserClaimInvalid"),
        ("/kubernetes~1io", True, {}, "deny UserClaimInvalid"),
        ("/sub/0", True, {}, "deny UserClaimInvalid"),
    ],
)
def test_the_user_claim(claim: str, pointer: bool, fields: dict[str, Any], expected: str) -> None:
    assert judged({"user_claim": claim, "user_claim_json_pointer": pointer}, **fields) == expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("sub", "allow Allowed"),
        ("jti", "allow Allowed"),
        ("email", "allow Allowed"),
        ("/kubernetes.io/namespace", "allow Allowed"),
        ("aud", "deny ClaimMappingInvalid"),
        ("iat", "deny ClaimMappingInvalid"),
        ("/kubernetes.io/pod", "deny ClaimMappingInvalid"),
    ],
)
def test_claim_mappings(claim: str, expected: str) -> None:
    assert judged({"claim_mappings": {claim: "key"}}) == expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("", "allow Allowed"),
        ("aud", "allow Allowed"),
        ("sub", "allow Allowed"),
        ("jti", "warn ClaimUndecidable"),
        ("groups", "deny GroupsClaimInvalid"),
        ("exp", "deny GroupsClaimInvalid"),
        ("kubernetes.io", "deny GroupsClaimInvalid"),
    ],
)
def test_the_groups_claim(claim: str, expected: str) -> None:
    assert judged({"groups_claim": claim}) == expected


SUBJECT = "system:serviceaccount:shop:web"


@pytest.mark.parametrize(
    ("claims", "kind", "fields", "expected"),
    [
        ({"sub": SUBJECT}, "string", {}, "allow Allowed"),
        ({"sub": ["x", SUBJECT]}, "string", {}, "allow Allowed"),
        ({"sub": "system:serviceaccount:shop:*"}, "string", {}, "deny ClaimMismatch"),
        ({"sub": "system:serviceaccount:shop:*"}, "glob", {}, "allow Allowed"),
        ({"sub": ["*", "x"]}, "glob", {}, "warn WildcardBinding"),
        ({"sub": "*", "aud": "vault"}, "glob", {}, "allow Allowed"),
        ({"aud": "vault"}, "string", {}, "allow Allowed"),
        ({"aud": "other"}, "string", {}, "deny ClaimMismatch"),
        ({"iss": "x"}, "string", {}, "warn ClaimUndecidable"),
        ({"iss": "x"}, "string", {"issuer": "x"}, "allow Allowed"),
        ({"iss": "x", "sub": "y"}, "string", {}, "deny ClaimMismatch"),
        ({"/kubernetes.io/namespace": "shop"}, "string", {}, "allow Allowed"),
        ({"kubernetes.io/namespace": "shop"}, "string", {}, "deny ClaimMismatch"),
        ({"kubernetes.io": {"namespace": "shop"}}, "string", {}, "deny ClaimMismatch"),
        ({"email": "a@b"}, "string", {}, "deny ClaimMismatch"),
        ({"/kubernetes.io/namespace": True}, "string", {}, "deny ClaimMismatch"),
        ({}, "string", {}, "warn WildcardBinding"),
    ],
)
def test_bound_claims(claims: dict[str, Any], kind: str, fields: dict[str, Any], expected: str) -> None:
    role = {"bound_subject": "", "bound_claims": claims, "bound_claims_type": kind}
    assert judged(role, **fields) == expected


def test_a_role_for_everyone_is_refused_where_the_rules_say_so() -> None:
    assert judged({"bound_subject": ""}, wildcard=Level.DENY) == "deny WildcardBinding"
