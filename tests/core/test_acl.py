"""Whether a role may read a path, with all of a document around it."""

import json
from typing import Any

import pytest

from webhook.core.acl import check_path, check_secrets
from webhook.core.bindings import Snapshot, load
from webhook.core.claim import Claim, Mode, PolicyCheck, Rules
from webhook.core.login import check
from webhook.core.verdict import Level, Verdict, combine
from webhook.yaml_text import documents

STRICT = Rules(policy_check=PolicyCheck.DENY)
CLAIM = Claim(role="shop", service_account="web", namespace="shop", audience=("vault",))
READ = 'path "secret/data/shop/*" { capabilities = ["read"] }'
MOUNTS = [{"path": "secret/", "type": "kv", "options": {"version": "2"}}, {"path": "old/", "type": "kv"}]


def snapshot(
    *policies: str | None, role: dict[str, Any] | None = None, mount: dict[str, Any] | None = None, **members: Any
) -> Snapshot:
    """Return a document whose role `shop` has the policies p0, p1, ... of these texts."""
    listed = [{"name": f"p{number}", "hcl": text} for number, text in enumerate(policies)]
    fields = {
        "bound_service_account_names": ["web"],
        "bound_service_account_namespaces": ["shop"],
        "token_policies": [entry["name"] for entry in listed],
    }
    auth = {"path": "kubernetes", "type": "kubernetes", "accessor": "acc", "roles": {"shop": fields | (role or {})}}
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "policies": listed, "mounts": MOUNTS}
    return load(json.dumps(document | {"auth": [auth | (mount or {})]} | members).encode(), documents)


def shown(verdict: Verdict) -> str:
    return f"{verdict.decision} {verdict.reason}"


def judged(known: Snapshot, path: str = "secret/shop/db", rules: Rules = STRICT, claim: Claim = CLAIM) -> str:
    return shown(check_path(path, claim, known, rules, None))


@pytest.mark.parametrize(
    ("policy", "path", "expected"),
    [
        (READ, "secret/shop/db", "allow SecretReadable"),
        (READ, "secret/data/shop/db", "allow SecretReadable"),
        (READ, "secret/other/db", "deny SecretPathNotGranted"),
        (READ, "", "deny SecretPathInvalid"),
        (READ, "a/../b", "deny SecretPathInvalid"),
        (READ, "nowhere/db", "deny SecretMountUnknown"),
        ('path "secret/*" { policy = "deny" }', "secret/shop/db", "deny SecretPathDenied"),
        ('path "secret/*" { capabilities = ["list"] }', "secret/shop/db", "deny SecretReadNotGranted"),
        (f'{READ[:-1]} required_parameters = ["x"] }}', "secret/shop/db", "deny SecretPathConstrained"),
        (f'{READ[:-1]} required_parameters = ["x"] }}', "secret/shop/db?x=1", "allow SecretReadable"),
        (f'{READ[:-1]} mfa_methods = ["x"] }}', "secret/shop/db", "warn SecretApprovalRequired"),
        ('path "secret/shop/*" { policy = "read" }', "secret/shop/db", "deny KvV2DataPrefixMissing"),
        ('path "old/*" { policy = "read" }', "old/data/db", "allow SecretReadable"),
        ('path "old/db" { policy = "read" }', "old/data/db", "deny KvV1DataPrefixUnneeded"),
        ("path {", "secret/shop/db", "warn PolicyInvalid"),
        (
            'path "secret/data/{{identity.entity.id}}/*" { policy = "read" }',
            "secret/shop/db",
            "warn PolicyTemplateUndecidable",
        ),
        ("", "cubbyhole/x", "allow SecretReadable"),
        ("", "auth/token/lookup-self", "allow SecretReadable"),
        ("", "identity/oidc/provider/x/authorize", "allow SecretReadable"),
        ("", "identity/entity/id/x", "warn PolicyTemplateUndecidable"),
        ("", "sys/mounts", "deny SecretPathNotGranted"),
    ],
)
def test_one_policy(policy: str, path: str, expected: str) -> None:
    assert judged(snapshot(policy), path) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"policies": None}, "warn PolicyUnavailable"),
        ({"policies": [], "complete": {"policies": False}}, "warn PolicyUnavailable"),
        ({"policies": []}, "deny PolicyNotFound"),
        ({"policies": [{"name": "p0"}]}, "warn PolicyUnavailable"),
        ({"policies": [{"name": "p0", "policy": READ}]}, "allow SecretReadable"),
        ({"policies": [{"name": "P0", "hcl": READ}]}, "allow SecretReadable"),
        ({"policies": [{"name": "p0", "hcl": READ, "namespace": "team-a"}]}, "deny PolicyNotFound"),
        ({"policies": [{"name": "p0", "hcl": ""}], "identityModel": "managed"}, "warn PolicySetUndecidable"),
        ({"mounts": None}, "warn KvVersionUnknown"),
        ({"mounts": [], "complete": {"mounts": False}}, "warn KvVersionUnknown"),
        ({"mounts": []}, "deny SecretMountUnknown"),
    ],
)
def test_what_is_not_known_weakens_refusals(members: dict[str, Any], expected: str) -> None:
    assert judged(snapshot(READ, **members)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("secret/data/shop/db", "allow SecretReadable"),
        ("secret/shop/db", "warn KvVersionUnknown"),
        ("other/db", "deny SecretPathNotGranted"),
    ],
)
def test_paths_where_mounts_are_not_known(path: str, expected: str) -> None:
    assert judged(snapshot(READ, mounts=None), path) == expected


class TestSeveralPolicies:
    def test_grants_stand_beside_what_is_unknown(self) -> None:
        known = snapshot(READ, None, "path {", role={"token_policies": ["p0", "p1", "p2"]})
        assert judged(known) == "allow SecretReadable"
        assert judged(known, "secret/other") == "warn PolicyInvalid"

    def test_a_missing_one_is_told_of(self) -> None:
        known = snapshot(READ, role={"token_policies": ["p0", "gone"]})
        assert judged(known) == "warn PolicyNotFound"
        assert 'policy "gone"' in check_path("secret/shop/db", CLAIM, known, STRICT, None).message
        assert judged(known, "secret/other") == "deny PolicyNotFound"

    def test_the_hint_about_data_needs_everything_known(self) -> None:
        text = 'path "secret/shop/*" { policy = "read" }'
        assert judged(snapshot(text, identityModel="managed")) == "warn PolicySetUndecidable"
        assert judged(snapshot(text, None)) == "warn PolicyUnavailable"

    def test_the_default_policy_can_be_replaced_and_switched_off(self) -> None:
        own = [{"name": "default", "hcl": READ}]
        assert judged(snapshot(policies=own)) == "allow SecretReadable"
        assert judged(snapshot(policies=own), "cubbyhole/x") == "deny SecretPathNotGranted"
        without = snapshot(policies=own, role={"token_no_default_policy": True})
        assert judged(without) == "deny SecretPathNotGranted"

    def test_templated_policy_names_are_unknown(self) -> None:
        known = snapshot(READ, role={"token_policies_template_claims": True})
        assert judged(known) == "warn PolicyUnavailable"

    def test_root_cannot_be_issued(self) -> None:
        assert judged(snapshot(READ, role={"token_policies": ["p0", "root"]})) == "deny PolicyNotAssignable"


@pytest.mark.parametrize(("now", "expected"), [(None, "allow"), (1e9, "allow"), (2e9, "deny")])
def test_an_expired_block_grants_nothing(now: float | None, expected: str) -> None:
    known = snapshot(f'{READ[:-1]} expiration = "2026-01-01T00:00:00Z" }}')
    assert check_path("secret/shop/db", CLAIM, known, STRICT, now).decision == expected


def test_policies_and_mounts_are_those_of_the_role_s_vault_namespace() -> None:
    policies = [{"name": "p0", "hcl": READ, "namespace": "team-a"}]
    mounts = [{"path": "secret", "type": "kv", "options": {"version": 2}, "namespace": "team-a"}]
    known = snapshot(READ, mount={"namespace": "team-a"}, policies=policies, mounts=mounts)
    there = Claim(role="shop", service_account="web", namespace="shop", vault_namespace="team-a")
    assert judged(known, claim=there) == "allow SecretReadable"


class TestSecretsOfAPod:
    def test_every_path_is_judged_once_and_denies_come_first(self) -> None:
        known = snapshot(f'{READ}\npath "old/x" {{ policy = "read" mfa_methods = ["m"] }}')
        paths = ("old/x", "secret/shop/db", "secret/a", "secret/a", "secret/b")
        verdict = check_secrets(paths, CLAIM, known, STRICT, None)
        assert [(finding.level, finding.reason) for finding in verdict.findings] == [
            (Level.DENY, "SecretPathNotGranted"),
            (Level.DENY, "SecretPathNotGranted"),
            (Level.WARN, "SecretApprovalRequired"),
        ]

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            (Rules(), "warn SecretPathNotGranted"),
            (Rules(policy_check=PolicyCheck.DENY), "deny SecretPathNotGranted"),
            (Rules(policy_check=PolicyCheck.OFF), "allow Allowed"),
            (Rules(policy_check=PolicyCheck.DENY, mode=Mode.WARN), "warn SecretPathNotGranted"),
            (Rules(policy_check=PolicyCheck.DENY, mode=Mode.OFF), "allow Allowed"),
        ],
    )
    def test_the_settings_decide_how_loud(self, rules: Rules, expected: str) -> None:
        assert shown(check_secrets(("secret/a",), CLAIM, snapshot(READ), rules, None)) == expected

    @pytest.mark.parametrize(
        "claim",
        [
            Claim(role="nobody", service_account="web", namespace="shop"),
            Claim(role="shop", service_account="web", namespace="shop", auth_path="auth/other"),
            Claim(role="shop", service_account="web", namespace="shop", server="https://other:8200"),
            Claim(role="shop", service_account="web", namespace="shop", config_inspected=False),
        ],
    )
    def test_nothing_is_said_where_the_role_is_not_known(self, claim: Claim) -> None:
        known = snapshot(READ, server={"address": "https://vault:8200"})
        assert shown(check_secrets(("secret/a",), claim, known, STRICT, None)) == "allow Allowed"

    def test_old_and_missing_data_refuse_nobody(self) -> None:
        known = snapshot(READ, fetchedAt="2020-01-01T00:00:00Z")
        assert shown(check_secrets(("secret/a",), CLAIM, known, STRICT, 2e9)) == "allow Allowed"
        assert shown(check_secrets(("secret/a",), CLAIM, None, STRICT, 2e9)) == "allow Allowed"


class TestBothChecks:
    def test_a_denied_secret_comes_before_a_login_s_warning(self) -> None:
        known = snapshot(READ, role={"token_bound_cidrs": ["10.0.0.0/8"]})
        login, secrets = check(CLAIM, known, STRICT, None), check_secrets(("secret/a",), CLAIM, known, STRICT, None)
        both = combine(login, secrets)
        assert shown(both) == "deny SecretPathNotGranted"
        assert [finding.reason for finding in both.findings] == ["SecretPathNotGranted", "BoundCidrUndecidable"]

    def test_a_login_s_warning_comes_before_a_secret_s(self) -> None:
        known = snapshot(READ, role={"token_bound_cidrs": ["10.0.0.0/8"]})
        both = combine(check(CLAIM, known, Rules(), None), check_secrets(("secret/a",), CLAIM, known, Rules(), None))
        assert [finding.reason for finding in both.findings] == ["BoundCidrUndecidable", "SecretPathNotGranted"]

    def test_what_both_say_is_said_once(self) -> None:
        known = snapshot(READ, role={"token_policies": ["root"]})
        both = combine(check(CLAIM, known, STRICT, None), check_secrets(("secret/a",), CLAIM, known, STRICT, None))
        assert [finding.reason for finding in both.findings] == ["PolicyNotAssignable"]

    def test_two_silent_verdicts_are_the_login_s(self) -> None:
        known = snapshot(READ)
        paths = ("secret/shop/db",)
        both = combine(check(CLAIM, known, STRICT, None), check_secrets(paths, CLAIM, known, STRICT, None))
        assert shown(both) == "allow Allowed"
