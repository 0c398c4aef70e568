import itertools
from datetime import UTC, datetime, timedelta

import pytest

from certs import new_authority
from tests.controller.openbao import ROOT, Bao, Proxy
from tests.controller.parts import Controller

NUMBERS = itertools.count(1)
CA = new_authority("nobody's", now=datetime.now(UTC), lifetime=timedelta(days=1)).certificate.decode()


@pytest.fixture(scope="session")
def bao(tmp_path_factory):
    """One server for all tests; each works in mounts of its own."""
    with (tmp_path_factory.mktemp("openbao") / "log").open("wb") as log:
        server = Bao(log)
        yield server
        server.stop()


@pytest.fixture
def mount(bao):
    """A kubernetes auth mount of its own, with a role `shop`."""
    name = f"k{next(NUMBERS)}"
    bao.write(f"sys/auth/{name}", {"type": "kubernetes"})
    header = "eyJhbGciOiJub25lIn0"  # of a token that only has to look like one
    config = {"kubernetes_host": "https://cluster.invalid", "disable_local_ca_jwt": True, "kubernetes_ca_cert": CA}
    bao.write(f"auth/{name}/config", {**config, "token_reviewer_jwt": f"{header}.e30.x"})
    bao.role(name, "shop", token_policies=["shop-read"], audience="vault")
    yield name
    bao.delete(f"sys/auth/{name}")


@pytest.fixture
def proxy(bao):
    proxy = Proxy(bao)
    yield proxy
    proxy.stop()


@pytest.fixture
def controller(proxy, mount, tmp_path):
    """Make controllers that poll the mount through the proxy."""
    made = []

    def make(*, token=ROOT, **flags):
        (tmp_path / "token").write_text(token)
        given = {
            "vault-address": proxy.address,
            "vault-auth-path": f"auth/{mount}",
            "bindings": str(tmp_path / "bindings.json"),
            "control-vault-auth": "token_file",
            "control-token-file": str(tmp_path / "token"),
            "control-listen": "127.0.0.1:0",
            "control-namespace-labels": "false",
            "bindings-max-reads-per-second": "1000",
            **{name.replace("_", "-"): str(value) for name, value in flags.items()},
        }
        controller = Controller(given)
        made.append(controller)
        return controller

    yield make
    for controller in made:
        controller.close()
