"""The identities a live server is asked about: service accounts in labelled namespaces, with real tokens."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from ssl import create_default_context
from typing import Any, TypeVar
from urllib.parse import quote

from tests.cluster.cluster import Cluster
from tests.cluster.openbao import ROOT_TOKEN, OpenBao

T = TypeVar("T")
NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "shop": {"team": "shop", "tier": "1"},
    "shop-dev": {"team": "shop"},
    "team-a": {"team": "a", "empty": ""},
    "aba": {},
}
MOUNTS = {"kubernetes": "kubernetes", "truth-jwt": "jwt"}  # path to type
ACCOUNTS = ("web", "web-a", "api", "weeb")
VAULT_NAMESPACES = ("", "team1", "team1/sub")
SECRET_MOUNTS = {"secret": "2", "old": "1"}  # in each of them: path to KV version
AUDIENCES = ("vault", "other", None)  # None: the API server's own
API_AUDIENCE = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Identity:
    """One account, with a token of one audience."""

    account: str
    namespace: str
    audience: str
    token: str

    @property
    def labels(self) -> Mapping[str, str]:
        """Return its namespace's labels, with the one Kubernetes adds."""
        return {**NAMESPACES[self.namespace], "kubernetes.io/metadata.name": self.namespace}


def identities(cluster: Cluster) -> list[Identity]:
    """Make namespaces and accounts, and mint a token of each audience for each account."""
    objects: list[dict[str, Any]] = []
    for namespace, labels in NAMESPACES.items():
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        objects += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}}
            for account in ACCOUNTS
        ]
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return [
        Identity(
            account, namespace, audience or API_AUDIENCE, cluster.token(account, namespace=namespace, audience=audience)
        )
        for namespace in NAMESPACES
        for account in ACCOUNTS
        for audience in AUDIENCES
    ]


class Server:
    """OpenBao, asked many times over one connection; lives in a thread inside the cluster's network."""

    def __init__(self, openbao: OpenBao) -> None:
        """Connect."""
        host = openbao.address.removeprefix("https://")
        context = create_default_context(cafile=str(openbao.cluster.ca_file))
        self._connection = HTTPSConnection(host, context=context, timeout=30)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(
        self, method: str, path: str, body: object = None, *, token: str = ROOT_TOKEN, namespace: str = ""
    ) -> tuple[int, Any]:
        """Return status and decoded body; `namespace` is the Vault namespace the request is made in."""
        data = None if body is None else json.dumps(body)
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        self._connection.request(method, f"/v1/{quote(path)}", data, headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if raw else None

    def login(self, mount: str, role: str, identity: Identity) -> bool:
        """Tell whether the server lets the identity in."""
        status, answer = self.ask("POST", f"auth/{mount}/login", {"role": role, "jwt": identity.token}, token="")
        if status >= 500:
            raise AssertionError(f"the server failed: {status} {answer}")
        return status == 200


def inside(openbao: OpenBao, work: Callable[[Server], T]) -> T:
    """Run work with a Server, in a thread inside the cluster's network."""

    def connected() -> T:
        with closing(Server(openbao)) as server:
            return work(server)

    return openbao.cluster.namespace.call(connected)


def document(path: str, role: Mapping[str, Any], **more: Any) -> bytes:
    """Return the bindings document the controller would write for one role called r, on one of MOUNTS."""
    mount = {"path": path, "type": MOUNTS[path], "roles": {"r": role}}
    return json.dumps({"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "auth": [mount], **more}).encode()
