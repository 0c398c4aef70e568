"""The cluster's certificates, written as files: one authority for everybody, and a key pair for each part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certs import ClientOf, KeyPair, ServerOf, issue, new_authority
from tests.cluster.network import NODE_ADDRESS

LIFETIME = timedelta(days=10)  # a demo cluster may stay up over a long weekend
NODE_NAME = "node1"
API_SERVICE_ADDRESS = "10.96.0.1"  # first of the Service range: the API server's own Service
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
SUBJECTS: Mapping[str, ServerOf | ClientOf] = {  # file name to whom it is for; the users are Kubernetes' own names
    "apiserver": ServerOf([*API_NAMES, "127.0.0.1", NODE_ADDRESS, API_SERVICE_ADDRESS], "kube-apiserver"),
    "kubelet-server": ServerOf([NODE_NAME, NODE_ADDRESS], "kubelet"),
    "apiserver-to-kubelet": ClientOf("kube-apiserver", "system:masters"),
    "apiserver-to-webhooks": ClientOf("kube-apiserver-webhooks"),
    "admin": ClientOf("admin", "system:masters"),
    "kubelet": ClientOf(f"system:node:{NODE_NAME}", "system:nodes"),
    "controller-manager": ClientOf("system:kube-controller-manager"),
    "scheduler": ClientOf("system:kube-scheduler"),
    "proxy": ClientOf("system:kube-proxy"),
}
CLIENTS = tuple(name for name, subject in SUBJECTS.items() if isinstance(subject, ClientOf))


@dataclass(frozen=True, slots=True)
class Pki:
    """The certificates of one cluster, in a folder of their own."""

    folder: Path
    authority: KeyPair = field(repr=False)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate: what every client of every part trusts."""
        return self.folder / "ca.crt"

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate that `issue` wrote."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the file of a key that `issue` wrote."""
        return self.folder / f"{name}.key"

    def issue(self, name: str, to: ServerOf | ClientOf) -> None:
        """Write a new certificate and key under this name."""
        pair = issue(self.authority, to, now=datetime.now(UTC), lifetime=LIFETIME)
        self.certificate(name).write_bytes(pair.certificate)
        self.key(name).write_bytes(pair.key)


def new_pki(folder: Path) -> Pki:
    """Make the folder, readable by its owner alone, with the authority, SUBJECTS and the service account key pair."""
    folder.mkdir(mode=0o700)
    pki = Pki(folder, new_authority("cluster", now=datetime.now(UTC), lifetime=LIFETIME))
    pki.ca_file.write_bytes(pki.authority.certificate)
    for name, subject in SUBJECTS.items():
        pki.issue(name, subject)
    _write_service_account_keys(folder)
    return pki


def _write_service_account_keys(folder: Path) -> None:
    """Write service-account.key and .pub: RSA, as kubeadm has it, so that tokens are signed as on most clusters."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "service-account.key").write_bytes(private)
    (folder / "service-account.pub").write_bytes(public)
