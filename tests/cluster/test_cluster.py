"""The cluster itself: pods run, tokens log in, clusters do not meet, and nothing is left behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, KubectlError
from tests.cluster.images import AGENT_IMAGE, APP_IMAGE
from tests.cluster.network import Namespace
from tests.cluster.openbao import OpenBao
from tests.cluster.processes import members
from tests.cluster.runs import runs_home
from tests.cluster.traces import CGROUPS, mounts_below

pytestmark = pytest.mark.cluster
POD_TIMEOUT_S = 60
SOURCES = Path(__file__).parents[2]
# A run in a process of its own: starts a cluster with a pod in it, says its name, and waits to be ended.
OWNER = f"""
import sys, threading
from pathlib import Path
from tests.cluster.cluster import Cluster, sigterm_as_interrupt
with sigterm_as_interrupt(), Cluster.start(logs=Path(sys.argv[1])) as cluster:
    cluster.kubectl("run", "stays", "--image={APP_IMAGE}", "--command", "--", "sleep", "3600")
    running = lambda: cluster.kubectl("get", "pod", "stays", "-o", "jsonpath={{.status.phase}}").stdout == "Running"
    cluster.wait_for("the pod", running, timeout_s={POD_TIMEOUT_S})
    print(cluster.run.name, flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def space(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name.replace("_", "-")[:60].strip("-")
    cluster.kubectl("create", "namespace", name)
    cluster.wait_for("the account", lambda: _has_account(cluster, name), timeout_s=POD_TIMEOUT_S)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _has_account(cluster: Cluster, space: str) -> bool:
    return cluster.kubectl("get", "serviceaccount", "default", "--namespace", space, check=False).returncode == 0


def _pod(name: str, space: str, command: list[str], **more: object) -> str:
    container = {
        "name": "main",
        "image": AGENT_IMAGE,
        "imagePullPolicy": "Never",
        "command": command,
        "volumeMounts": more.pop("mounts", []),
    }
    metadata = {"name": name, "namespace": space, "labels": more.pop("labels", {})}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **more}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def _output(cluster: Cluster, name: str, space: str) -> str:
    """Wait until the pod has ended well; return what it printed."""
    phase = ("get", "pod", name, "--namespace", space, "--output", "jsonpath={.status.phase}")
    ended = {"Succeeded", "Failed"}
    cluster.wait_for(f"pod {name}", lambda: cluster.kubectl(*phase).stdout in ended, timeout_s=POD_TIMEOUT_S)
    output = cluster.kubectl("logs", name, "--namespace", space).stdout
    assert cluster.kubectl(*phase).stdout == "Succeeded", output
    return output


def test_the_node_is_ready(cluster: Cluster) -> None:
    assert cluster.kubectl("get", "nodes", "--no-headers").stdout.split()[1] == "Ready"


def test_an_error_of_kubectl_says_what_it_said(cluster: Cluster) -> None:
    with pytest.raises(KubectlError, match='pods "absent" not found'):
        cluster.kubectl("get", "pod", "absent")


def test_a_pod_runs_and_prints(cluster: Cluster, space: str) -> None:
    cluster.apply(_pod("prints", space, ["sh", "-c", "id; vault version; bao version"]))
    output = _output(cluster, "prints", space)
    assert "uid=0(root)" in output
    assert output.count("OpenBao v") == 2


def test_services_are_reached_from_a_pod(cluster: Cluster, space: str) -> None:
    serve = ["sh", "-c", "mkdir /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www"]
    cluster.apply(_pod("serves", space, serve, labels={"app": "serves"}))
    cluster.kubectl("expose", "pod", "serves", "--port=8080", "--namespace", space)
    api = "nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo connected"
    pod = r"until printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 $SERVES_SERVICE_HOST 8080 | grep hello; do sleep 0.1; done"
    cluster.apply(_pod("asks", space, ["sh", "-c", f"{api}; {pod}"], activeDeadlineSeconds=30))
    assert {"connected", "hello"} <= set(_output(cluster, "asks", space).splitlines())


def test_a_projected_token_logs_in_and_a_wrong_claim_does_not(cluster: Cluster, openbao: OpenBao, space: str) -> None:
    openbao.write(f"sys/policies/acl/{space}", {"policy": 'path "secret/data/db" { capabilities = ["read"] }'})
    openbao.write("secret/data/db", {"data": {"password": "p4ss"}})
    role = {"bound_service_account_names": "default", "bound_service_account_namespaces": space, "audience": "vault"}
    openbao.write(f"auth/kubernetes/role/{space}", {**role, "token_policies": space})
    source = {"serviceAccountToken": {"audience": "vault", "path": "token", "expirationSeconds": 600}}
    volume = {"name": "token", "projected": {"sources": [source]}}
    mount = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    cluster.apply(_pod("token", space, ["cat", f"{mount['mountPath']}/token"], volumes=[volume], mounts=[mount]))
    jwt = _output(cluster, "token", space)

    status, answer = openbao.login_kubernetes(space, jwt)
    assert status == 200
    token = answer["auth"]["client_token"]
    assert openbao.ask("GET", "secret/data/db", token=token).json()["data"]["data"] == {"password": "p4ss"}
    assert openbao.ask("GET", "secret/data/other", token=token).status == 403
    assert openbao.login_kubernetes("nope", jwt) == (400, {"errors": ['invalid role name "nope"']})
    for_api_server = cluster.token("default", namespace=space)
    assert openbao.login_kubernetes(space, for_api_server)[0] == 403


def test_a_revoked_token_is_no_longer_listed(openbao: OpenBao) -> None:
    made = openbao.write("auth/token/create", {"ttl": "5m"})["auth"]
    assert made["accessor"] in openbao.token_accessors()
    openbao.ask("POST", "auth/token/revoke-self", token=made["client_token"])
    assert made["accessor"] not in openbao.token_accessors()


def test_two_clusters_do_not_meet(cluster: Cluster, tmp_path: Path) -> None:
    with Cluster.start(logs=tmp_path) as other:
        other.kubectl("create", "configmap", "only-here")
        assert cluster.kubectl("get", "configmap", "only-here", check=False).returncode != 0
        assert other.node_address == cluster.node_address
        astray: list[str | Path] = [
            *cluster.enter,
            other.node.binaries["kubectl"],
            "--kubeconfig",
            other.kubeconfig,
            "get",
            "nodes",
        ]
        answer = subprocess.run(astray, capture_output=True, text=True, check=False)
        assert "certificate signed by unknown authority" in answer.stderr
    assert cluster.kubectl("get", "nodes", "--no-headers").stdout.split()[1] == "Ready"
    assert _left(other.run.name) == []


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_run_leaves_nothing_that_stays(end: signal.Signals, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", OWNER, str(tmp_path / "logs")]
    with subprocess.Popen(argv, cwd=SOURCES, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        assert len(_left(name)) > 5
        owner.send_signal(end)
        owner.wait(60)
    if end == signal.SIGKILL:
        assert len(_left(name)) > 5
        with Cluster.start(logs=tmp_path / "next"):
            pass
    assert _left(name) == []


def _left(name: str) -> list[str]:
    """Return what is left of a run: its folder, namespace, cgroups, mounts and processes."""
    folder, namespace = runs_home() / name, Namespace(name)
    paths = [folder, namespace.path, *CGROUPS.glob(f"*/{name}"), CGROUPS / name, *_links_into(folder)]
    processes = members(namespace.path, f"/{name}")
    return [str(left) for left in [*mounts_below(folder), *processes, *(path for path in paths if path.exists())]]


def _links_into(folder: Path) -> list[Path]:
    return [link for link in Path("/var/log/containers").glob("*") if link.readlink().is_relative_to(folder)]
