"""On a real cluster: the login by the controller's own token, TLS, and labels by its own rights."""

import json
import os
import subprocess
import sys

import pytest

from tests.cluster.webhook import SOURCES
from webhook import yaml_text
from webhook.controller.policy import policy
from webhook.rolecheck.bindings.load import load
from webhook.settings.read import read

pytestmark = pytest.mark.cluster

ACCOUNT = """
apiVersion: v1
kind: Namespace
metadata: {name: control, labels: {team: platform}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: vault-webhook, namespace: control}
"""
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: control-reads-namespaces}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: control-reads-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: control-reads-namespaces}
subjects: [{kind: ServiceAccount, name: vault-webhook, namespace: control}]
"""


@pytest.fixture
def pull(cluster, openbao, tmp_path):
    """Pull as the service account of the controller."""
    flags = {
        "vault-address": openbao.address,
        "vault-cacert-bytes": cluster.ca_file.read_text(),
        "control-token-file": str(tmp_path / "token"),
        "control-kubeconfig": str(tmp_path / "kubeconfig"),
    }
    cluster.apply(ACCOUNT)
    openbao.write("sys/policies/acl/for-control", {"policy": policy(read(flags, {}).control)})
    terms = {"bound_service_account_names": "vault-webhook", "bound_service_account_namespaces": "control"}
    openbao.write("auth/kubernetes/role/vault-webhook", {**terms, "audience": "vault", "token_policies": "for-control"})
    selector = '{"matchLabels": {"team": "platform"}}'
    openbao.write(
        "auth/kubernetes/role/by-label",
        {"bound_service_account_names": "app", "bound_service_account_namespace_selector": selector},
    )
    (tmp_path / "token").write_text(cluster.token("vault-webhook", namespace="control", audience="vault"))
    config = cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json").stdout
    user = {"token": cluster.token("vault-webhook", namespace="control")}
    own = json.loads(config)
    (tmp_path / "kubeconfig").write_text(json.dumps({**own, "users": [{**own["users"][0], "user": user}]}))

    def pull():
        argv = [*cluster.enter, sys.executable, "-m", "webhook.cli", "bindings", "pull"]
        given = [f"--{name}={value}" for name, value in flags.items()]
        env = {**os.environ, "PYTHONPATH": str(SOURCES)}
        return subprocess.run([*argv, *given], capture_output=True, text=True, timeout=60, check=False, env=env)

    yield pull
    for name in ("vault-webhook", "by-label"):
        openbao.delete(f"auth/kubernetes/role/{name}")
    openbao.delete("sys/policies/acl/for-control")


def test_the_controllers_own_token_and_rights_suffice(cluster, pull):
    unlabelled = pull()
    assert unlabelled.returncode == 0, unlabelled.stderr
    assert "kubernetes/namespaces: status 403" in unlabelled.stderr
    assert load(unlabelled.stdout.encode(), yaml_text.documents).namespaces == {}
    cluster.apply(RIGHTS)

    def labelled():
        answer = pull()
        assert answer.returncode == 0, answer.stderr
        return load(answer.stdout.encode(), yaml_text.documents)

    cluster.wait_for("rights to list namespaces", lambda: bool(labelled().namespaces), timeout_s=60)
    snapshot = labelled()
    assert snapshot.namespaces["control"]["team"] == "platform"
    assert snapshot.auth_mount("", "kubernetes").role("vault-webhook").audience == "vault"
    assert snapshot.auth_is_complete
