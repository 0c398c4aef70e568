"""The processes: `control` beside `serve`, and the commands that ask Vault once."""

import http.client
import json
import signal
import ssl
import subprocess
import sys

import pytest

from tests.controller.test_second_answer import review
from tests.eventually import eventually
from tests.server.process import AUTHORITY, write_pair
from webhook import yaml_text
from webhook.rolecheck.bindings.load import load

pytestmark = pytest.mark.slow

PROGRAM = (sys.executable, "-m", "webhook.cli")


class Process:
    def __init__(self, folder, *arguments):
        self.log_path = folder / f"{arguments[0]}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen([*PROGRAM, *arguments], stdout=log, stderr=subprocess.STDOUT)

    def lines(self):
        """Return the whole lines of JSON it wrote."""
        assert self.process.poll() is None, self.log_path.read_text()
        return [
            json.loads(line) for line in self.log_path.read_text().splitlines(keepends=True) if line.endswith("}\n")
        ]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*arguments):
        process = Process(tmp_path, *arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.process.poll() is None:
            process.end()


@pytest.fixture
def flags(bao, mount, tmp_path):
    (tmp_path / "token").write_text("root")
    given = {
        "vault-address": bao.address,
        "vault-auth-path": f"auth/{mount}",
        "bindings": tmp_path / "bindings.json",
        "confirm-socket": tmp_path / "confirm.sock",
        "control-listen": "127.0.0.1:0",
        "control-vault-auth": "token_file",
        "control-token-file": tmp_path / "token",
        "control-state-file": tmp_path / "state.json",
        "control-namespace-labels": "false",
        "log-format": "json",
    }
    return [f"--{name}={value}" for name, value in given.items()]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def port_of(control):
    return eventually(lambda: next((line["port"] for line in control.lines() if line["event"] == "started"), None))


def test_it_keeps_the_document_fresh_tells_how_it_fares_and_ends_with_0(flags, mount, start, tmp_path):
    control = start("control", *flags)
    port = port_of(control)
    eventually((tmp_path / "bindings.json").exists)
    snapshot = load((tmp_path / "bindings.json").read_bytes(), yaml_text.documents)
    assert snapshot.auth_mount("", mount).role("shop").audience == "vault"
    assert get(port, "/livez") == (200, "ok\n")
    eventually(lambda: get(port, "/readyz")[0] == 200)
    state = json.loads(get(port, "/readyz")[1])
    assert (state["problems"], state["roles"]) == ({}, 1)
    eventually(lambda: "vault_webhook_control_polls_total 1.0" in get(port, "/metrics")[1])
    assert "vault_webhook_control_roles_not_read 0.0" in get(port, "/metrics")[1]
    assert get(port, "/elsewhere")[0] == 404
    eventually(
        lambda: (tmp_path / "state.json").exists() and json.loads((tmp_path / "state.json").read_text())["writtenAt"]
    )
    assert control.end() == 0
    assert not (tmp_path / "confirm.sock").exists()
    assert (tmp_path / "bindings.json").exists()


def test_without_vault_it_stays_and_says_why(flags, start, tmp_path):
    control = start("control", *flags, "--control-vault-addr=http://127.0.0.1:1")
    port = port_of(control)
    state = eventually(lambda: (found := json.loads(get(port, "/readyz")[1]))["problems"] and found)
    assert list(state["problems"]) == ["sys/auth"]
    assert get(port, "/livez")[0] == 200
    assert not (tmp_path / "bindings.json").exists()
    said = [line for line in control.lines() if line["event"] == "cannot read"]
    assert [(line["cause"], line["place"]) for line in said] == [("unreachable", "sys/auth")]
    assert control.end(signal.SIGINT) == 0


def test_a_pod_whose_role_was_just_created_is_admitted(bao, mount, flags, start, tmp_path):
    control = start("control", *flags)
    eventually((tmp_path / "bindings.json").exists)
    write_pair(tmp_path / "tls")
    own = {
        "listen": "127.0.0.1:0",
        "admin-listen": "127.0.0.1:0",
        "workers": "1",
        "tls-cert-file": tmp_path / "tls" / "tls.crt",
        "tls-key-file": tmp_path / "tls" / "tls.key",
    }
    server = start("serve", *flags, *(f"--{name}={value}" for name, value in own.items()))
    listening = eventually(lambda: next((line for line in server.lines() if line["event"] == "listening"), None))
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())

    def decide(role):
        connection = http.client.HTTPSConnection(
            "localhost", listening["admission"]["port"], context=context, timeout=10
        )
        try:
            connection.request("POST", "/mutate?timeout=10s", review(role), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["response"]
        finally:
            connection.close()
        return answer["allowed"], answer.get("status", {}).get("reason", "")

    eventually(lambda: get(listening["admin"]["port"], "/readyz")[0] == 200)
    assert decide("cart") == (False, "RoleNotFound")
    bao.role(mount, "basket", bound_service_account_names=["shop"], audience="vault")
    assert decide("basket") == (True, "")
    assert control.end() == 0
    assert decide("cart") == (False, "RoleNotFound")
    assert server.end() == 0


def run(*arguments):
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--bindings="], "BINDINGS is not set"),
        (["--confirm-socket=/nowhere/confirm.sock"], "cannot open /nowhere/confirm.sock"),
        (["--control-listen=192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
    ],
)
def test_a_start_that_cannot_succeed_is_one_line_and_exit_code_1(flags, more, said):
    ended = run("control", *flags, *more)
    assert ended.returncode == 1
    assert ended.stderr.startswith("vault-webhook: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_pull_writes_a_whole_document_and_progress_apart(bao, mount, flags, tmp_path):
    for number in range(30):
        bao.role(mount, f"r-{number}")
    ended = run("bindings", "pull", *flags)
    assert ended.returncode == 0, ended.stderr
    snapshot = load(ended.stdout.encode(), yaml_text.documents)
    assert len(snapshot.auth_mount("", mount).texts) == 31
    assert None not in snapshot.auth_mount("", mount).texts.values()
    ended = run("bindings", "pull", *flags, "-o", str(tmp_path / "pulled.json"))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert load((tmp_path / "pulled.json").read_bytes(), yaml_text.documents).role_count >= 31


@pytest.mark.parametrize(("account", "code", "reason"), [("shop", 0, ""), ("stranger", 1, "ServiceAccountNotBound")])
def test_check_live_asks_vault_for_the_roles_of_this_moment(bao, mount, flags, tmp_path, account, code, reason):
    bao.role(
        mount, "live", bound_service_account_names=["shop"], bound_service_account_namespaces=["shop"], audience="vault"
    )
    annotations = {"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "live"}
    spec = {"serviceAccountName": account, "containers": [{"name": "app", "image": "app:1"}]}
    pod = {"kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "annotations": annotations}, "spec": spec}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    ended = run("check", "--live", "-f", str(tmp_path / "pod.json"), "-o", "json", *flags)
    assert ended.returncode == code, ended.stderr
    assert [line["reason"] for line in json.loads(ended.stdout)] == [reason]


def test_pull_says_what_is_missing(flags, tmp_path):
    (tmp_path / "token").write_text("nobody")
    for more, said in ((["--control-vault-addr=http://127.0.0.1:1"], "unreachable"), ([], "denied")):
        ended = run("bindings", "pull", *flags, *more)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_policy_names_each_mount_and_namespace(flags):
    more = ["--control-mounts=auth/other,team/auth/inner", "--policy-check=off", "--control-vault-auth=kubernetes"]
    ended = run("bindings", "policy", *flags, *more)
    assert ended.returncode == 0
    assert 'path "auth/other/role/*" { capabilities = ["read"] }' in ended.stdout
    assert 'path "team/auth/inner/role" { capabilities = ["list"] }' in ended.stdout
    assert 'path "team/sys/auth" { capabilities = ["read"] }' in ended.stdout
    assert "sys/policies" not in ended.stdout
    inner = run("bindings", "policy", *flags, *more, "--control-vault-namespace=team")
    assert 'path "auth/inner/role" { capabilities = ["list"] }' in inner.stdout
    assert "# Namespace root is not below namespace team" in inner.stdout
