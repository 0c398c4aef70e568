"""What the variables of templated policies are worth to one login."""

import json
from typing import Any

import pytest

from webhook.rolecheck.acl.template_variables import TemplateVariables, Unresolved, variables_of
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.load import load
from webhook.rolecheck.bindings.snapshot import RoleState
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.yaml_text import documents

DROPPED, UNCERTAIN = Unresolved.DROPPED, Unresolved.UNCERTAIN
A = "identity.entity.aliases.acc"


def identity(
    *,
    mount: dict[str, Any] | None = None,
    role: dict[str, Any] | None = None,
    claim: dict[str, Any] | None = None,
    **members: Any,
) -> TemplateVariables:
    auth = {"path": "m", "type": "kubernetes", "accessor": "acc", "config": {}, "roles": {"Shop": role or {}}} | (
        mount or {}
    )
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [auth]} | members
    snapshot = load(json.dumps(document).encode(), documents)
    found = snapshot.auth_mounts["", "m"].role("shop")
    assert not isinstance(found, RoleState)
    who = LoginRequest(
        **{"ref": RoleRef("", "m", "shop"), "service_account": "web", "namespace": "shop"} | (claim or {})
    )
    return variables_of(found, Attempt(who, snapshot.auth_mounts["", "m"], Rules(), None), snapshot)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (f"{A}.metadata.service_account_name", "web"),
        (f"{A}.metadata.service_account_namespace", "shop"),
        (f"{A}.metadata.service_account_secret_name", ""),
        (f"{A}.metadata.service_account_uid", UNCERTAIN),
        (f"{A}.metadata.team", DROPPED),
        (f"{A}.metadata", DROPPED),
        (f"{A}.name", UNCERTAIN),
        (f"{A}.id", UNCERTAIN),
        (f"{A}.custom_metadata.team", DROPPED),
        (f"{A}.other", DROPPED),
        (A, DROPPED),
        ("identity.entity.aliases.other.name", DROPPED),
        ("identity.entity.id", UNCERTAIN),
        ("identity.entity.name", UNCERTAIN),
        ("identity.entity.metadata.team", DROPPED),
        ("identity.entity.metadata", DROPPED),
        ("identity.entity.groups.names", DROPPED),
        ("identity.groups.names.ops.id", DROPPED),
        ("time.now", UNCERTAIN),
        ("time.now.plus.1h", UNCERTAIN),
        ("nonsense", DROPPED),
        ("entity.id", DROPPED),
        ("", DROPPED),
    ],
)
def test_variables_of_a_kubernetes_login(variable: str, expected: object) -> None:
    assert identity().resolve(variable) == expected


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (f"{A}.custom_metadata.team", UNCERTAIN),
        ("identity.entity.aliases.other.name", UNCERTAIN),
        ("identity.entity.metadata.team", UNCERTAIN),
        ("identity.entity.metadata", DROPPED),
        ("identity.entity.groups.names", DROPPED),
        ("identity.groups.ids.1.name", UNCERTAIN),
    ],
)
def test_a_managed_identity_may_have_more(variable: str, expected: object) -> None:
    assert identity(identityModel="managed").resolve(variable) == expected


@pytest.mark.parametrize(
    ("source", "claim", "expected"),
    [
        ("serviceaccount_name", {}, "shop/web"),
        ("serviceaccount_name", {"service_account": ""}, "shop/default"),
        ("serviceaccount_uid", {"uid": "u"}, "u"),
        ("", {"uid": "u"}, "u"),
        ("", {}, UNCERTAIN),
    ],
)
def test_the_alias_name_follows_the_role(source: str, claim: dict[str, Any], expected: object) -> None:
    assert identity(role={"alias_name_source": source}, claim=claim).resolve(f"{A}.name") == expected


@pytest.mark.parametrize(
    ("config", "product", "expected"),
    [
        ({"use_annotations_as_alias_metadata": True}, "vault", UNCERTAIN),
        ({"use_annotations_as_alias_metadata": False}, "vault", DROPPED),
        (None, "vault", UNCERTAIN),
        ({"use_annotations_as_alias_metadata": True}, "openbao", DROPPED),
        (None, "openbao", DROPPED),
    ],
)
def test_annotations_may_become_metadata(config, product: str, expected: object) -> None:
    who = identity(mount={"config": config}, server={"product": product})
    assert who.resolve(f"{A}.metadata.team") == expected


@pytest.mark.parametrize("variable", [f"{A}.name", "identity.entity.aliases.other.metadata.x"])
def test_aliases_are_uncertain_while_the_accessor_is_not_known(variable: str) -> None:
    assert identity(mount={"accessor": None}).resolve(variable) is UNCERTAIN


def test_variables_of_a_jwt_login() -> None:
    role = {
        "user_claim": "sub",
        "claim_mappings": {"/kubernetes.io/namespace": "ns", "jti": "token", "email": "email"},
    }
    who = identity(mount={"type": "jwt"}, role=role)
    metadata = {
        key: who.resolve(f"{A}.metadata.{key}") for key in ("role", "ns", "token", "email", "service_account_name")
    }
    assert metadata == {
        "role": "shop",
        "ns": "shop",
        "token": UNCERTAIN,
        "email": DROPPED,
        "service_account_name": DROPPED,
    }
    assert who.resolve(f"{A}.name") == "system:serviceaccount:shop:web"
