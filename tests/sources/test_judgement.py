"""What an author is told of a login: who asks comes first, and whoever is not bound to a role learns nothing else of it."""

import json
import sys

import pytest

from tests.core.asking import ask, pod_with
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.yaml_text import documents

MARKED = "marked"  # part of every value of the role that is not for strangers
BOUND = {"bound_service_account_names": ["shop"], "bound_service_account_namespaces": ["shop"]}
ROLE = BOUND | {
    "audience": "marked-audience",
    "token_policies": ["marked-policy", "root"],
    "token_num_uses": 7,
}
JWT_ROLE = {
    "user_claim": "sub",
    "bound_subject": "system:serviceaccount:shop:shop",
    "bound_audiences": ["marked-audience"],
    "claim_mappings": {"aud": "marked-key"},
    "groups_claim": "marked-groups",
}
SECRET = {"agent-inject-secret-db": "secret/data/shop/db"}


def snapshot(role=None, kind="kubernetes", **members) -> Snapshot:
    auth = {"path": "kubernetes", "type": kind, "roles": {"shop": ROLE if role is None else role}}
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [auth]} | members
    return load(json.dumps(document).encode(), documents)


def judged(role=None, annotations=None, *, kind="kubernetes", account="shop", namespace="shop", **settings):
    pod = pod_with({**SECRET, **(annotations or {})}, serviceAccountName=account)
    settings = {"AGENT_INJECT_BINDINGS": "given", "AGENT_INJECT_POLICY_CHECK": "deny", **settings}
    known = snapshot(role, kind, policies=[], mounts=[])
    return ask(pod, bindings=known, settings=settings, namespace=namespace)


def told(result):
    """Everything of an answer that its author sees."""
    return json.dumps([result.message, result.warnings, result.operations, result.audit])


class TestOrder:
    def test_the_account_comes_before_audience_and_policies(self):
        assert judged(account="stranger").reason == "ServiceAccountNotBound"

    def test_the_namespace_too(self):
        assert judged(namespace="elsewhere").reason == "NamespaceNotBound"
        assert judged(JWT_ROLE, kind="jwt", namespace="elsewhere").reason == "SubjectMismatch"

    def test_whoever_is_bound_is_told_the_audience(self):
        result = judged()
        assert result.reason == "AudienceMismatch"
        assert "marked-audience" in result.message

    def test_where_it_only_warns_the_same_comes_first(self):
        warnings = judged(account="stranger", AGENT_INJECT_BINDING_CHECK="warn").warnings
        assert "(ServiceAccountNotBound)" in warnings[0]
        assert any("(AudienceMismatch)" in warning for warning in warnings)


class TestStrangers:
    @pytest.mark.parametrize("who", [{"account": "stranger"}, {"namespace": "elsewhere"}])
    @pytest.mark.parametrize("mode", ["enforce", "warn"])
    @pytest.mark.parametrize("audience", ["vault", "auto"])
    @pytest.mark.parametrize(("role", "kind"), [(ROLE, "kubernetes"), (JWT_ROLE, "jwt"), (BOUND, "kubernetes")])
    def test_they_learn_nothing_else_of_the_role(self, who, mode, audience, role, kind):
        settings = {"AGENT_INJECT_BINDING_CHECK": mode, "AGENT_INJECT_TOKEN_AUDIENCE": audience}
        result = judged(role, kind=kind, **who, **settings)
        assert MARKED not in told(result)
        assert result.allowed is (mode == "warn")

    def test_their_secrets_are_not_looked_up(self):
        role = BOUND | {"token_policies": ["marked-policy"]}
        settings = {"AGENT_INJECT_BINDING_CHECK": "warn"}
        assert judged(role, account="stranger", **settings).answer.outcome.findings == ("ServiceAccountNotBound",)

    def test_with_full_disclosure_they_are_told(self):
        settings = {"AGENT_INJECT_BINDING_CHECK": "warn", "AGENT_INJECT_DISCLOSURE": "full"}
        assert "marked-audience" in told(judged(account="stranger", **settings))

    @pytest.mark.parametrize("audience", ["marked-audience", "vault"])
    def test_a_guess_of_the_audience_changes_nothing_they_see(self, audience):
        guess = judged(account="stranger", annotations={"agent-token-audience": audience})
        assert told(guess) == told(judged(account="stranger"))

    def test_the_bound_get_the_audience_the_role_pins(self):
        result = judged(
            BOUND | {"audience": "marked-audience"}, AGENT_INJECT_TOKEN_AUDIENCE="auto", AGENT_INJECT_POLICY_CHECK="off"
        )
        assert result.allowed
        assert "marked-audience" in told(result)


def calls(run):
    """Count the calls of Python functions."""
    counted = 0

    def count(_, event, __):
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("key", ["role", "auth-path", "namespace", "service", "auth-type"])
def test_names_of_any_size_cost_no_more_and_are_cut(key):
    results = {}

    def run(size):
        long = {"auth-path": "auth/" + "m" * size, "service": "https://" + "v" * size}.get(key, "x" * size)
        annotations = {key: long}
        role = annotations.pop("role", "shop")
        pod = pod_with(annotations, role=role)
        settings = {"AGENT_INJECT_BINDINGS": "given", "AGENT_INJECT_CONFIRM_SOCKET": "/run/x"}
        known = snapshot(server={"address": "https://vault:8200"})
        return calls(lambda: results.update({size: ask(pod, bindings=known, settings=settings)}))

    run(10)  # imports and caches
    assert run(80_000) <= run(2_000) + 20
    longest = results[80_000]
    assert len(longest.message) <= 300
    assert max([0, *map(len, longest.warnings)]) <= 240
    assert len(json.dumps(longest.audit)) < 1_000
    assert longest.answer.outcome.question is None or key in ("service", "auth-type")
    assert len(longest.answer.outcome.role) + len(longest.answer.outcome.mount) < 1_000
