"""Configurations: everything a part writes is inside the run's folder and cgroup."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs import new_authority
from tests.cluster import configs
from tests.cluster.pki import SUBJECTS, Pki, new_pki
from tests.cluster.webhook import asks_for_an_agent, mutating_configuration, validating_configuration

RUN = Path("/somewhere/runs/vw-1-abc")


@pytest.fixture
def pki() -> Pki:
    return Pki(RUN / "pki", new_authority("cluster", now=datetime.now(UTC), lifetime=timedelta(hours=1)))


def test_containerd_keeps_to_the_run_folder() -> None:
    config = tomllib.loads(configs.containerd(RUN))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    runc = cri["containerd"]["runtimes"]["runc"]
    paths = [
        config["root"],
        config["state"],
        config["grpc"]["address"],
        cri["cni"]["conf_dir"],
        runc["options"]["Root"],
    ]
    assert all(Path(path).is_relative_to(RUN) for path in paths)
    assert cri["sandbox_image"] == configs.PAUSE_IMAGE
    assert cri["netns_mounts_under_state_dir"] is True


def test_kubelet_keeps_to_the_run_folder_and_cgroup(pki: Pki) -> None:
    config = configs.kubelet(RUN, pki, "/vw-1-abc")
    assert config["cgroupRoot"] == "/vw-1-abc"
    assert config["containerRuntimeEndpoint"] == f"unix://{configs.containerd_socket(RUN)}"
    assert Path(config["podLogsDir"]).is_relative_to(RUN)


def test_the_pod_network_bears_the_runs_name() -> None:
    network = configs.pod_network(RUN)
    assert network["name"] == "vw-1-abc"
    assert Path(network["plugins"][0]["ipam"]["dataDir"]).is_relative_to(RUN)


def test_a_kubeconfig_names_the_clients_own_files(pki: Pki) -> None:
    user = configs.kubeconfig(pki, "scheduler")["users"][0]["user"]
    assert user == {
        "client-certificate": str(RUN / "pki/scheduler.crt"),
        "client-key": str(RUN / "pki/scheduler.key"),
    }


def test_documents_are_json(pki: Pki) -> None:
    documents = [configs.audit_policy(), configs.proxy(RUN), configs.kubelet(RUN, pki, "/x"), configs.pod_network(RUN)]
    assert json.loads(json.dumps(documents)) == documents


def test_the_pki_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    pki = new_pki(tmp_path / "pki")
    names = [*SUBJECTS, "ca"]
    assert all(pki.certificate(name).read_bytes().startswith(b"-----BEGIN CERTIFICATE") for name in names)
    assert all(pki.key(name).read_bytes().startswith(b"-----BEGIN PRIVATE KEY") for name in SUBJECTS)
    assert pki.folder.stat().st_mode & 0o077 == 0


def test_registrations_fail_closed_and_spare_the_system() -> None:
    for configuration in (mutating_configuration(b"PEM"), validating_configuration(b"PEM")):
        (webhook,) = configuration["webhooks"]
        assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Fail", "None")
        (selector,) = webhook["namespaceSelector"]["matchExpressions"]
        assert "kube-system" in selector["values"]
        assert webhook["clientConfig"]["caBundle"] == "UEVN"
        assert ("reinvocationPolicy" in webhook) == (configuration["kind"] == "MutatingWebhookConfiguration")


def test_the_condition_asks_for_annotations_before_it_looks_into_them() -> None:
    assert asks_for_an_agent().startswith("has(object.metadata.annotations) && (")
