"""What the manifests in examples/ need around them: roles, policies, secrets, namespaces, accounts and their image."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.images import archive, shell_image
from tests.cluster.openbao import OpenBao
from webhook import yaml_text

EXAMPLES = Path(__file__).parents[2] / "examples"
BINDINGS = EXAMPLES / "bindings.yaml"
IMAGE = "docker.io/library/busybox:1.36"  # the whole name of what the examples call busybox:1.36
SECRETS: Mapping[str, Mapping[str, str]] = {
    "secret/data/shop/db": {"user": "shop", "password": "quiet-otter"},
    "secret/data/shop/config": {"currency": "EUR"},
    "secret/data/billing/api": {"key": "calm-heron"},
}
ACCOUNTS: Mapping[str, tuple[str, ...]] = {"shop": ("shop", "shop-worker"), "billing": ("billing", "shop")}
ADMITTED = ("deployment", "statefulset", "cronjob")
REFUSED = ("refused-namespace", "refused-service-account", "refused-unknown-role")
LABEL_TIMEOUT_S = 30

Document = Mapping[str, Any]


def path_of(example: str) -> Path:
    """Return an example's file."""
    return EXAMPLES / f"{example}.yaml"


def files_of(examples: Iterable[str]) -> list[str]:
    """Return the arguments by which kubectl takes their files."""
    return [f"--filename={path_of(name)}" for name in examples]


def read(path: Path) -> Any:
    """Return the only document of a YAML file."""
    (document,) = yaml_text.documents(path.read_bytes())
    return document


def grant(openbao: OpenBao, bindings: Document) -> None:
    """Write the policies and roles of a bindings document into the server, whose auth mounts are there already.

    Raises:
        OpenBaoError: the server takes one of them not as the document has it.
    """
    for policy in bindings["policies"]:
        openbao.write(f"sys/policies/acl/{policy['name']}", {"policy": policy["hcl"]})
    for mount in bindings["auth"]:
        for name, role in mount.get("roles", {}).items():
            openbao.write(f"{mount['path']}/role/{name}", role)


def furnish(openbao: OpenBao) -> None:
    """Write the roles, policies and secrets of the examples into the server."""
    grant(openbao, read(BINDINGS))
    for path, data in SECRETS.items():
        openbao.write(path, {"data": dict(data)})


def settle(cluster: Cluster, labels: Mapping[str, str] | None = None) -> None:
    """Make the image, namespaces and accounts of the examples.

    Args:
        cluster: where.
        labels: of the namespaces.
    """
    cluster.import_image(archive(shell_image(IMAGE)))
    for namespace, accounts in ACCOUNTS.items():
        cluster.kubectl("create", "namespace", namespace)
        for name, value in (labels or {}).items():
            cluster.kubectl("label", "namespace", namespace, f"{name}={value}")
        for account in accounts:
            cluster.kubectl("create", "serviceaccount", account, f"--namespace={namespace}")
