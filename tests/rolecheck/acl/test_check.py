"""Whether a role may read a path, with all of a document around it."""

import json
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from tests.core.asking import ask, pod_with
from webhook.rolecheck.acl.check import check_path
from webhook.rolecheck.acl.secret_path import MOUNT_DEPTH_MAX, PATH_MAX
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.rolecheck.login_request import LoginRequest, Mode, PolicyCheck, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Verdict
from webhook.yaml_text import documents

STRICT = Rules(policy_check=PolicyCheck.DENY)
CLAIM = LoginRequest(
    ref=RoleRef("", "kubernetes", "shop"), service_account="web", namespace="shop", audience=("vault",)
)
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


def judged(known: Snapshot, path: str = "secret/shop/db", rules: Rules = STRICT, claim: LoginRequest = CLAIM) -> str:
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
    there = replace(CLAIM, ref=RoleRef("team-a", "kubernetes", "shop"))
    assert judged(known, claim=there) == "allow SecretReadable"


TEAM_MOUNTS = [
    {"path": "secret", "type": "kv", "options": {"version": 2}, "namespace": namespace}
    for namespace in ("", "team1", "team1/sub")
] + [{"path": "old", "type": "kv", "namespace": "team1/sub"}]
FROM_ROOT = 'path "team1/secret/data/shop/*" { policy = "read" }\npath "team1/sub/+/app" { policy = "read" }'
FROM_TEAM = 'path "secret/data/shop/*" { policy = "read" }\npath "sub/secret/data/x" { policy = "read" }'


BY_NAMESPACE = replace(CLAIM, ref=RoleRef.parse("auth/kubernetes", "/team1/", role="shop"))
BY_PATH = replace(CLAIM, ref=RoleRef.parse("team1/auth/kubernetes", role="shop"), asks_in="")


class TestVaultNamespaces:
    """As OpenBao 2.7.2 and its agent did it; tests/truth asks a live one."""

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("team1/secret/shop/x", "allow SecretReadable"),
            ("team1/secret/data/shop/x", "allow SecretReadable"),
            ("team1/secret/x", "deny SecretPathNotGranted"),
            ("team1/sub/old/app", "allow SecretReadable"),
            ("team1/sub/secret/app", "deny KvV2DataPrefixMissing"),
            ("secret/shop/x", "deny SecretPathNotGranted"),
            ("team1/nosuch/x", "deny SecretMountUnknown"),
            ("team2/secret/shop/x", "deny SecretMountUnknown"),
            ("team1/sys/mounts", "deny SecretPathNotGranted"),
        ],
    )
    def test_a_token_of_the_root_reads_below(self, path: str, expected: str) -> None:
        assert judged(snapshot(FROM_ROOT, mounts=TEAM_MOUNTS), path) == expected

    @staticmethod
    def of_team(*, managed: bool = False, text: str | None = FROM_TEAM) -> Snapshot:
        policies = [{"name": "p0", "namespace": "team1", "hcl": text}, {"name": "p0", "hcl": FROM_ROOT}]
        mount = {"namespace": "team1"}
        model = "managed" if managed else "automatic"
        return snapshot("", mount=mount, policies=policies, mounts=TEAM_MOUNTS, identityModel=model)

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("team1/secret/shop/x", "allow SecretReadable"),
            ("team1/sub/secret/x", "allow SecretReadable"),
            ("team1/sub/secret/data/x", "allow SecretReadable"),
            ("secret/shop/x", "deny SecretPathNotGranted"),
            ("team1/sub/old/app", "deny SecretPathNotGranted"),
            ("cubbyhole/x", "deny SecretPathNotGranted"),
            ("team1/cubbyhole/x", "allow SecretReadable"),
        ],
    )
    def test_a_login_by_a_path_leaves_the_agent_in_the_root(self, path: str, expected: str) -> None:
        assert judged(self.of_team(), path, claim=BY_PATH) == expected

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("secret/shop/x", "allow SecretReadable"),
            ("sub/secret/data/x", "allow SecretReadable"),
            ("sub/secret/x", "warn KvVersionHidden"),
            ("sub/secret/y", "deny SecretPathNotGranted"),
            ("team1/secret/shop/x", "deny SecretMountUnknown"),
        ],
    )
    def test_with_a_namespace_the_agent_asks_there(self, path: str, expected: str) -> None:
        assert judged(self.of_team(), path, claim=BY_NAMESPACE) == expected

    def test_what_lies_outside_the_token_s_namespace_no_unseen_policy_grants(self) -> None:
        assert judged(self.of_team(text=None), "team1/secret/q", claim=BY_PATH) == "warn PolicyUnavailable"
        assert judged(self.of_team(text=None), "secret/q", claim=BY_PATH) == "deny SecretPathNotGranted"
        assert judged(self.of_team(managed=True), "secret/q", claim=BY_PATH) == "warn PolicySetUndecidable"

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("team2/secret/data/x", "allow SecretReadable"),
            ("team2/secret/x", "warn KvVersionUnknown"),
            ("team3/secret/data/x", "deny SecretPathNotGranted"),
            ("secret/data/x", "deny SecretPathNotGranted"),
        ],
    )
    def test_a_namespace_nobody_lists_may_exist_where_not_all_auth_mounts_are_known(
        self, path: str, expected: str
    ) -> None:
        text = 'path "team2/secret/data/*" { policy = "read" }'
        known = snapshot(text, mounts=TEAM_MOUNTS, complete={"auth": False})
        assert judged(known, path) == expected
        assert judged(snapshot(text, mounts=TEAM_MOUNTS), "team2/secret/data/x") == "deny SecretMountUnknown"

    def test_templates_are_filled_below_the_token_s_namespace(self) -> None:
        own = "{{identity.entity.aliases.acc.metadata.service_account_namespace}}"
        known = self.of_team(text=f'path "secret/data/{own}/*" {{ policy = "read" }}')
        assert judged(known, "team1/secret/shop/x", claim=BY_PATH) == "allow SecretReadable"
        assert judged(known, "team1/secret/other/x", claim=BY_PATH) == "deny SecretPathNotGranted"


class TestPathsOfAnyLength:
    def test_one_that_is_too_long_is_refused_with_the_limit(self) -> None:
        verdict = check_path("x/" * PATH_MAX, CLAIM, snapshot(READ), STRICT, None)
        assert shown(verdict) == "deny SecretPathInvalid"
        assert str(PATH_MAX) in verdict.findings[0].hint

    def test_where_mounts_are_unknown_a_deep_one_is_not_decided(self) -> None:
        known = snapshot(READ, mounts=None)
        deep = "secret" + "/x" * (MOUNT_DEPTH_MAX + 1)
        assert judged(known, deep) == "warn KvVersionUnknown"
        assert judged(known, deep[:-2]) == "deny SecretPathNotGranted"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (Rules(), "warn SecretPathNotGranted"),
        (Rules(policy_check=PolicyCheck.DENY), "deny SecretPathNotGranted"),
        (Rules(policy_check=PolicyCheck.DENY, mode=Mode.WARN), "warn SecretPathNotGranted"),
    ],
)
def test_the_settings_decide_how_loud(rules: Rules, expected: str) -> None:
    assert judged(snapshot(READ), "secret/a", rules=rules) == expected


class TestSecretsOfAPod:
    """Through admission: login and secrets together."""

    GRANTED: ClassVar = {"agent-inject-secret-a": "secret/shop/x", "agent-inject-secret-b": "secret/shop/db"}
    UNGRANTED: ClassVar = {"agent-inject-secret-c": "secret/a"}
    DENY: ClassVar = {"AGENT_INJECT_POLICY_CHECK": "deny"}

    @staticmethod
    def asked(known: Snapshot | None, annotations: dict[str, str], **settings: str) -> Any:
        pod = pod_with(annotations, serviceAccountName="web")
        return ask(pod, bindings=known, settings={"AGENT_INJECT_BINDINGS": "given", **settings})

    def test_a_path_that_is_not_granted_is_refused_under_its_annotation(self) -> None:
        result = self.asked(snapshot(READ), {**self.GRANTED, **self.UNGRANTED}, **self.DENY)
        assert result.reason == "SecretPathNotGranted"
        assert "agent-inject-secret-c" in result.message

    @pytest.mark.parametrize("settings", [{"AGENT_INJECT_POLICY_CHECK": "off"}, {"AGENT_INJECT_BINDING_CHECK": "off"}])
    def test_nothing_is_said_when_the_check_is_off(self, settings: dict[str, str]) -> None:
        assert self.asked(snapshot(READ), self.UNGRANTED, **settings).answer.outcome.findings == ()

    def test_a_template_s_paths_are_its_author_s(self) -> None:
        annotations = {**self.UNGRANTED, "agent-inject-template-c": "{{ x }}"}
        assert self.asked(snapshot(READ), annotations, **self.DENY).answer.outcome.findings == ()

    def test_a_denied_secret_counts_before_a_login_s_warning(self) -> None:
        known = snapshot(READ, role={"token_bound_cidrs": ["10.0.0.0/8"]})
        assert self.asked(known, self.UNGRANTED, **self.DENY).answer.reason == "SecretPathNotGranted"

    def test_a_login_s_warning_comes_before_a_secret_s(self) -> None:
        known = snapshot(READ, role={"token_bound_cidrs": ["10.0.0.0/8"]})
        found = self.asked(known, self.UNGRANTED, AGENT_INJECT_POLICY_CHECK="warn").answer.outcome.findings
        assert found == ("BoundCidrUndecidable", "SecretPathNotGranted")

    def test_what_both_checks_say_is_said_once(self) -> None:
        known = snapshot(READ, role={"token_policies": ["root"]})
        settings = {**self.DENY, "AGENT_INJECT_BINDING_CHECK": "warn"}
        assert self.asked(known, self.UNGRANTED, **settings).answer.outcome.findings == ("PolicyNotAssignable",)

    @pytest.mark.parametrize(
        ("annotations", "reason"),
        [
            ({"role": "nobody"}, "RoleNotFound"),
            ({"auth-path": "auth/other"}, "AuthMountUnknown"),
            ({"service": "https://other:8200"}, "ServerNotCovered"),
        ],
    )
    def test_where_the_role_is_not_known_the_secrets_are_not_judged(
        self, annotations: dict[str, str], reason: str
    ) -> None:
        known = snapshot(READ, server={"address": "https://vault:8200"})
        result = self.asked(known, {**self.UNGRANTED, **annotations}, **self.DENY)
        assert (result.answer.reason, *result.answer.outcome.findings)[-1] == reason

    @pytest.mark.parametrize("known", [None, snapshot(READ, fetchedAt="2020-01-01T00:00:00Z")])
    def test_old_and_missing_data_refuse_nobody(self, known: Snapshot | None) -> None:
        assert self.asked(known, self.UNGRANTED, **self.DENY).allowed

    @pytest.mark.parametrize(
        "policy", ['path "secret/*" { capabilities = ["read"] }', 'path "pki/issue/web" { capabilities = ["update"] }']
    )
    def test_a_path_that_is_written_is_not_helped_by_a_right_to_read(self, policy: str) -> None:
        known = snapshot(policy, mounts=[*MOUNTS, {"path": "pki/", "type": "pki"}])
        result = self.asked(known, {"agent-inject-secret-c": "pki/issue/web"}, **self.DENY)
        assert not result.allowed
        assert "Fix: give a template that writes" in result.message
