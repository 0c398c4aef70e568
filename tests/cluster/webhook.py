"""The product itself, run from the source tree inside a cluster's network and registered with its API server."""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from certs import ServerOf
from tests.cluster import openbao
from tests.cluster.cluster import Cluster
from tests.cluster.images import AGENT_IMAGE
from tests.cluster.network import NODE_ADDRESS
from tests.cluster.part import Part
from tests.cluster.sites import Site

URL = f"https://{NODE_ADDRESS}:8443"
ADMIN_URL = f"http://{NODE_ADDRESS}:8081"
SERVE = (sys.executable, "-m", "webhook.cli", "serve")
SOURCES = Path(__file__).parents[2]
NAME = "vault-webhook.test"  # of both registrations
READY_TIMEOUT_S = 30
UNTOUCHED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
ANNOTATIONS = ("vault.hashicorp.com/agent-inject", "openbao.org/agent-inject")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A running server of ours."""

    cluster: Cluster
    part: Part

    @classmethod
    def start(
        cls,
        cluster: Cluster,
        settings: Mapping[str, str] | None = None,
        *,
        name: str = "webhook",
        argv: Sequence[str] = SERVE,
    ) -> Self:
        """Start the server at URL and return it ready, not yet registered.

        Args:
            cluster: where; it ends the server too, if nobody else has.
            settings: variables such as {"AGENT_INJECT_BINDINGS": "/path"}; they win over `default_settings`.
            name: of the log; a second server after the first was stopped may use it again.
            argv: another server that keeps to the same variables and ports.

        Raises:
            PartFailedError: it ended or did not become ready; its log is quoted.
        """
        cluster.node.pki.issue("webhook", ServerOf([NODE_ADDRESS]))
        sources = {"PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"}
        env = sources | default_settings(cluster) | dict(settings or {})
        server = cls(cluster, cluster.run.start(name, argv, env=env))
        server.part.wait_ready(
            lambda: server.site(ADMIN_URL).ask("GET", "/readyz").status == 200, timeout_s=READY_TIMEOUT_S
        )
        server.part.wait_ready(lambda: server.site(URL).ask("GET", "/mutate").status > 0, timeout_s=READY_TIMEOUT_S)
        return server

    def register(self, *, validating: bool = False) -> None:
        """Have the API server ask us about pods that want an agent; with `validating` also about the final pod.

        An API server heeds a new registration within a second or so: wait with a pod that shows it.
        """
        ca = self.cluster.ca_file.read_bytes()
        self.cluster.apply(json.dumps(mutating_configuration(ca)))
        if validating:
            self.cluster.apply(json.dumps(validating_configuration(ca)))

    def stop(self) -> None:
        """Take the registrations back and end the server; harmless when done before."""
        kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
        for kind in kinds:
            self.cluster.kubectl("delete", kind, NAME, "--ignore-not-found")
        self.part.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def site(self, url: str = ADMIN_URL) -> Site:
        """Return the server for direct questions: at ADMIN_URL its pages and metrics, at URL the reviews."""
        return Site(self.cluster.namespace, url, self.cluster.ca_file)


def default_settings(cluster: Cluster) -> dict[str, str]:
    """Return the variables every server here is started with: where it listens, which agent, which OpenBao."""
    pki = cluster.node.pki
    return {
        "AGENT_INJECT_LISTEN": "0.0.0.0:8443",
        "AGENT_INJECT_ADMIN_LISTEN": "0.0.0.0:8081",
        "AGENT_INJECT_TLS_CERT_FILE": str(pki.certificate("webhook")),
        "AGENT_INJECT_TLS_KEY_FILE": str(pki.key("webhook")),
        "AGENT_INJECT_VAULT_IMAGE": AGENT_IMAGE,
        "AGENT_INJECT_VAULT_ADDR": openbao.ADDRESS,
        "AGENT_INJECT_VAULT_CACERT_BYTES": cluster.ca_file.read_text(),
    }


def mutating_configuration(ca: bytes) -> dict[str, Any]:
    """Return the registration of /mutate; `ca` is the PEM certificate that verifies the server."""
    again = {"reinvocationPolicy": "IfNeeded"}  # containers that webhooks after us add are to have the secrets too
    return _configuration("MutatingWebhookConfiguration", _webhook("/mutate", ca) | again)


def validating_configuration(ca: bytes) -> dict[str, Any]:
    """Return the registration of /validate; `ca` as above."""
    return _configuration("ValidatingWebhookConfiguration", _webhook("/validate", ca))


def asks_for_an_agent() -> str:
    """Return the CEL expression that is true for pods with one of ANNOTATIONS, whatever its value."""
    keys = " || ".join(f"'{key}' in object.metadata.annotations" for key in ANNOTATIONS)
    return f"has(object.metadata.annotations) && ({keys})"


def _configuration(kind: str, webhook: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME},
        "webhooks": [webhook],
    }


def _webhook(path: str, ca: bytes) -> dict[str, Any]:
    elsewhere = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(UNTOUCHED_NAMESPACES)}
    return {
        "name": f"pods.{NAME}.example.com",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": URL + path, "caBundle": base64.b64encode(ca).decode()},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "matchConditions": [{"name": "asks-for-an-agent", "expression": asks_for_an_agent()}],
        "namespaceSelector": {"matchExpressions": [elsewhere]},
        "matchPolicy": "Equivalent",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 5,
    }
