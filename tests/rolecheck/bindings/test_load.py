"""The bindings document: what it may look like, what each spelling means, and how a wrong one is refused."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.bindings.load import API_VERSION, KIND, BindingsError, Snapshot, load, load_json
from webhook.rolecheck.bindings.roles import JwtRole, KubernetesRole
from webhook.rolecheck.bindings.snapshot import RoleState
from webhook.yaml_text import documents

ROLE = {"bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"]}
MOUNT = {"path": "kubernetes", "type": "kubernetes", "roles": {"shop": ROLE}}


def document(**members: Any) -> dict[str, Any]:
    return {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [MOUNT]} | members


def loaded(**members: Any) -> Snapshot:
    return load(json.dumps(document(**members)).encode(), documents)


def with_role(**fields: Any) -> Snapshot:
    return loaded(auth=[MOUNT | {"roles": {"shop": ROLE | fields}}])


def role(**fields: Any) -> KubernetesRole:
    found = with_role(**fields).auth_mounts["", "kubernetes"].role("shop")
    assert isinstance(found, KubernetesRole)
    return found


def jwt(**fields: Any) -> JwtRole:
    mount = {"path": "jwt", "type": "jwt", "roles": {"shop": {"user_claim": "sub"} | fields}}
    found = loaded(auth=[mount]).auth_mounts["", "jwt"].role("shop")
    assert isinstance(found, JwtRole)
    return found


YAML = b"""
apiVersion: vault-bindings/v1
kind: BindingSnapshot
server: {product: openbao, version: "2.7.2", address: "https://bao:8200"}
fetchedAt: 2026-02-03T10:00:00Z
complete: {auth: true, policies: false}
identityModel: managed
auth:
  - path: /auth/kubernetes-prod/
    namespace: /team-a/
    type: kubernetes
    fetchedAt: 2026-02-03T10:01:00Z
    roles:
      Checkout:
        bound_service_account_names: [checkout, checkout-*]
        bound_service_account_namespaces: shop, shop-*
        token_ttl: 20m
      legacy:
policies:
  - {name: Checkout-Read, hcl: "", namespace: team-a}
  - {name: other}
mounts:
  - {path: secret/, type: kv, options: {version: "2"}}
  - {path: old/, type: generic, options: null}
  - {path: v1, type: kv, version: 1}
  - {path: db/, type: database}
namespaces:
  shop: {labels: {team: shop}}
  bare: {labels: {}}
  unread: {}
"""


class TestWholeDocument:
    def test_yaml_is_read_as_json_is(self) -> None:
        snapshot = load(YAML, documents)
        assert (snapshot.product, snapshot.server_address) == ("openbao", "https://bao:8200")
        assert (snapshot.fetched_at, snapshot.identity_is_managed) == (1_770_112_800, True)
        assert (snapshot.auth_is_complete, snapshot.policies_are_complete, snapshot.mounts_are_complete) == (
            True,
            False,
            True,
        )
        assert (snapshot.mount_count, snapshot.role_count) == (1, 2)

    def test_a_mount_is_found_without_prefix_and_slashes(self) -> None:
        mount = load(YAML, documents).auth_mount("team-a", "kubernetes-prod")
        assert mount is not None
        assert mount.fetched_at == 1_770_112_860

    def test_a_role_is_found_whatever_its_case(self) -> None:
        mount = load(YAML, documents).auth_mounts["team-a", "kubernetes-prod"]
        found = mount.role("CHECKOUT")
        assert isinstance(found, KubernetesRole)
        assert (found.accounts.admit("checkout-worker"), found.namespaces.admit("shop-eu"), found.token.ttl_s) == (
            True,
            True,
            1200,
        )
        assert mount.role("checkout") is found

    def test_a_null_role_exists_and_cannot_be_read(self) -> None:
        mount = load(YAML, documents).auth_mounts["team-a", "kubernetes-prod"]
        assert (mount.role("legacy"), mount.role("nobody")) == (RoleState.UNREADABLE, RoleState.ABSENT)

    def test_policies_are_found_by_namespace_and_lower_case_name(self) -> None:
        policies = load(YAML, documents).policies
        assert policies is not None
        assert (policies["team-a", "checkout-read"].text, policies["", "other"].text) == ("", None)

    def test_mounts_tell_their_kv_version(self) -> None:
        mounts = load(YAML, documents).mounts_of("")
        assert mounts is not None
        assert {path: mount.kv_version for path, mount in mounts.items()} == {"secret": 2, "old": 1, "v1": 1, "db": 0}

    def test_labels_not_given_stay_unknown(self) -> None:
        assert load(YAML, documents).namespaces == {"shop": {"team": "shop"}, "bare": {}}

    def test_absent_sections_are_unknown_and_empty_ones_are_empty(self) -> None:
        assert (loaded().policies, loaded().mounts_of("")) == (None, None)
        assert (loaded(policies=[]).policies, loaded(mounts=[]).mounts_of("")) == ({}, {})

    def test_defaults(self) -> None:
        snapshot = loaded(auth=None)
        assert (snapshot.product, snapshot.server_address, snapshot.fetched_at) == ("vault", "", None)
        assert (snapshot.identity_is_managed, snapshot.auth_is_complete, snapshot.mount_count) == (False, True, 0)

    def test_mounts_of_one_namespace_are_not_those_of_another_unless_none_is_stated(self) -> None:
        here, anywhere = {"path": "kv", "type": "kv", "namespace": "team-a"}, {"path": "secret", "type": "kv"}
        snapshot = loaded(mounts=[here, anywhere])
        assert set(snapshot.mounts_of("team-a") or ()) == {"kv", "secret"}
        assert set(snapshot.mounts_of("team-b") or ()) == {"secret"}


class TestRoles:
    @pytest.mark.parametrize(
        "roles",
        [
            {"shop": ROLE},
            [{"role_name": "shop", "backend": "kubernetes"} | ROLE],
            [{"name": "Shop"} | ROLE],
            {"shop": {"request_id": "1", "data": ROLE}},
            [{"role_name": "shop", "data": ROLE}],
            {"shop": ROLE | {"data": {"bound_service_account_names": ["other"]}, "unknown": [1, {"a": None}]}},
            {"shop": ROLE | {"audience": None, "token_ttl": None, "token_policies": None}},
        ],
    )
    def test_every_spelling_of_one_role(self, roles: object) -> None:
        found = loaded(auth=[MOUNT | {"roles": roles}]).auth_mounts["", "kubernetes"].role("shop")
        assert isinstance(found, KubernetesRole)
        assert (found.accounts.texts, found.namespaces.texts, found.audience) == (("web",), ("shop",), "")

    def test_a_wrapped_null_is_unreadable(self) -> None:
        mount = loaded(auth=[MOUNT | {"roles": {"shop": {"data": None}}}]).auth_mounts["", "kubernetes"]
        assert mount.role("shop") is RoleState.UNREADABLE

    def test_a_config_that_is_silent_means_the_server_s_defaults(self) -> None:
        config = loaded(auth=[MOUNT | {"config": {"issuer": "x"}}]).auth_mounts["", "kubernetes"].config
        assert (config.is_known, config.issuer, config.reviewer_is_missing) == (True, "", False)

    @pytest.mark.parametrize(
        ("config", "expected"),
        [
            ({"token_reviewer_jwt_set": False, "disable_local_ca_jwt": True}, True),
            ({"token_reviewer_jwt_set": False}, False),
            ({"disable_local_ca_jwt": True}, False),
            ({"token_reviewer_jwt_set": "false", "disable_local_ca_jwt": "true"}, True),
        ],
    )
    def test_the_reviewer_is_missing_only_when_both_fields_say_so(self, config, expected: bool) -> None:
        assert (
            loaded(auth=[MOUNT | {"config": config}]).auth_mounts["", "kubernetes"].config.reviewer_is_missing
            is expected
        )

    @pytest.mark.parametrize(
        ("fields", "attribute", "expected"),
        [
            ({"policies": ["a"]}, "policies", ("a",)),
            ({"token_policies": ["b"], "policies": ["a"]}, "policies", ("b",)),
            ({"token_policies": [], "policies": "a, b"}, "policies", ("a", "b")),
            ({"token_policies": [" A ", "a", ""]}, "policies", ("a",)),
            ({"token_policies": ["a", "Root"]}, "policies", ("root",)),
            ({"ttl": "1h"}, "ttl_s", 3600),
            ({"token_ttl": 0, "ttl": 60}, "ttl_s", 60),
            ({"token_ttl": "1200"}, "ttl_s", 1200),
            ({"period": 60}, "period_s", 60),
            ({"num_uses": 3}, "uses", 3),
            ({"token_num_uses": "0"}, "uses", 0),
            ({"bound_cidrs": ["10.0.0.0/8"]}, "is_bound_to_addresses", True),
            ({"token_bound_cidrs": []}, "is_bound_to_addresses", False),
            ({"token_no_default_policy": "true"}, "no_default_policy", True),
        ],
    )
    def test_token_fields_count_before_their_deprecated_twins(self, fields, attribute: str, expected: object) -> None:
        assert getattr(role(**fields).token, attribute) == expected

    def test_selectors_are_read_once_for_all_roles_that_share_one(self) -> None:
        text = '{"matchLabels": {"team": "shop"}}'
        roles = {name: ROLE | {"bound_service_account_namespace_selector": text} for name in ("a", "b")}
        mount = loaded(auth=[MOUNT | {"roles": roles}]).auth_mounts["", "kubernetes"]
        first, second = mount.role("a"), mount.role("b")
        assert isinstance(first, KubernetesRole)
        assert isinstance(second, KubernetesRole)
        assert first.selector is not None
        assert first.selector is second.selector

    def test_jwt_roles(self) -> None:
        found = jwt(bound_audiences="vault, other", bound_claims={"a": "x", "b": ["y", 1]}, bound_claims_type="glob")
        assert (found.role_type, found.audiences, found.claims_are_globs) == ("jwt", {"vault", "other"}, True)
        assert found.claims == {"a": ("x",), "b": ("y", 1)}


REFUSED = [
    ({"kind": "Pod"}, "kind", "BindingSnapshot"),
    ({"apiVersion": "vault-bindings/v9"}, "apiVersion", "vault-bindings/v1"),
    ({"auth": {}}, "auth", "Write a list"),
    ({"auth": [3]}, "auth[0]", "Write a mapping"),
    ({"auth": [{"path": "x"}]}, "auth[0]", "type"),
    ({"auth": [MOUNT | {"path": "/"}]}, "auth[0]", "path"),
    ({"auth": [MOUNT, MOUNT | {"path": "auth/kubernetes/"}]}, "auth[1].path", "twice"),
    ({"auth": [MOUNT | {"roles": {"a": ROLE, "A": ROLE}}]}, "auth[0].roles.A", "twice"),
    ({"auth": [MOUNT | {"roles": [{"name": "a"}, {"role_name": "a"}]}]}, "auth[0].roles[1]", "twice"),
    ({"auth": [MOUNT | {"roles": [ROLE]}]}, "auth[0].roles[0]", "role_name"),
    ({"auth": [MOUNT | {"roles": 3}]}, "auth[0].roles", "mapping"),
    ({"auth": [MOUNT | {"roles": {"web": "x"}}]}, "auth[0].roles.web", "mapping"),
    ({"auth": [MOUNT | {"config": {"issuer": 3}}]}, "auth[0].config.issuer", "string"),
    ({"auth": [MOUNT | {"complete": "maybe"}]}, "auth[0].complete", "true or false"),
    ({"auth": [MOUNT | {"fetchedAt": "noon"}]}, "auth[0].fetchedAt", "RFC 3339"),
    ({"fetchedAt": "noon"}, "fetchedAt", "RFC 3339"),
    ({"identityModel": "own"}, "identityModel", "managed"),
    ({"server": {"product": "consul"}}, "server.product", "openbao"),
    ({"complete": {"policies": 7}}, "complete.policies", "true or false"),
    ({"policies": [{"hcl": ""}]}, "policies[0].name", "name"),
    ({"policies": [{"name": "a"}, {"name": "A "}]}, "policies[1].name", "twice"),
    ({"mounts": [{"type": "kv"}]}, "mounts[0].path", "path"),
    ({"mounts": [{"path": "a", "type": "kv", "options": {"version": "3"}}]}, "mounts[0].options.version", "2"),
    ({"mounts": [{"path": "a"}, {"path": "a/"}]}, "mounts[1].path", "twice"),
    ({"namespaces": {"shop": {"labels": {"a": 1}}}}, "namespaces.shop.labels", "strings"),
]


@pytest.mark.parametrize(("members", "place", "mention"), REFUSED)
def test_a_refusal_names_the_place_and_the_remedy(members: dict[str, Any], place: str, mention: str) -> None:
    with pytest.raises(BindingsError) as refusal:
        loaded(**members)
    assert refusal.value.place == place
    assert mention in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value", "mention"),
    [
        ("bound_service_account_names", 3, "list of strings"),
        ("bound_service_account_names", [3], "list of strings"),
        ("bound_service_account_namespace_selector", {"matchLabels": {}}, "string"),
        ("audience", ["vault"], "string"),
        ("token_ttl", "soon", "1h30m"),
        ("token_ttl", -1, "1h30m"),
        ("token_num_uses", [], "1h30m"),
        ("token_no_default_policy", "yes", "true or false"),
        ("claim_mappings", {"a": 1}, "strings"),
    ],
)
def test_a_wrong_field_of_a_role_is_named(field: str, value: object, mention: str) -> None:
    with pytest.raises(BindingsError) as refusal:
        with_role(**{field: value})
    assert refusal.value.place == f"auth[0].roles.shop.{field}"
    assert mention in str(refusal.value)


@pytest.mark.parametrize(
    "text", [b"", b"3", b"[]", b"{", b"a: [", b"\xff", b"a: 1\n---\nb: 2", b"[" * 2_000, b"? [1]\n: 2"]
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(BindingsError) as refusal:
        load(text, documents)
    assert str(refusal.value).isprintable()


ODD = MOUNT | {"path": "auth/auth/kubernetes"}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("kubernetes", "kubernetes"),
        ("kubernetes/", "kubernetes"),
        ("auth/kubernetes", "kubernetes"),
        ("/auth/kubernetes/", "kubernetes"),
        ("auth/auth/kubernetes", "auth/kubernetes"),
        ("auth/auth/auth/x", "auth/auth/x"),
        ("auth", "auth"),
        ("auth/auth", "auth"),
        ("team/auth/x", "team/auth/x"),
        ("authx/y", "authx/y"),
    ],
)
def test_one_auth_in_front_of_a_mount_s_path_is_the_api_s(written: str, path: str) -> None:
    assert list(loaded(auth=[MOUNT | {"path": written}]).auth_mounts) == [("", path)]


def test_a_mount_at_auth_kubernetes_stands_beside_kubernetes() -> None:
    own = ODD | {"roles": {"odd": ROLE}}
    known = loaded(auth=[MOUNT | {"path": "auth/kubernetes"}, own])
    assert known.auth_mounts["", "kubernetes"].role("odd") is RoleState.ABSENT
    assert isinstance(known.auth_mounts["", "auth/kubernetes"].role("odd"), KubernetesRole)


@pytest.mark.parametrize(
    ("members", "item"),
    [
        ({"auth": [MOUNT, ODD, {"path": "x"}]}, ("auth", 2, "")),
        ({"auth": [MOUNT, MOUNT]}, ("auth", 1, "")),
        ({"auth": [MOUNT, ODD | {"roles": 3}]}, ("auth", 1, "")),
        ({"auth": [MOUNT, ODD | {"config": {"issuer": 3}}]}, ("auth", 1, "")),
        ({"auth": [ODD, MOUNT | {"roles": {"ok": ROLE, "Od.d": 3}}]}, ("auth", 1, "od.d")),
        ({"auth": [MOUNT | {"roles": {"a": ROLE | {"token_ttl": "soon"}}}]}, ("auth", 0, "a")),
        ({"auth": [MOUNT | {"roles": {"a": ROLE, "A": ROLE}}]}, ("auth", 0, "a")),
        ({"policies": [{"name": "a"}, {"name": "b", "hcl": 3}]}, ("policies", 1, "")),
        ({"policies": [{"name": "a"}, {"name": "a"}]}, ("policies", 1, "")),
        ({"mounts": [{"path": "a"}, {"path": "b", "type": "kv", "version": 9}]}, ("mounts", 1, "")),
        ({"kind": "Pod"}, ("", None, "")),
        ({"auth": {}}, ("", None, "")),
    ],
)
def test_an_error_tells_which_item_to_leave_out(members: dict[str, Any], item: tuple[str, int | None, str]) -> None:
    with pytest.raises(BindingsError) as refusal:
        loaded(**members)
    assert (refusal.value.section, refusal.value.index, refusal.value.role) == item


def test_a_role_s_wrapping_is_taken_away_once() -> None:
    assert role_of({"data": ROLE}).accounts.admit("web")
    assert not role_of({"data": {"data": ROLE}}).accounts.admit("web")


def role_of(written: object) -> KubernetesRole:
    found = loaded(auth=[MOUNT | {"roles": {"shop": written}}]).auth_mounts["", "kubernetes"].role("shop")
    assert isinstance(found, KubernetesRole)
    return found


@pytest.mark.parametrize("depth", [60, 500, 5_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"data":', "}"), ('{"a":', "}")])
@pytest.mark.parametrize(
    "place",
    [
        '"auth": %',
        '"auth": [%]',
        '"auth": [{"path": "a", "type": "kubernetes", "roles": %}]',
        '"auth": [{"path": "a", "type": "kubernetes", "roles": {"r": %}}]',
        '"auth": [{"path": "a", "type": "jwt", "roles": {"r": {"bound_claims": {"a": %}}}}]',
        '"policies": [{"name": "a", "hcl": %}]',
        '"namespaces": {"a": %}',
        '"server": %',
        '"other": %',
    ],
)
def test_nesting_of_any_depth_is_loaded_or_refused(place: str, opening: str, closing: str, depth: int) -> None:
    nested = opening * depth + "1" + closing * depth
    text = f'{{"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", {place.replace("%", nested)}}}'
    with contextlib.suppress(BindingsError):
        for mount in load(text.encode(), documents).auth_mounts.values():
            mount.role("r")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "path",
        "type",
        "roles",
        "data",
        "config",
        "token_ttl",
        "bound_service_account_names",
        "name",
        "hcl",
        "labels",
        "complete",
    ]
)
SECTIONS = st.sampled_from(
    ["server", "fetchedAt", "complete", "identityModel", "auth", "policies", "mounts", "namespaces"]
)
MEMBERS = st.dictionaries(FIELDS, ANYTHING | st.dictionaries(FIELDS, ANYTHING, max_size=3), max_size=4)


@given(members=st.dictionaries(SECTIONS, ANYTHING | MEMBERS | st.lists(MEMBERS, max_size=3), max_size=4))
def test_a_hostile_document_raises_nothing_else(members: dict[str, Any]) -> None:
    with contextlib.suppress(BindingsError):
        loaded(**members)


@given(
    fields=st.dictionaries(st.sampled_from(["token_ttl", "audience", "data", "bound_claims", "user_claim"]), ANYTHING)
)
def test_a_role_that_loads_can_be_asked_for(fields: dict[str, Any]) -> None:
    with contextlib.suppress(BindingsError):
        for mount_type in ("kubernetes", "jwt"):
            mount = {"path": "m", "type": mount_type, "roles": {"shop": fields}}
            loaded(auth=[mount]).auth_mounts["", "m"].role("shop")


@given(text=st.binary(max_size=60))
def test_bytes_raise_nothing_else(text: bytes) -> None:
    with contextlib.suppress(BindingsError):
        load(text, documents)


def test_a_changed_snapshot_begins_anew_with_what_it_has_read() -> None:
    known = loaded(
        auth=[{"path": "m", "type": "kubernetes", "roles": {"shop": {}}}], policies=[{"name": "p", "hcl": ""}]
    )
    known.auth_mounts["", "m"].role("shop")
    known.parsed_policies["", "p"] = ()
    assert (replace(known).parsed_policies, replace(known).policies_by_terms) == ({}, {})
    assert replace(known.auth_mounts["", "m"])._roles == {}  # noqa: SLF001 there is no other way to see it


def test_a_document_of_a_program_is_json_and_its_selectors_may_be_yaml() -> None:
    selector = "matchLabels: {team: shop}"
    role = {"bound_service_account_namespace_selector": selector}
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "auth": [{"path": "m", "type": "kubernetes", "roles": {"r": role}}],
    }
    text = json.dumps(document).encode()
    assert load_json(text, documents).auth_mounts["", "m"].selectors[selector].labels == {"team": "shop"}
    assert load_json(text).auth_mounts["", "m"].selectors[selector].failure
    with pytest.raises(BindingsError):
        load_json(b"apiVersion: vault-bindings/v1\nkind: BindingSnapshot\n", documents)
