import pytest

from webhook.settings.control import VaultAuth
from webhook.settings.read import SettingsError, read

VAULT = {"vault-address": "https://vault:8200"}


def test_by_default_the_mount_of_pods_is_polled_as_the_agents_see_it():
    control = read(VAULT, {}).control
    assert control.mounts == (("", "kubernetes"),)
    assert (control.vault_auth, control.vault_auth_path) == (VaultAuth.KUBERNETES, "kubernetes")
    assert control.vault_address == control.agents_address == "https://vault:8200"


@pytest.mark.parametrize(
    ("flags", "mounts", "login"),
    [
        ({"vault-auth-path": "auth/prod/k8s"}, [("", "prod/k8s")], ("", "prod/k8s")),
        ({"vault-namespace": "/team/a/"}, [("team/a", "kubernetes")], ("team/a", "kubernetes")),
        ({"vault-namespace": "a", "vault-auth-path": "b/auth/k"}, [("a/b", "k")], ("a", "b/auth/k")),
        (
            {"control-mounts": "auth/x, /b/c/auth/y/ ,auth/x"},
            [("", "kubernetes"), ("", "x"), ("b/c", "y")],
            ("", "kubernetes"),
        ),
        ({"control-vault-auth": "approle"}, [("", "kubernetes")], ("", "approle")),
        (
            {"control-vault-auth-path": "auth/own", "control-vault-namespace": "admin"},
            [("", "kubernetes")],
            ("admin", "own"),
        ),
    ],
)
def test_mounts_and_login(flags, mounts, login):
    control = read({**VAULT, **flags}, {}).control
    assert list(control.mounts) == mounts
    assert (control.vault_namespace, control.vault_auth_path) == login


@pytest.mark.parametrize(
    "flags",
    [
        {"control-mounts": "kubernetes"},
        {"control-mounts": "auth/"},
        {"control-mounts": "auth/a/../../sys"},
        {"control-mounts": "auth/a b"},
        {"bindings-poll-interval": "0"},
        {"bindings-max-reads-per-second": "0"},
        {"control-vault-auth": "userpass"},
        {"control-identity-model": "x"},
        {"control-listen": "8082"},
    ],
)
def test_a_value_that_does_not_fit_is_named(flags):
    [name] = flags
    with pytest.raises(SettingsError, match=f"--{name}"):
        read({**VAULT, **flags}, {})
