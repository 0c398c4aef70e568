"""Logins at mounts of type kubernetes, and what is checked whatever the type."""

import json
from typing import Any

import pytest

from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.rolecheck.login import check, known_role
from webhook.rolecheck.login_request import Disclosure, Lapse, LoginRequest, Mode, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level, Verdict
from webhook.yaml_text import documents

ROLE = {
    "bound_service_account_names": ["web"],
    "bound_service_account_namespaces": ["shop"],
    "token_policies": ["shop-read"],
    "audience": "vault",
}
NO_REVIEWER = {"token_reviewer_jwt_set": False, "disable_local_ca_jwt": True}
TEAM = '{"matchLabels": {"team": "shop"}}'
STRICT = Rules()


def snapshot(role: object = None, *, mount: dict[str, Any] | None = None, **members: Any) -> Snapshot:
    roles = {"shop": ROLE if role is None else role, "unread": None}
    auth = {"path": "kubernetes", "type": "kubernetes", "roles": roles} | (mount or {})
    document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [auth]} | members
    return load(json.dumps(document).encode(), documents)


def claim(
    *, auth_path: str = "auth/kubernetes", vault_namespace: str = "", role: str = "shop", server: str = "", **who: Any
) -> LoginRequest:
    usual = {"service_account": "web", "namespace": "shop", "audience": ("vault",), "namespace_labels": {}}
    return LoginRequest(ref=RoleRef.parse(auth_path, vault_namespace, role=role, server=server), **usual | who)


def shown(verdict: Verdict) -> str:
    """Return the verdict as one text, `deny RoleNotFound`."""
    return f"{verdict.decision} {verdict.reason}"


def judged(
    of_role: dict[str, Any] | None = None,
    /,
    *,
    rules: Rules = STRICT,
    mount: dict[str, Any] | None = None,
    **of_claim: Any,
) -> str:
    return shown(check(claim(**of_claim), snapshot(ROLE | (of_role or {}), mount=mount), rules, None))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "allow Allowed"),
        ({"role": "SHOP"}, "allow Allowed"),
        ({"role": "shop "}, "deny RoleNotFound"),
        ({"role": "nobody"}, "deny RoleNotFound"),
        ({"role": ""}, "deny RoleMissing"),
        ({"role": "unread"}, "warn RoleUnreadable"),
        ({"service_account": "worker"}, "deny ServiceAccountNotBound"),
        ({"service_account": ""}, "deny ServiceAccountNotBound"),
        ({"namespace": "billing"}, "deny NamespaceNotBound"),
        ({"audience": ("other",)}, "deny AudienceMismatch"),
        ({"audience": ()}, "deny AudienceMismatch"),
        ({"audience": ("other", "vault")}, "allow Allowed"),
        ({"audience": None}, "warn AudienceUndecidable"),
        ({"has_token": False}, "deny TokenVolumeMissing"),
        ({"has_token": False, "auth_type": "jwt"}, "deny TokenVolumeMissing"),
        ({"auth_type": "jwt"}, "allow Allowed"),
        ({"auth_type": "token_file", "has_token": False}, "allow AuthTypeNotChecked"),
        ({"auth_type": "token-file"}, "allow AuthTypeNotChecked"),
        ({"auth_type": "approle"}, "deny AuthTypeMismatch"),
        ({"auth_path": "auth/other"}, "deny AuthMountUnknown"),
        ({"auth_path": "kubernetes"}, "deny AuthMountUnknown"),
        ({"auth_path": "auth/"}, "deny AuthMountUnknown"),
        ({"auth_path": ""}, "deny AuthMountUnknown"),
        ({"auth_path": "//auth//kubernetes//"}, "allow Allowed"),
        ({"auth_path": "team-a/auth/kubernetes"}, "deny AuthMountUnknown"),
        ({"vault_namespace": "team-a"}, "deny AuthMountUnknown"),
        ({"vault_namespace": "/"}, "allow Allowed"),
        ({"config_inspected": False, "role": ""}, "allow AgentConfigNotInspected"),
    ],
)
def test_a_claim_against_a_plain_role(fields: dict[str, Any], expected: str) -> None:
    assert judged(**fields) == expected


@pytest.mark.parametrize(
    ("role", "fields", "expected"),
    [
        ({"bound_service_account_names": []}, {}, "deny RoleInvalid"),
        ({"bound_service_account_namespaces": []}, {}, "deny RoleInvalid"),
        ({"bound_service_account_namespaces": None}, {}, "deny RoleInvalid"),
        ({"alias_name_source": "pod"}, {}, "deny RoleInvalid"),
        ({"alias_name_source": ""}, {}, "allow Allowed"),
        ({"alias_name_source": "serviceaccount_name"}, {}, "allow Allowed"),
        ({"bound_service_account_names": ["default"]}, {"service_account": ""}, "allow Allowed"),
        ({"bound_service_account_names": [""]}, {}, "deny ServiceAccountNotBound"),
        ({"token_policies": ["Root"]}, {}, "deny PolicyNotAssignable"),
        ({"token_policies": ["response-wrapping"]}, {}, "deny PolicyNotAssignable"),
        ({"token_policies": ["root"], "token_policies_template_claims": True}, {}, "allow Allowed"),
        ({"token_bound_cidrs": ["10.0.0.0/8"]}, {}, "warn BoundCidrUndecidable"),
        ({"token_num_uses": 1}, {}, "warn TokenUseLimited"),
        ({"bound_service_account_names": ["*"]}, {}, "warn WildcardBinding"),
        ({"bound_service_account_names": ["web", "**"]}, {}, "warn WildcardBinding"),
        ({"bound_service_account_names": ["w*"]}, {}, "allow Allowed"),
        ({"bound_service_account_names": [], "token_policies": ["root"]}, {}, "deny RoleInvalid"),
    ],
)
def test_a_role_against_a_plain_claim(role: dict[str, Any], fields: dict[str, Any], expected: str) -> None:
    assert judged(role, **fields) == expected


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        (TEAM, {"team": "shop"}, "allow Allowed"),
        (TEAM, {"team": "other"}, "deny NamespaceNotBound"),
        (TEAM, {}, "deny NamespaceNotBound"),
        (TEAM, None, "warn NamespaceLabelsUnknown"),
        ("{}", None, "warn WildcardBinding"),
        (" ", {}, "warn WildcardBinding"),
        ("team=shop", {"team": "shop"}, "deny NamespaceSelectorInvalid"),
        ("", {"team": "shop"}, "deny NamespaceNotBound"),
    ],
)
def test_the_selector_counts_where_the_list_does_not_match(selector, labels, expected: str) -> None:
    role = {"bound_service_account_namespace_selector": selector}
    assert judged(role, namespace="n1", namespace_labels=labels) == expected


@pytest.mark.parametrize("selector", [TEAM, "team=shop"])
def test_the_selector_does_not_count_where_the_list_matches(selector: str) -> None:
    assert judged({"bound_service_account_namespace_selector": selector}, namespace_labels=None) == "allow Allowed"


def test_labels_come_from_the_document_when_the_claim_has_none() -> None:
    role = ROLE | {"bound_service_account_namespace_selector": TEAM}
    known = snapshot(role, namespaces={"n1": {"labels": {"team": "shop"}}})
    fields = {"namespace": "n1", "namespace_labels": None}
    assert shown(check(claim(**fields), known, STRICT, None)) == "allow Allowed"
    assert shown(check(claim(**fields | {"namespace": "n2"}), known, STRICT, None)) == "warn NamespaceLabelsUnknown"
    assert shown(check(claim(**fields | {"namespace_labels": {}}), known, STRICT, None)) == "deny NamespaceNotBound"


@pytest.mark.parametrize(
    ("config", "rules", "fields", "expected"),
    [
        ({"disable_iss_validation": False, "issuer": "a"}, {}, {"issuer": "a"}, "allow Allowed"),
        ({"disable_iss_validation": False, "issuer": "a"}, {}, {"issuer": "b"}, "deny IssuerMismatch"),
        ({"disable_iss_validation": False, "issuer": "a"}, {}, {}, "warn IssuerUndecidable"),
        ({"disable_iss_validation": False, "issuer": "a"}, {"cluster_issuer": "b"}, {}, "deny IssuerMismatch"),
        ({"disable_iss_validation": False, "issuer": ""}, {}, {"issuer": "b"}, "allow Allowed"),
        ({"issuer": "a"}, {}, {"issuer": "b"}, "allow Allowed"),
        (NO_REVIEWER, {}, {}, "warn ReviewerAudienceConflict"),
        (NO_REVIEWER, {"api_server_audiences": ("api",)}, {}, "deny ReviewerAudienceConflict"),
        (NO_REVIEWER, {"api_server_audiences": ("api", "vault")}, {}, "allow Allowed"),
        (NO_REVIEWER, {}, {"audience": None}, "warn AudienceUndecidable"),
    ],
)
def test_the_mount_s_configuration(config, rules, fields, expected: str) -> None:
    assert judged(rules=Rules(**rules), mount={"config": config}, **fields) == expected


def test_a_selector_needs_a_reviewer() -> None:
    role = {"bound_service_account_namespace_selector": TEAM}
    assert judged(role, mount={"config": NO_REVIEWER}, namespace="n1") == "deny NamespaceSelectorUnusable"


@pytest.mark.parametrize(
    ("role", "rules", "fields", "expected"),
    [
        ({"bound_service_account_names": ["*"]}, {"wildcard": Level.DENY}, {}, "deny WildcardBinding"),
        ({"bound_service_account_names": ["*"]}, {"wildcard": Level.ALLOW}, {}, "allow Allowed"),
        ({"audience": ""}, {"require_audience": Level.WARN}, {}, "warn AudienceNotConfigured"),
        ({"audience": ""}, {"require_audience": Level.DENY}, {}, "deny AudienceNotConfigured"),
        ({"audience": ""}, {}, {"audience": None}, "allow Allowed"),
        ({"token_ttl": 7200}, {"lifetime_advisories": True}, {"expiration_s": 3600}, "warn TokenOutlivesIdentity"),
        ({"token_ttl": 3600}, {"lifetime_advisories": True}, {"expiration_s": 3600}, "allow Allowed"),
        ({"token_ttl": 7200}, {"lifetime_advisories": True}, {}, "allow Allowed"),
        ({"token_ttl": 7200}, {}, {"expiration_s": 3600}, "allow Allowed"),
        (
            {"token_ttl": 7200, "token_period": 60},
            {"lifetime_advisories": True},
            {"expiration_s": 3600},
            "allow Allowed",
        ),
        ({}, {"mode": Mode.WARN}, {"service_account": "other"}, "warn ServiceAccountNotBound"),
        ({}, {"mode": Mode.OFF}, {"service_account": "other"}, "allow Allowed"),
        ({}, {"on_unavailable": Lapse.CLOSED}, {"role": "unread"}, "deny RoleUnreadable"),
    ],
)
def test_the_rules_of_the_installation(role, rules, fields, expected: str) -> None:
    assert judged(role, rules=Rules(**rules), **fields) == expected


def test_a_mode_that_warns_keeps_the_reason_a_refusal_would_have_had() -> None:
    role = {"bound_service_account_names": ["*"], "token_bound_cidrs": ["10.0.0.0/8"]}
    verdict = check(claim(namespace="x"), snapshot(ROLE | role), Rules(mode=Mode.WARN), None)
    assert shown(verdict) == "warn NamespaceNotBound"
    assert {finding.level for finding in verdict.findings} == {Level.WARN}


class TestWhatIsKnown:
    @pytest.mark.parametrize(("lapse", "expected"), [(Lapse.OPEN, "warn"), (Lapse.CLOSED, "deny")])
    def test_no_data_yet(self, lapse: Lapse, expected: str) -> None:
        assert shown(check(claim(), None, Rules(on_unavailable=lapse), None)) == f"{expected} BindingsUnavailable"

    @pytest.mark.parametrize(
        ("age_s", "expected"),
        [(900, "allow Allowed"), (-60, "allow Allowed"), (901, "warn BindingsStale")],
    )
    def test_old_data(self, age_s: int, expected: str) -> None:
        known = snapshot(fetchedAt="2026-02-03T10:00:00Z")
        assert known.fetched_at is not None
        assert shown(check(claim(), known, STRICT, known.fetched_at + age_s)) == expected

    def test_old_data_refuse_nobody_unless_told_to(self) -> None:
        known = snapshot(fetchedAt="2026-02-03T10:00:00Z")
        wrong = claim(service_account="other", auth_path="auth/other", has_token=False)
        assert shown(check(wrong, known, STRICT, 2e9)) == "warn BindingsStale"
        assert shown(check(claim(), known, Rules(on_stale=Lapse.CLOSED), 2e9)) == "deny BindingsStale"

    @pytest.mark.parametrize(
        ("own", "whole", "expected"),
        [
            ("2026-02-03T10:00:00Z", "2020-01-01T00:00:00Z", "allow Allowed"),
            ("2020-01-01T00:00:00Z", "2026-02-03T10:00:00Z", "warn BindingsStale"),
            (None, None, "allow Allowed"),
        ],
    )
    def test_a_mount_s_own_age_counts_before_the_whole_s(self, own, whole, expected: str) -> None:
        known = snapshot(mount={"fetchedAt": own}, fetchedAt=whole)
        assert shown(check(claim(), known, STRICT, 1_770_112_800)) == expected

    def test_partial_lists_refuse_nobody(self) -> None:
        partial = snapshot(complete={"auth": False})
        assert shown(check(claim(auth_path="auth/other"), partial, STRICT, None)) == "warn AuthMountNotCovered"
        assert shown(check(claim(auth_path="other"), partial, STRICT, None)) == "deny AuthMountUnknown"
        some = snapshot(mount={"complete": False})
        assert shown(check(claim(role="late"), some, STRICT, None)) == "warn RoleNotCovered"

    @pytest.mark.parametrize(
        ("known", "asked", "expected"),
        [
            ("https://vault:8200", "https://vault:8200/", "allow Allowed"),
            ("https://vault:8200", "HTTPS://Vault:8200", "allow Allowed"),
            ("https://vault", "https://vault:443", "allow Allowed"),
            ("https://vault:8200", "", "allow Allowed"),
            ("", "https://other:8200", "allow Allowed"),
            ("https://vault:8200", "https://other:8200", "warn ServerNotCovered"),
            ("https://vault:8200", "http://vault:8200", "warn ServerNotCovered"),
            ("https://vault:8200", "https://vault:port", "warn ServerNotCovered"),
        ],
    )
    def test_the_document_speaks_of_one_server(self, known: str, asked: str, expected: str) -> None:
        document = snapshot(server={"address": known})
        assert shown(check(claim(server=asked), document, STRICT, None)) == expected

    def test_nothing_of_another_server_is_refused(self) -> None:
        document = snapshot(server={"address": "https://vault:8200"}, fetchedAt="2020-01-01T00:00:00Z")
        wrong = claim(server="https://other:8200", service_account="other", role="nobody")
        assert shown(check(wrong, document, Rules(on_stale=Lapse.CLOSED), 2e9)) == "warn ServerNotCovered"


class TestOtherMounts:
    @pytest.mark.parametrize(
        ("mount_type", "auth_type", "expected"),
        [
            ("approle", "approle", "allow AuthTypeNotChecked"),
            ("aws", "aws", "allow AuthTypeNotChecked"),
            ("aws", "gcp", "deny AuthTypeMismatch"),
            ("approle", "kubernetes", "deny AuthTypeMismatch"),
            ("approle", "jwt", "deny AuthTypeMismatch"),
        ],
    )
    def test_types(self, mount_type: str, auth_type: str, expected: str) -> None:
        assert (
            judged(mount={"type": mount_type}, auth_type=auth_type, role="" if auth_type == mount_type else "shop")
            == expected
        )


class TestPathsThatAClientMayFold:
    @pytest.mark.parametrize(
        "path", ["auth/x/../kubernetes", "auth/./kubernetes", "../auth/kubernetes", "a/./auth/kubernetes"]
    )
    def test_a_dot_segment_is_refused_by_name(self, path: str) -> None:
        verdict = check(claim(auth_path=path), snapshot(complete={"auth": False}), STRICT, None)
        assert shown(verdict) == "deny AuthMountUnknown"
        assert path in verdict.message
        assert "`.` and `..`" in verdict.message

    def test_a_dot_segment_of_the_namespace_is_refused_too(self) -> None:
        assert judged(vault_namespace="a/..") == "deny AuthMountUnknown"

    def test_a_mount_that_is_called_auth_is_another_one(self) -> None:
        odd = snapshot(mount={"path": "auth/auth/kubernetes"})
        assert shown(check(claim(auth_path="auth/auth/kubernetes"), odd, STRICT, None)) == "allow Allowed"
        assert shown(check(claim(), odd, STRICT, None)) == "deny AuthMountUnknown"
        assert judged(auth_path="auth/auth/kubernetes") == "deny AuthMountUnknown"


class TestKnownRole:
    def test_it_is_found_whatever_the_age_of_the_data(self) -> None:
        target = known_role(claim().ref, snapshot(fetchedAt="2020-01-01T00:00:00Z"))
        assert target is not None
        assert target.role.name == "shop"

    @pytest.mark.parametrize(
        "asked", [{"role": "nobody"}, {"role": "unread"}, {"auth_path": "auth/other"}, {"server": "https://other:8200"}]
    )
    def test_a_role_that_the_data_do_not_speak_of_is_not_known(self, asked: dict[str, str]) -> None:
        assert known_role(claim(**asked).ref, snapshot(server={"address": "https://vault:8200"})) is None

    def test_a_mount_without_roles_has_none(self) -> None:
        assert known_role(claim().ref, snapshot(mount={"type": "approle"})) is None


class TestWords:
    def test_little_is_told_of_a_role(self) -> None:
        verdict = check(claim(service_account="other"), snapshot(), STRICT, None)
        assert verdict.message == 'service account "other" is not bound to Vault role "shop" on auth/kubernetes'
        assert "web" not in verdict.message + verdict.findings[0].remedy

    def test_who_is_not_bound_learns_no_more_although_the_servers_order_stays(self) -> None:
        verdict = check(claim(service_account="other", audience=("x",)), snapshot(), STRICT, None)
        assert [finding.reason for finding in verdict.findings] == ["AudienceMismatch", "ServiceAccountNotBound"]
        assert verdict.message == "the role expects another audience than the agent's token carries"
        assert verdict.findings[0].remedy == ""
        full = Rules(disclosure=Disclosure.FULL)
        assert '"vault"' in check(claim(service_account="other", audience=("x",)), snapshot(), full, None).message

    def test_full_disclosure_names_what_is_bound_and_similar_roles(self) -> None:
        full = Rules(disclosure=Disclosure.FULL)
        assert check(claim(service_account="other"), snapshot(), full, None).message.endswith("; bound: web")
        assert check(claim(role="shpo"), snapshot(), full, None).message.endswith("; similar: shop")

    def test_what_only_an_operator_can_mend_is_kept_from_the_author(self) -> None:
        role = ROLE | {"bound_service_account_names": ["*"], "token_bound_cidrs": ["10.0.0.0/8"]}
        verdict = check(claim(), snapshot(role), STRICT, None)
        assert [finding.reason for finding in verdict.findings if not finding.for_operator] == ["BoundCidrUndecidable"]
        told = check(claim(), snapshot(role), Rules(disclosure=Disclosure.FULL), None)
        assert [finding.reason for finding in told.findings if not finding.for_operator] == [
            "BoundCidrUndecidable",
            "WildcardBinding",
        ]

    def test_a_refusal_is_never_kept_from_the_author(self) -> None:
        role = ROLE | {"bound_service_account_names": ["*"]}
        verdict = check(claim(), snapshot(role), Rules(wildcard=Level.DENY), None)
        assert [finding.reason for finding in verdict.findings if not finding.for_operator] == ["WildcardBinding"]
