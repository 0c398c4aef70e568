"""The refused examples as their authors see it, and that OpenBao refuses a real login of each identity too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster import examples
from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import PREFIX, Space

pytestmark = pytest.mark.cluster
DENIED = 'admission webhook "pods.webhook-classic.vault-webhook.test.example.com" denied the request: '


@dataclass(frozen=True)
class Refusal:
    """One refused example: what its author reads, and what OpenBao answers to such a login."""

    reason: str
    message: str
    login: tuple[int, str]


REFUSALS: Mapping[str, Refusal] = {
    "refused-namespace": Refusal(
        reason="NamespaceNotBound",
        message='vault.hashicorp.com/role "shop": namespace "billing" is not bound to Vault role "shop" on auth/kubernetes.'
        " Fix: `vault write auth/kubernetes/role/shop bound_service_account_namespaces=<list>,billing ...`."
        " (NamespaceNotBound)",
        login=(403, "namespace not authorized"),
    ),
    "refused-service-account": Refusal(
        reason="ServiceAccountNotBound",
        message='vault.hashicorp.com/role "shop": service account "default" is not bound to Vault role "shop" on'
        " auth/kubernetes. Fix: set `serviceAccountName`, or"
        " `vault write auth/kubernetes/role/shop bound_service_account_names=<list>,default ...`."
        " (ServiceAccountNotBound)",
        login=(403, "service account name not authorized"),
    ),
    "refused-unknown-role": Refusal(
        reason="RoleNotFound",
        message='vault.hashicorp.com/role "shopp": Vault role "shopp" does not exist on auth/kubernetes. Fix:'
        " correct it, or `vault write auth/kubernetes/role/shopp bound_service_account_names=shop"
        " bound_service_account_namespaces=shop token_policies=<policy>`. (RoleNotFound)",
        login=(400, 'invalid role name "shopp"'),
    ),
}


@pytest.fixture(scope="module", autouse=True)
def taken(example_spaces: Mapping[str, Space], injectors: Injectors) -> None:
    for space in example_spaces.values():
        injectors.take(space, Kind.CLASSIC)


def test_every_refused_example_is_here() -> None:
    assert tuple(REFUSALS) == examples.REFUSED


@pytest.mark.parametrize("example", examples.REFUSED)
def test_kubectl_prints_code_cause_and_remedy(cluster: Cluster, example: str) -> None:
    refusal, file = REFUSALS[example], examples.path_of(example)
    answer = cluster.kubectl("apply", f"--filename={file}", check=False)
    head = f'Error from server ({refusal.reason}): error when creating "{file}": '
    assert (answer.returncode, answer.stderr) == (1, f"{head}{DENIED}{refusal.message}\n")


@pytest.mark.parametrize("example", examples.REFUSED)
def test_the_event_of_a_replica_set_holds_the_whole_message(example_spaces: Mapping[str, Space], example: str) -> None:
    pod = examples.read(examples.path_of(example))
    space = example_spaces[pod["metadata"]["namespace"]]
    space.create(_deployment(pod))
    try:
        (replica_set,) = space.eventually(lambda: space.items("replicasets", f"--selector=app={example}"), bool)
        said = space.eventually(lambda: space.events(replica_set["metadata"]["name"], "FailedCreate"), bool)
        assert set(said) == {f"Error creating: {DENIED}{REFUSALS[example].message}"}
    finally:
        space.kubectl("delete", "deployment", example)


@pytest.mark.parametrize("example", examples.REFUSED)
def test_the_login_would_have_failed(cluster: Cluster, vault: OpenBao, example: str) -> None:
    pod = examples.read(examples.path_of(example))
    account, namespace = pod["spec"]["serviceAccountName"], pod["metadata"]["namespace"]
    jwt = cluster.token(account, namespace=namespace, audience="vault")
    status, error = REFUSALS[example].login
    assert vault.login_kubernetes(pod["metadata"]["annotations"][PREFIX + "role"], jwt) == (status, {"errors": [error]})


@pytest.mark.parametrize(("account", "namespace"), [("shop", "shop"), ("billing", "billing")])
def test_the_login_of_an_admitted_example_succeeds(
    cluster: Cluster, vault: OpenBao, account: str, namespace: str
) -> None:
    jwt = cluster.token(account, namespace=namespace, audience="vault")
    status, answer = vault.login_kubernetes(account, jwt)
    assert status == 200
    assert f"{account}-read" in answer["auth"]["token_policies"]


def test_the_audit_log_tells_a_refusals_reason_role_and_mount(cluster: Cluster) -> None:
    cluster.kubectl("apply", f"--filename={examples.path_of('refused-unknown-role')}", check=False)
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    refused = [event for event in events if event["objectRef"].get("name") == "refused-unknown-role"]
    prefix = "pods.webhook-classic.vault-webhook.test.example.com/"
    told = {key.removeprefix(prefix): text for key, text in refused[-1]["annotations"].items() if prefix in key}
    expected = {"decision": "refused", "reason": "RoleNotFound", "role": "shopp", "mount": "auth/kubernetes"}
    assert {key: told.get(key) for key in expected} == expected


def test_a_server_side_dry_run_is_refused_too(cluster: Cluster) -> None:
    file = examples.path_of("refused-unknown-role")
    answer = cluster.kubectl("apply", f"--filename={file}", "--dry-run=server", check=False)
    assert answer.stderr.endswith(REFUSALS["refused-unknown-role"].message + "\n")


def _deployment(pod: Mapping[str, Any]) -> dict[str, Any]:
    name, labels = pod["metadata"]["name"], {"app": pod["metadata"]["name"]}
    template = {"metadata": {"annotations": pod["metadata"]["annotations"], "labels": labels}, "spec": pod["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
