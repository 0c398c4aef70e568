"""What the real agent does in a patched container, and what is judged: the same login, or it is said that nobody knows."""

import base64
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster.vault_program import bao
from tests.core.asking import VAULT, ask, pod_with
from webhook.core.annotations.read import find
from webhook.core.inject.login_token import projected
from webhook.core.pod import Spec
from webhook.rolecheck.role_ref import RoleRef
from webhook.settings.read import read
from webhook.sources.agent_login import of_container

PREFIX = "openbao.org/"
LOGIN_WITHIN_S = 20

pytestmark = pytest.mark.slow


class Logins(ThreadingHTTPServer):
    """A Vault that refuses every login and remembers the first: namespace, path and role."""

    def __init__(self):
        self.first = None
        super().__init__(("127.0.0.1", 0), Refusing)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Refusing(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        namespace = (self.headers.get("X-Vault-Namespace") or "").strip("/")
        path = self.path.removeprefix("/v1/").removesuffix("/login")
        self.server.first = self.server.first or (self.server.address, namespace, path, body.get("role"))
        self.send_error(403)

    def log_message(self, *_):
        pass


@pytest.fixture
def vaults():
    servers = [Logins(), Logins()]
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def config(address, changes=()):
    method = {
        "type": "kubernetes",
        "mount_path": "auth/kubernetes",
        "config": {"role": "shop", "token_path": "/home/vault/jwt"},
    }
    text = json.dumps(
        {
            "auto_auth": {"method": method, "sink": [{"type": "file", "config": {"path": "/home/vault/sink"}}]},
            "vault": {"address": address},
        }
    )
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return base64.b64encode(text.encode()).decode()


def runs(container, home: Path, servers):
    """Run a container's command where `home` is the agent's home; return the first login it tries."""
    (home / "jwt").write_text("token")
    variables = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    moved = {
        name: base64.b64encode(base64.b64decode(value).replace(b"/home/vault", str(home).encode())).decode()
        if name.endswith("_CONFIG")
        else value
        for name, value in variables.items()
    }
    arguments = [text.replace("/home/vault", str(home)) for text in (*container["command"], *container["args"])]
    path = f"{Path(bao()).parent}:{os.environ['PATH']}"
    agent = subprocess.Popen(
        arguments,
        env={"PATH": path, "HOME": str(home), **moved},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + LOGIN_WITHIN_S
        while time.monotonic() < until and agent.poll() is None and not any(server.first for server in servers):
            time.sleep(0.05)
        return next((server.first for server in servers if server.first), None)
    finally:
        os.killpg(agent.pid, 15)
        agent.wait()


def variable(name, value):
    return {"op": "add", "path": "/env/-", "value": {"name": name, "value": value}}


def first(name, value):
    return {"op": "add", "path": "/env/0", "value": {"name": name, "value": value}}


def understood(a, b):
    return {
        "nothing": [variable("VAULT_CONFIG", config(a))],
        "role": [variable("VAULT_CONFIG", config(a, [('"shop"', '"Admin"')]))],
        "mount": [variable("VAULT_CONFIG", config(a, [("auth/kubernetes", "team/auth/k8s/")]))],
        "decoy": [first("BAO_CONFIG", config(b)), variable("VAULT_CONFIG", config(a))],
        "last of two": [first("VAULT_CONFIG", config(b)), variable("VAULT_CONFIG", config(a))],
        "address": [variable("VAULT_CONFIG", config(a)), variable("VAULT_ADDR", b)],
        "bao's address first": [
            *(variable("VAULT_CONFIG", config(a)), variable("BAO_ADDR", b), variable("VAULT_ADDR", a))
        ],
        "namespace": [variable("VAULT_CONFIG", config(a)), variable("VAULT_NAMESPACE", "team/")],
        "namespace beats the method's": [
            variable("VAULT_CONFIG", config(a, [('"kubernetes",', '"kubernetes", "namespace": "own",')])),
            variable("BAO_NAMESPACE", "team"),
        ],
        "an empty one does not": [
            variable("VAULT_CONFIG", config(a, [('"kubernetes",', '"kubernetes", "namespace": "/own/",')])),
            variable("BAO_NAMESPACE", ""),
            variable("VAULT_NAMESPACE", "team"),
        ],
        "harmless": [variable("VAULT_CONFIG", config(a)), variable("TZ", "UTC")],
        "no mount": [variable("VAULT_CONFIG", config(a, [('"mount_path": "auth/kubernetes", ', "")]))],
    }


def unseen(a, b):
    return {
        "agent address": [variable("VAULT_CONFIG", config(a)), variable("VAULT_AGENT_ADDR", b)],
        "proxy": [variable("VAULT_CONFIG", config(a)), variable("BAO_HTTP_PROXY", b)],
        "two members": [variable("VAULT_CONFIG", config(a, [('"role"', '"role": "admin", "role"')]))],
        "other case": [variable("VAULT_CONFIG", config(a, [('"type": "k', '"MOUNT_PATH": "auth/b", "type": "k')]))],
        "arguments": [
            variable("VAULT_CONFIG", config(a)),
            {
                "op": "replace",
                "path": "/args/0",
                "value": "echo ${VAULT_CONFIG?} | base64 -d > /home/vault/config.json && bao agent"
                f" -config=/home/vault/config.json -address={b} -namespace=team",
            },
        ],
    }


def patched(patch):
    annotations = {"agent-json-patch": json.dumps(patch), "agent-pre-populate": "false"}
    return ask(pod_with(annotations, prefix=PREFIX)).container("vault-agent")


def login_of(container):
    annotations = {f"{PREFIX}agent-inject": "true", f"{PREFIX}role": "shop"}
    settings = read({}, VAULT)
    intent = settings.reader.read(find(annotations))
    token = projected(Spec(), settings.pod_settings, "vault")
    return of_container(json.dumps(container).encode(), intent, token)


@pytest.mark.parametrize("name", understood("", ""))
def test_the_login_that_is_judged_is_the_one_the_agent_tries(name, vaults, tmp_path):
    patch = understood(*(vault.address for vault in vaults))[name]
    container = patched(patch)
    seen = runs(container, tmp_path, vaults)
    login = login_of(container)
    ref = RoleRef.parse(login.auth_path, login.namespace, role=login.role, server=login.server)
    assert seen is not None
    assert RoleRef.parse(seen[2], seen[1], role=seen[3], server=seen[0]) == ref


@pytest.mark.parametrize("name", unseen("", ""))
def test_a_login_that_may_be_another_is_not_judged(name, vaults, tmp_path):
    patch = unseen(*(vault.address for vault in vaults))[name]
    container = patched(patch)
    assert login_of(container) is None
    assert runs(container, tmp_path, vaults) is not None  # and it does try one


def test_dots_are_folded_by_the_agent(vaults, tmp_path):
    patch = [variable("VAULT_CONFIG", config(vaults[0].address, [("auth/kubernetes", "auth/x/../kubernetes")]))]
    assert runs(patched(patch), tmp_path, vaults)[2] == "auth/kubernetes"
