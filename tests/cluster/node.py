"""A Kubernetes node and its control plane, started part by part inside one run's namespace."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import configs
from tests.cluster.network import NODE_ADDRESS
from tests.cluster.part import Part, PartFailedError
from tests.cluster.pki import CLIENTS, NODE_NAME, Pki, new_pki
from tests.cluster.runs import Run
from tests.cluster.sites import Site

ISSUER = "https://kubernetes.default.svc.cluster.local"  # of service account tokens; nobody resolves it
Flags = dict[str, str | Path]
START_TIMEOUT_S = 60  # for one part; an idle machine needs a few seconds


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one cluster; `start` starts them all, `Run.end` ends them."""

    run: Run
    binaries: Mapping[str, Path]
    pki: Pki

    def start(self, archives: Iterable[Path]) -> None:
        """Start everything; return when the API server answers and the kubelet, which then registers, is running.

        Args:
            archives: images to import; PAUSE_IMAGE must be among them.

        Raises:
            PartFailedError: a part ended or did not become ready; its log is quoted.
        """
        self._write_configs()
        self._start_etcd()
        apiserver = self._start_apiserver()
        containerd = self.run.start("containerd", ["containerd", "--config", self._folder / "containerd.toml"])
        with ThreadPoolExecutor(max_workers=1) as beside:  # the API server takes its seconds, and so do the images
            images = beside.submit(self._import_all, containerd, tuple(archives))
            api = Site(self.run.namespace, configs.API_URL, self.pki.ca_file)
            apiserver.wait_ready(lambda: api.ask("GET", "/readyz").status == 200, timeout_s=START_TIMEOUT_S)
            self._start_controllers()
            images.result()
        self._start_kubelet()
        self._start_proxy()

    def import_image(self, archive: Path) -> None:
        """Import a docker or OCI archive, so that pods can use its images with `imagePullPolicy: Never`.

        Raises:
            subprocess.CalledProcessError: containerd refused it; its message has been shown.
        """
        subprocess.run([*self._ctr, "images", "import", archive], stdout=subprocess.DEVNULL, check=True)

    @property
    def _folder(self) -> Path:
        return self.run.folder

    @property
    def _ctr(self) -> tuple[str, ...]:
        address = str(configs.containerd_socket(self._folder))
        return (*self.run.namespace.enter, "ctr", "--address", address, "--namespace", "k8s.io")

    def _write_configs(self) -> None:
        folder = self._folder
        (folder / "cni").mkdir()
        configs.static_pods(folder).mkdir()
        (folder / "containerd.toml").write_text(configs.containerd(folder))
        documents = {
            "admission.json": configs.admission(folder / "webhooks.json"),
            "webhooks.json": configs.webhooks_kubeconfig(self.pki),
            "audit-policy.json": configs.audit_policy(),
            "kubelet.json": configs.kubelet(folder, self.pki, self.run.cgroup),
            "proxy.json": configs.proxy(folder),
            "cni/10-pods.conflist": configs.pod_network(folder),
        }
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document, indent=1))
        for client in CLIENTS:
            configs.kubeconfig_file(folder, client).write_text(
                json.dumps(configs.kubeconfig(self.pki, client), indent=1)
            )

    def _start(self, name: str, flags: Flags) -> Part:
        return self.run.start(name, [self.binaries[name], *(f"--{flag}={value}" for flag, value in flags.items())])

    def _start_etcd(self) -> None:
        flags: Flags = {
            "data-dir": self._folder / "etcd",
            "unsafe-no-fsync": "true",  # nothing here outlives the machine
            "listen-client-urls": configs.ETCD_URL,
            "advertise-client-urls": configs.ETCD_URL,
            "listen-peer-urls": "http://127.0.0.1:2380",
        }
        self._start("etcd", flags)

    def _start_apiserver(self) -> Part:
        flags: Flags = {
            "etcd-servers": configs.ETCD_URL,
            "bind-address": "0.0.0.0",  # of the namespace
            "secure-port": "6443",
            "advertise-address": NODE_ADDRESS,
            "tls-cert-file": self.pki.certificate("apiserver"),
            "tls-private-key-file": self.pki.key("apiserver"),
            "client-ca-file": self.pki.ca_file,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "service-account-issuer": ISSUER,
            "service-account-signing-key-file": self.pki.key("service-account"),
            "service-account-key-file": self.pki.folder / "service-account.pub",
            "service-cluster-ip-range": "10.96.0.0/24",
            "kubelet-preferred-address-types": "InternalIP",
            "kubelet-client-certificate": self.pki.certificate("apiserver-to-kubelet"),
            "kubelet-client-key": self.pki.key("apiserver-to-kubelet"),
            "kubelet-certificate-authority": self.pki.ca_file,
            "admission-control-config-file": self._folder / "admission.json",
            "audit-policy-file": self._folder / "audit-policy.json",
            "audit-log-path": self.run.logs / "audit.jsonl",
            "audit-log-mode": "blocking",  # an event is there when its request has been answered
        }
        return self._start("kube-apiserver", flags)

    def _start_controllers(self) -> None:
        for name in ("controller-manager", "scheduler"):
            config = configs.kubeconfig_file(self._folder, name)
            flags: Flags = {
                "kubeconfig": config,
                "authentication-kubeconfig": config,
                "authorization-kubeconfig": config,
                "bind-address": "127.0.0.1",
                "leader-elect": "false",
            }
            if name == "controller-manager":
                flags |= {
                    "service-account-private-key-file": self.pki.key("service-account"),
                    "root-ca-file": self.pki.ca_file,
                    "use-service-account-credentials": "true",
                    "allocate-node-cidrs": "true",
                    "cluster-cidr": configs.POD_RANGE,
                    "flex-volume-plugin-dir": self._folder / "volume-plugins",
                    "kube-api-qps": "500",  # each of its controllers begins with requests; the default takes 5 s longer
                    "kube-api-burst": "500",
                }
            self._start(f"kube-{name}", flags)

    def _import_all(self, containerd: Part, archives: tuple[Path, ...]) -> None:
        answers = [*self._ctr, "version"]
        containerd.wait_ready(
            lambda: subprocess.run(answers, capture_output=True, check=False).returncode == 0, timeout_s=START_TIMEOUT_S
        )
        for archive in archives:
            self.import_image(archive)

    def _start_kubelet(self) -> None:
        flags: Flags = {
            "config": self._folder / "kubelet.json",
            "kubeconfig": configs.kubeconfig_file(self._folder, "kubelet"),
            "root-dir": self._folder / "kubelet",
            "hostname-override": NODE_NAME,
            "node-ip": NODE_ADDRESS,
        }
        self._start("kubelet", flags)

    def _start_proxy(self) -> None:
        self._start("kube-proxy", {"config": self._folder / "proxy.json"})


def new_node(run: Run, binaries: Mapping[str, Path]) -> Node:
    """Return the node of a run, certificates made, nothing started."""
    return Node(run, binaries, new_pki(run.folder / "pki"))


def raise_if_ended(run: Run) -> None:
    """Raise PartFailedError for the first part of the run that has ended, whoever asks next."""
    for part in run.parts:
        if (code := part.process.poll()) is not None and not part.stopped:
            raise PartFailedError(f"{part.name} ended with exit code {code}", part.log)
