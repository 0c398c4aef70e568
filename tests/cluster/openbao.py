"""A real OpenBao, or the Vault that VAULT_BINARY names, inside a cluster's network: in memory, with a known root token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from certs import ServerOf
from tests.cluster.cluster import Cluster
from tests.cluster.configs import API_URL
from tests.cluster.network import NODE_ADDRESS
from tests.cluster.part import Part
from tests.cluster.sites import Answer, Site
from tests.cluster.stops import Stops
from tests.cluster.vault_program import vault_program

ADDRESS = f"https://{NODE_ADDRESS}:8200"
ROOT_TOKEN = "root"  # of a throwaway server
READY_TIMEOUT_S = 30
REVIEWER_NAMESPACE = "openbao"
REVIEWER = "token-reviewer"
# What the server needs in Kubernetes: to have tokens reviewed, and to read namespaces for roles that select by label.
REVIEWER_RIGHTS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {REVIEWER_NAMESPACE}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {REVIEWER}, namespace: {REVIEWER_NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: openbao-read-namespaces}}
rules: [{{apiGroups: [""], resources: [namespaces], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: openbao-token-review}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}}
subjects: [{{kind: ServiceAccount, name: {REVIEWER}, namespace: {REVIEWER_NAMESPACE}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: openbao-read-namespaces}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: openbao-read-namespaces}}
subjects: [{{kind: ServiceAccount, name: {REVIEWER}, namespace: {REVIEWER_NAMESPACE}}}]
"""


class OpenBaoError(Exception):
    """The server refused a request that was to succeed."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        super().__init__(f"{method} {path}: {answer.status} {answer.body.decode(errors='replace').strip()}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class OpenBao(Stops):
    """A running server; paths are those of its API without /v1/, such as "secret/data/db"."""

    cluster: Cluster
    part: Part

    @classmethod
    def start(cls, cluster: Cluster, *, name: str = "openbao") -> Self:
        """Start the server at ADDRESS, certified by the cluster's authority, with key-value version 2 at secret/.

        Args:
            cluster: where; it ends the server too, if nobody else has.
            name: of the log; a second server after the first was stopped may use it again.

        Raises:
            PartFailedError: it ended or did not become ready; its log is quoted.
        """
        cluster.node.pki.issue("openbao", ServerOf([NODE_ADDRESS, "127.0.0.1", "localhost"], "openbao"))
        config = cluster.run.folder / "openbao.json"
        config.write_text(json.dumps(_config(cluster)))
        argv: list[str | Path] = [vault_program().path, "server", "-dev", "-dev-no-store-token"]
        argv.append(f"-dev-root-token-id={ROOT_TOKEN}")
        # -dev has a plain listener of its own, which cannot be left out; ours, with TLS, is in the file.
        argv += ["-dev-listen-address=127.0.0.1:8210", f"-config={config}"]
        server = cls(cluster, cluster.run.start(name, argv))
        server.part.wait_ready(lambda: server.ask("GET", "sys/health").status == 200, timeout_s=READY_TIMEOUT_S)
        server.part.wait_ready(lambda: server.ask("GET", "secret/config").status == 200, timeout_s=READY_TIMEOUT_S)
        return server

    def stop(self) -> None:
        """End it, and with it all it held; harmless when done before."""
        self.part.stop()

    @property
    def address(self) -> str:
        """Its URL, for processes and pods of the cluster; `Cluster.ca_file` verifies it."""
        return ADDRESS

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which `bao` or `vault`, run inside the namespace, is root at this server."""
        values = {"ADDR": ADDRESS, "CACERT": str(self.cluster.ca_file), "TOKEN": ROOT_TOKEN}
        return {f"{prefix}_{name}": value for prefix in ("BAO", "VAULT") for name, value in values.items()}

    def ask(self, method: str, path: str, body: object = None, *, token: str = ROOT_TOKEN) -> Answer:
        """Send one request and return the answer, a refusal too; an empty token sends none.

        Raises:
            OSError: the server did not answer.
        """
        headers = {"X-Vault-Token": token} if token else {}
        site = Site(self.cluster.namespace, ADDRESS, self.cluster.ca_file)
        return site.ask(method, f"/v1/{path}", body=body, headers=headers)

    def write(self, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """Write, and return the answer's JSON, None when it is empty.

        Raises:
            OpenBaoError: refused.
        """
        return self._done("POST", path, dict(data or {}))

    def read(self, path: str) -> Any:
        """Return the answer's JSON, its `data` and all; None when nothing is there.

        Raises:
            OpenBaoError: refused for another reason.
        """
        answer = self.ask("GET", path)
        return None if answer.status == 404 else self._checked("GET", path, answer)

    def delete(self, path: str) -> None:
        """Delete; what is not there is no error.

        Raises:
            OpenBaoError: refused.
        """
        self._done("DELETE", path)

    def login_kubernetes(self, role: str, jwt: str, mount: str = "kubernetes") -> tuple[int, Any]:
        """Log in as an agent would; return status and JSON: `auth` when it is 200, else `errors`, a list of texts."""
        answer = self.ask("POST", f"auth/{mount}/login", {"role": role, "jwt": jwt}, token="")
        return answer.status, answer.json()

    def token_accessors(self) -> list[str]:
        """Return the accessors of all live tokens; a revoked one is no longer among them."""
        accessors: list[str] = self._done("LIST", "auth/token/accessors")["data"]["keys"]
        return accessors

    def set_up_kubernetes_auth(self, mount: str = "kubernetes") -> None:
        """Enable the kubernetes auth method for this cluster's tokens; roles are up to the caller.

        The server has tokens reviewed by a service account of its own, so callers need no rights.

        Raises:
            OpenBaoError: refused, most likely because the mount exists.
        """
        self.cluster.apply(REVIEWER_RIGHTS)
        self.write(f"sys/auth/{mount}", {"type": "kubernetes"})
        config = {
            "kubernetes_host": API_URL,
            "kubernetes_ca_cert": self.cluster.ca_file.read_text(),
            "token_reviewer_jwt": self.cluster.token(REVIEWER, namespace=REVIEWER_NAMESPACE, duration="240h"),
            "disable_local_ca_jwt": True,
        }
        self.write(f"auth/{mount}/config", config)

    def set_up_jwt_auth(self, mount: str = "jwt") -> None:
        """Enable the jwt auth method, which checks this cluster's tokens by the API server's published keys.

        Raises:
            OpenBaoError: refused, most likely because the mount exists.
        """
        self.write(f"sys/auth/{mount}", {"type": "jwt"})
        keys = {"jwks_url": f"{API_URL}/openid/v1/jwks", "jwks_ca_pem": self.cluster.ca_file.read_text()}
        self.write(f"auth/{mount}/config", keys)

    def _done(self, method: str, path: str, body: object = None) -> Any:
        return self._checked(method, path, self.ask(method, path, body))

    def _checked(self, method: str, path: str, answer: Answer) -> Any:
        if answer.status >= 400:
            raise OpenBaoError(method, path, answer)
        return answer.json()


def _config(cluster: Cluster) -> dict[str, Any]:
    pki = cluster.node.pki
    tls = {"tls_cert_file": str(pki.certificate("openbao")), "tls_key_file": str(pki.key("openbao"))}
    return {"listener": [{"tcp": {"address": f"{NODE_ADDRESS}:8200", **tls}}]}
