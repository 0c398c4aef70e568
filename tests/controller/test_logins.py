"""How the controller logs in to Vault, and again."""

import pytest

from webhook.rolecheck.bindings.snapshot import RoleState

pytestmark = pytest.mark.slow


@pytest.fixture
def approle(bao, mount, controller, tmp_path):
    """A controller that logs in by AppRole; tokens live an hour."""

    def make(**role):
        path = f"approle{mount}"
        bao.write(f"sys/auth/{path}", {"type": "approle"})
        bao.write("sys/policies/acl/all", {"policy": 'path "*" { capabilities = ["read", "list"] }'})
        bao.write(f"auth/{path}/role/control", {"token_policies": "all", "token_ttl": "1h", **role})
        role_id = bao.ask("GET", f"auth/{path}/role/control/role-id")[1]["data"]["role_id"]
        secret_id = bao.write(f"auth/{path}/role/control/secret-id")["data"]["secret_id"]
        (tmp_path / "role-id").write_text(f"{role_id}\n")
        (tmp_path / "secret-id").write_text(secret_id)
        return controller(
            control_vault_auth="approle",
            control_vault_auth_path=f"auth/{path}",
            control_role_id_file=tmp_path / "role-id",
            control_secret_id_file=tmp_path / "secret-id",
        )

    yield make
    bao.ask("DELETE", f"sys/auth/approle{mount}")


def revoke(bao, mount):
    """Revoke every token of the mount's AppRole logins."""
    bao.write(f"sys/leases/revoke-prefix/auth/approle{mount}/login")


def test_one_login_serves_until_the_token_is_two_thirds_through(approle):
    polling = approle()
    for _ in range(39):
        polling.poll()
    assert polling.parts.session.logins == 1
    polling.poll()
    polling.poll()
    assert polling.parts.session.logins == 2
    assert polling.problems() == {}


def test_a_token_that_was_revoked_is_replaced_within_the_same_poll(bao, mount, approle):
    polling = approle()
    polling.poll()
    revoke(bao, mount)
    polling.poll()
    assert (polling.problems(), polling.parts.session.logins) == ({}, 2)
    assert polling.document().fetched_at == polling.now
    assert polling.mount().role("shop").audience == "vault"


def test_a_denial_by_policy_makes_no_login(bao, mount, approle):
    polling = approle()
    for capability in ("deny", "read"):
        text = f'path "*" {{ capabilities = ["read", "list"] }} path "auth/{mount}/role/shop" {{ capabilities = ["{capability}"] }}'
        bao.write("sys/policies/acl/all", {"policy": text})
        for _ in range(2):
            polling.poll()
        assert polling.parts.session.logins == 1
        assert (polling.mount().role("shop") is RoleState.UNREADABLE) is (capability == "deny")


def test_a_token_that_may_not_look_itself_up_is_replaced_now_and_then(bao, mount, approle):
    polling = approle(token_no_default_policy=True)
    text = f'path "auth/{mount}/*" {{ capabilities = ["read", "list"] }} path "sys/*" {{ capabilities = ["read", "list"] }}'
    bao.write("sys/policies/acl/all", {"policy": f'{text} path "sys/mounts" {{ capabilities = ["deny"] }}'})
    for _ in range(4):
        polling.poll()
    assert polling.parts.session.logins == 2
    revoke(bao, mount)
    for _ in range(6):
        polling.poll()
    assert polling.problems() == {"sys/mounts": "denied"}
    assert polling.document().fetched_at == polling.now
    bao.write("sys/policies/acl/all", {"policy": 'path "*" { capabilities = ["read", "list"] }'})


def test_the_token_is_revoked_at_the_end(approle, proxy):
    polling = approle()
    polling.poll()
    polling.parts.session.close()
    assert proxy.requests[-1] == ("POST", "/v1/auth/token/revoke-self")


def test_a_token_file_is_read_again(bao, controller, tmp_path):
    polling = controller(token="no-such-token")
    polling.poll()
    assert set(polling.problems().values()) == {"denied"}
    assert not polling.path.exists()
    (tmp_path / "token").write_text("root\n")
    polling.poll()
    assert polling.problems() == {}
    assert polling.mount().role("shop").audience == "vault"
    assert bao.ask("GET", "auth/token/lookup-self")[0] == 200


@pytest.mark.parametrize("flags", [{"control_token_file": "/nowhere"}, {"control_vault_auth": "kubernetes"}])
def test_without_what_to_log_in_with_nothing_is_asked(controller, proxy, flags):
    polling = controller(**flags, **({"control_token_file": "/nowhere"} if "control_vault_auth" in flags else {}))
    polling.poll()
    assert (polling.problems(), proxy.requests) == ({"sys/auth": "login"}, [])
    assert "/nowhere" in polling.loop.health.problems["sys/auth"]


def test_a_login_that_is_refused_is_told_and_tried_again_later(bao, mount, approle):
    polling = approle()
    bao.write(
        f"auth/approle{mount}/role/control/secret-id/destroy",
        {"secret_id": (polling.path.parent / "secret-id").read_text()},
    )
    assert polling.poll() == 5
    assert polling.problems() == {"sys/auth": "login"}
    secret_id = bao.write(f"auth/approle{mount}/role/control/secret-id")["data"]["secret_id"]
    (polling.path.parent / "secret-id").write_text(secret_id)
    assert polling.poll() == 60
    assert polling.problems() == {}
