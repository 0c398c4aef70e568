"""Configuration files of the node's parts, as values and text: what a part is told, and why.

Everything here is a function of paths; `node.py` writes the results. JSON is written where YAML is read.
"""

from pathlib import Path
from typing import Any

from tests.cluster.network import NODE_ADDRESS
from tests.cluster.packages import CNI_PLUGINS
from tests.cluster.pki import NODE_NAME, Pki

API_URL = f"https://{NODE_ADDRESS}:6443"
ETCD_URL = "http://127.0.0.1:2379"
POD_SUBNET = "10.244.0.0/24"  # of this one node
POD_RANGE = "10.244.0.0/16"  # of the cluster
PAUSE_IMAGE = "docker.io/local/pause:1"

Document = dict[str, Any]


def kubeconfig(pki: Pki, client: str) -> Document:
    """Return the kubeconfig of one of the clients in `pki.SUBJECTS`."""
    user = {"client-certificate": str(pki.certificate(client)), "client-key": str(pki.key(client))}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": API_URL, "certificate-authority": str(pki.ca_file)}}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": client}}],
        "current-context": "x",
    }


def admission(webhooks_kubeconfig: Path) -> Document:
    """Return the API server's admission configuration: how it shows itself to mutating webhooks that ask."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [
            {
                "name": "MutatingAdmissionWebhook",
                "configuration": {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "WebhookAdmissionConfiguration",
                    "kubeConfigFile": str(webhooks_kubeconfig),
                },
            }
        ],
    }


def webhooks_kubeconfig(pki: Pki) -> Document:
    """Return the kubeconfig whose user `*` is the API server before every webhook."""
    name = "apiserver-to-webhooks"
    user = {"client-certificate": str(pki.certificate(name)), "client-key": str(pki.key(name))}
    return {"apiVersion": "v1", "kind": "Config", "users": [{"name": "*", "user": user}]}


def audit_policy() -> Document:
    """Return the audit policy: who created or changed what, with the webhooks' annotations, no bodies."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {
                "level": "Metadata",
                "verbs": ["create", "update", "patch"],
                "resources": [{"group": "", "resources": ["pods"]}],
            },
            {"level": "None"},
        ],
    }


def kubelet(folder: Path, pki: Pki, cgroup: str) -> Document:
    """Return the KubeletConfiguration of a run: nothing outside its folder and cgroup, no pressure from a full disk."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.ca_file)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate("kubelet-server")),
        "tlsPrivateKeyFile": str(pki.key("kubelet-server")),
        "containerRuntimeEndpoint": f"unix://{containerd_socket(folder)}",
        "podLogsDir": str(folder / "pod-logs"),
        "staticPodPath": str(static_pods(folder)),
        "volumePluginDir": str(folder / "volume-plugins"),
        "resolvConf": "",  # there is no DNS in the namespace
        # Cgroups by path instead of systemd, and none per pod: works under version 1 and 2 and inside containers.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # A shared machine's disk may be nearly full, and our images cannot be pulled again.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "syncFrequency": "2s",  # tests wait for changed volumes
    }


def proxy(folder: Path) -> Document:
    """Return the KubeProxyConfiguration: Services by nftables; the conntrack limits are the machine's, left alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(kubeconfig_file(folder, "proxy"))},
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NODE_NAME,
        "bindAddress": "127.0.0.1",
        "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def pod_network(folder: Path) -> Document:
    """Return the CNI configuration: one bridge; the network bears the run's name, so its traces can be told apart."""
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "hairpinMode": True,  # a pod may reach itself through its Service
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "cni" / "leases"),
            "ranges": [[{"subnet": POD_SUBNET}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": folder.name, "plugins": [bridge]}


def containerd(folder: Path) -> str:
    """Return containerd's configuration, TOML of version 2."""
    home = folder / "containerd"
    return f"""\
version = 2
root = "{home / "root"}"
state = "{home / "state"}"
[grpc]
  address = "{containerd_socket(folder)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true  # without CAP_SYS_RESOURCE a container that lowers its score does not start
  netns_mounts_under_state_dir = true  # so that they go with the folder
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{home / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{folder / "cni"}"
"""


def containerd_socket(folder: Path) -> Path:
    """Return containerd's socket; the kernel takes no path longer than 107 bytes."""
    return folder / "containerd.sock"


def static_pods(folder: Path) -> Path:
    """Return the folder whose manifests the kubelet runs by itself."""
    return folder / "static-pods"


def kubeconfig_file(folder: Path, client: str) -> Path:
    """Return where the client's kubeconfig is written."""
    return folder / f"{client}.kubeconfig"
