"""Polls of a real OpenBao, and what becomes of the document."""

import pytest

from tests.cluster.vault_program import vault_program
from webhook.controller.policy import policy
from webhook.rolecheck.bindings.snapshot import RoleState

pytestmark = pytest.mark.slow

ALL = {
    "auth/MOUNT/role": ["list"],
    "auth/MOUNT/role/*": ["read"],
    "auth/MOUNT/config": ["read"],
    "sys/auth": ["read"],
    "sys/namespaces": ["list"],
    "sys/mounts": ["read"],
    "sys/policies/acl": ["list"],
    "sys/policies/acl/*": ["read"],
}


def granted(bao, mount, rules):
    return bao.token({path.replace("MOUNT", mount): capabilities for path, capabilities in rules.items()})


def without(*paths):
    return {path: capabilities for path, capabilities in ALL.items() if path not in paths}


def test_a_poll_makes_a_document_that_loads(bao, mount, controller):
    bao.write("sys/policies/acl/shop-read", {"policy": 'path "secret/data/shop" { capabilities = ["read"] }'})
    polling = controller(token=granted(bao, mount, ALL))
    polling.poll()
    document, found = polling.document(), polling.mount()
    role = found.role("Shop")
    assert (role.audience, role.token.policies, found.complete, found.type) == (
        "vault",
        ("shop-read",),
        True,
        "kubernetes",
    )
    assert found.config.is_known
    assert document.product == vault_program().product
    assert document.policies["", "shop-read"].text.startswith('path "secret/data/shop"')
    assert document.mounts_of("")["secret"].kv_version == 2
    assert (document.auth_is_complete, document.policies_are_complete, document.identity_is_managed) == (
        True,
        True,
        True,
    )
    assert document.fetched_at == found.fetched_at == polling.now
    assert polling.problems() == {}


def test_the_documents_policy_is_what_the_controller_needs(bao, controller):
    polling = controller()
    bao.write("sys/policies/acl/for-control", {"policy": policy(polling.control)})
    token = bao.write("auth/token/create", {"policies": ["for-control"]})["auth"]["client_token"]
    polling = controller(token=token)
    polling.poll()
    assert polling.problems() == {}
    assert polling.mount().role("shop").audience == "vault"


@pytest.mark.parametrize(
    ("lacking", "role", "complete", "problems"),
    [
        (("auth/MOUNT/config",), "read", (True, True), {"auth/MOUNT/config": "denied"}),
        (("auth/MOUNT/role/*",), RoleState.UNREADABLE, (True, True), {}),
        (("auth/MOUNT/role",), RoleState.ABSENT, (False, False), {"auth/MOUNT/role": "denied"}),
        (("sys/auth",), "read", (True, False), {"sys/auth": "denied"}),
        (
            ("sys/auth", "auth/MOUNT/config"),
            "read",
            (True, False),
            {"sys/auth": "denied", "auth/MOUNT/config": "denied"},
        ),
        (("sys/mounts",), "read", (True, True), {"sys/mounts": "denied"}),
        (("sys/namespaces",), "read", (True, False), {"sys/namespaces": "denied"}),
        (("sys/policies/acl",), "read", (True, True), {"sys/policies/acl": "denied"}),
        (("sys/policies/acl/*",), "read", (True, True), {}),
        (("sys/auth", "auth/MOUNT/role"), None, (None, False), {"sys/auth": "denied", "auth/MOUNT/role": "denied"}),
    ],
    ids=str,
)
def test_what_may_not_be_read_is_unknown_and_never_absent(bao, mount, controller, lacking, role, complete, problems):
    bao.write("sys/policies/acl/shop-read", {"policy": 'path "secret/data/shop" { capabilities = ["read"] }'})
    polling = controller(token=granted(bao, mount, without(*lacking)))
    polling.poll()
    mount_complete, auth_complete = complete  # of its roles, of all mounts
    assert polling.problems() == problems
    if not polling.path.exists():
        assert role is None
        return
    document, found = polling.document(), polling.mount()
    assert document.auth_is_complete is auth_complete
    assert document.policies_are_complete is ("sys/policies/acl" not in lacking)
    assert document.mounts_are_complete is ("sys/mounts" not in lacking)
    assert (document.mounts_of("") is None) is ("sys/mounts" in lacking)
    if role is None:
        assert found is None
        return
    assert found.complete is mount_complete
    assert found.config.is_known is ("auth/MOUNT/config" not in lacking)
    state = found.role("shop")
    assert state is role or (role == "read" and state.audience == "vault")
    if role == "read":
        text = document.policies["", "shop-read"].text
        assert (text is None) is ("sys/policies/acl/*" in lacking)


def test_one_role_that_may_not_be_read_leaves_the_others(bao, mount, controller):
    bao.role(mount, "hidden")
    polling = controller(token=granted(bao, mount, {**ALL, "auth/MOUNT/role/hidden": ["deny"]}))
    polling.poll()
    assert polling.mount().role("hidden") is RoleState.UNREADABLE
    assert polling.mount().role("shop").audience == "vault"


def test_a_role_that_is_deleted_goes_and_one_that_is_changed_changes(bao, mount, controller):
    bao.role(mount, "old")
    polling = controller()
    polling.poll()
    bao.delete(f"auth/{mount}/role/old")
    bao.role(mount, "shop", audience="other")
    bao.role(mount, "new")
    polling.poll()
    found = polling.mount()
    assert found.role("old") is RoleState.ABSENT
    assert found.complete
    assert found.role("shop").audience == "other"
    assert found.role("new").accounts


def test_a_mount_without_roles_has_none(bao, mount, controller):
    bao.delete(f"auth/{mount}/role/shop")
    polling = controller()
    polling.poll()
    assert (polling.mount().complete, polling.mount().texts) == (True, {})


def test_a_mount_that_is_disabled_goes(bao, mount, controller):
    polling = controller()
    polling.poll()
    bao.delete(f"sys/auth/{mount}")
    polling.poll()
    document = polling.document()
    assert (polling.mount(), document.auth_is_complete, document.fetched_at) == (None, True, polling.now)


def test_a_mount_that_is_enabled_anew_starts_anew(bao, mount, controller):
    polling = controller()
    polling.poll()
    bao.delete(f"sys/auth/{mount}")
    bao.write(f"sys/auth/{mount}", {"type": "jwt"})
    bao.write(f"auth/{mount}/role/build", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"})
    polling.poll()
    assert polling.mount().type == "jwt"
    assert polling.mount().role("shop") is RoleState.ABSENT
    assert polling.mount().role("build").user_claim == "sub"


def test_the_type_of_a_jwt_mount_is_told_by_its_roles_where_sys_auth_is_not_readable(bao, mount, controller):
    bao.delete(f"sys/auth/{mount}")
    bao.write(f"sys/auth/{mount}", {"type": "jwt"})
    bao.write(f"auth/{mount}/role/build", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"})
    polling = controller(token=granted(bao, mount, without("sys/auth", "auth/MOUNT/config")))
    polling.poll()
    assert polling.mount().type == "jwt"
    assert polling.mount().role("build").user_claim == "sub"


@pytest.mark.openbao("namespaces need no licence")
def test_mounts_of_a_vault_namespace_are_polled_there(bao, mount, controller):
    space = f"team{mount}"
    bao.write(f"sys/namespaces/{space}")
    bao.write("sys/auth/inner", {"type": "kubernetes"}, namespace=space)
    bao.role("inner", "cart", namespace=space)
    polling = controller(control_mounts=f"{space}/auth/inner")
    polling.poll()
    document = polling.document()
    assert document.auth_mount(space, "inner").role("cart").accounts
    assert document.auth_mount("", "inner") is None
    assert document.mounts_of(space) is not None
    assert document.auth_is_complete
    bao.write(f"sys/namespaces/other{mount}")
    polling.poll()
    assert not polling.document().auth_is_complete
    for name in (space, f"other{mount}"):
        bao.delete(f"sys/namespaces/{name}")


def test_a_namespace_that_does_not_exist_keeps_the_whole_from_being_fresh(controller):
    polling = controller(control_mounts="nowhere/auth/inner")
    polling.poll()
    document = polling.document()
    assert (document.fetched_at, document.auth_is_complete) == (polling.now, False)


@pytest.mark.parametrize("check", ["off", "warn"])
def test_policies_are_read_only_where_they_are_checked(controller, proxy, check):
    polling = controller(policy_check=check)
    polling.poll()
    asked = any("sys/policies" in path or "sys/mounts" in path for _, path in proxy.requests)
    assert asked is (check == "warn")
    assert (polling.document().policies is None) is (check == "off")
