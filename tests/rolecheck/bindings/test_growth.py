"""Documents of many megabytes are legitimate: loading and asking cost their length, in calls and in memory."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.growth import assert_linear
from webhook.rolecheck import login
from webhook.rolecheck.bindings import selector, vault_values
from webhook.rolecheck.bindings.load import BindingsError, load
from webhook.rolecheck.bindings.patterns import TEXT_MAX, Patterns, matches
from webhook.rolecheck.login_request import LoginRequest, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.yaml_text import documents

ROLE = {"bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"]}
LABELS = '{"matchLabels": {"team": "%d"}}'


def mount(**members: Any) -> dict[str, Any]:
    return {"path": "kubernetes", "type": "kubernetes", **members}


DOCUMENTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "roles": lambda n: {"auth": [mount(roles={f"r{i}": ROLE for i in range(n)})]},
    "roles in a list": lambda n: {"auth": [mount(roles=[{"name": f"r{i}", **ROLE} for i in range(n)])]},
    "mounts": lambda n: {"auth": [mount(path=f"auth/m{i}") for i in range(n)]},
    "selectors": lambda n: {
        "auth": [mount(roles={f"r{i}": {"bound_service_account_namespace_selector": LABELS % i} for i in range(n)})]
    },
    "names": lambda n: {"auth": [mount(roles={"r": {"bound_service_account_names": ",".join(["a*"] * n)}})]},
    "wrapped": lambda n: {
        "auth": [mount(roles={"r": json.loads('{"data": ' * min(n, 400) + "{}" + "}" * min(n, 400))})]
    },
    "policies": lambda n: {"policies": [{"name": f"p{i}", "hcl": "x"} for i in range(n)]},
    "secrets mounts": lambda n: {"mounts": [{"path": f"m{i}"} for i in range(n)]},
    "namespaces": lambda n: {"namespaces": {f"n{i}": {"labels": {"a": "b"}} for i in range(n)}},
    "Vault namespaces": lambda n: {"policies": [{"name": "p", "namespace": "/".join("x" * i)} for i in range(n)]},
    "a wrong value": lambda n: {"policies": [["x"] * n]},
}


def loaded(members: dict[str, Any]) -> Callable[[], None]:
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [mount()], **members}
    encoded = json.dumps(document).encode()

    def work() -> None:
        try:
            snapshot = load(encoded, documents)
        except BindingsError:
            return
        for item in snapshot.auth_mounts.values():
            for name in item.texts:
                item.role(name)
        claim = LoginRequest(ref=RoleRef("", "kubernetes", "r0"), service_account="web", namespace="shop", audience=())
        login.check(claim, snapshot, Rules(), None)
        snapshot.has_namespace("x/x/x")

    return work


@pytest.mark.parametrize("name", DOCUMENTS)
def test_loading_costs_the_length_of_the_document(name: str) -> None:
    assert_linear(lambda n: loaded(DOCUMENTS[name](n)), 150)


TEXTS: dict[str, Callable[[str], Any]] = {
    "names": vault_values.names,
    "clean": vault_values.clean,
    "selector": lambda text: selector.parse(text, documents),
}
READERS: dict[str, Callable[[str], Any]] = {"seconds": vault_values.seconds, "time": vault_values.unix_time}
ODD = ["1h", "9", "a,", ", ", "[", "{", "{a: ", "- ", "\n", "? ", "&a ", "*a ", "2026-02-03T10:00:00", '"']


def tolerant(read: Callable[[str], Any], text: str) -> Callable[[], None]:
    def work() -> None:
        try:
            read(text)
        except ValueError as error:
            assert len(str(error)) < 300

    return work


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", [*TEXTS, *READERS])
def test_reading_a_value_costs_its_length(name: str, odd: str) -> None:
    assert_linear(lambda n: tolerant({**TEXTS, **READERS}[name], odd * n), 200)


@pytest.mark.parametrize("pattern", ["*a", "a*", "a*b", "*ab*ab*", "*" * 20, "*a" * 30 + "b", "x"])
def test_a_long_name_is_compared_with_no_pattern_but_stars(pattern: str) -> None:
    longest, beyond = "a" * TEXT_MAX, "a" * (TEXT_MAX + 1)
    assert matches(pattern, beyond) is (not pattern.strip("*"))
    assert Patterns.of([pattern]).admit(beyond) is (not pattern.strip("*"))
    assert matches("a*a", longest)
    assert matches(beyond, beyond)


def test_patterns_cost_their_number() -> None:
    assert_linear(lambda n: lambda: Patterns.of("*a*b*c*" for _ in range(n)).admit("ab" * 500), 300)
    assert_linear(lambda n: lambda: matches("*a" * n + "b", "a" * TEXT_MAX), 300)
