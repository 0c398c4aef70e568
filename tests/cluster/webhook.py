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
from tests.cluster.stops import Stops
from webhook.core.annotations.family import FAMILIES, SWITCH

PORT = 8443
SERVE = (sys.executable, "-m", "webhook.cli", "serve")
SOURCES = Path(__file__).parents[2]
SUFFIX = "vault-webhook.test"  # of the registrations' names
READY_TIMEOUT_S = 30
UNTOUCHED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
EVERYWHERE: Mapping[str, str] = {}
ANNOTATIONS = tuple(family.prefix + SWITCH for family in FAMILIES)


@dataclass(frozen=True, slots=True)
class Webhook(Stops):
    """A running server of ours; several side by side have names and ports of their own."""

    cluster: Cluster
    part: Part
    port: int = PORT  # of the reviews; the next one is for its pages and metrics

    @classmethod
    def start(
        cls,
        cluster: Cluster,
        settings: Mapping[str, str] | None = None,
        *,
        name: str = "webhook",
        port: int = PORT,
        argv: Sequence[str] = SERVE,
    ) -> Self:
        """Start the server and return it ready, not yet registered.

        Args:
            cluster: where; it ends the server too, if nobody else has.
            settings: variables such as {"AGENT_INJECT_BINDINGS": "/path"}; they win over `default_settings`.
            name: of its log and registrations; a second server after the first was stopped may use it again.
            port: it takes the next one, too.
            argv: another server that keeps to the same variables.

        Raises:
            PartFailedError: it ended or did not become ready; its log is quoted.
        """
        cluster.node.pki.issue(name, ServerOf([NODE_ADDRESS]))
        sources = {"PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"}
        env = sources | default_settings(cluster, name, port) | dict(settings or {})
        server = cls(cluster, cluster.run.start(name, argv, env=env), port)
        server.part.wait_ready(lambda: server.pages.ask("GET", "/readyz").status == 200, timeout_s=READY_TIMEOUT_S)
        server.part.wait_ready(lambda: server.reviews.ask("GET", "/mutate").status > 0, timeout_s=READY_TIMEOUT_S)
        return server

    def register(self, *, validating: bool = False, namespaces: Mapping[str, str] | None = None) -> None:
        """Have the API server ask us about pods that want an agent.

        An API server heeds a new registration within a second or so: wait with a pod that shows it.

        Args:
            validating: also about the final pod.
            namespaces: labels of the namespaces whose pods are meant; None: all.
        """
        ca = self.cluster.ca_file.read_bytes()
        of = (ca, self._registration, self.url, namespaces or {})
        self.cluster.apply(json.dumps(mutating_configuration(*of)))
        if validating:
            self.cluster.apply(json.dumps(validating_configuration(*of)))

    def stop(self) -> None:
        """Take the registrations back and end the server; harmless when done before."""
        kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
        for kind in kinds:
            self.cluster.kubectl("delete", kind, self._registration, "--ignore-not-found")
        self.part.stop()

    @property
    def url(self) -> str:
        """Where the API server asks."""
        return f"https://{NODE_ADDRESS}:{self.port}"

    @property
    def reviews(self) -> Site:
        """The server as the API server sees it, and is seen."""
        return self.reviews_as("apiserver-to-webhooks")

    def reviews_as(self, client: str = "") -> Site:
        """Return the server as another client of the cluster sees it; `client` is a name of `pki.SUBJECTS`, or none."""
        pki = self.cluster.node.pki
        pair = (pki.certificate(client), pki.key(client)) if client else None
        return Site(self.cluster.namespace, self.url, self.cluster.ca_file, pair)

    @property
    def pages(self) -> Site:
        """The server's own pages and metrics."""
        return Site(self.cluster.namespace, f"http://{NODE_ADDRESS}:{self.port + 1}", self.cluster.ca_file)

    @property
    def _registration(self) -> str:
        return f"{self.part.name}.{SUFFIX}"


def default_settings(cluster: Cluster, name: str, port: int) -> dict[str, str]:
    """Return the variables every server here is started with: where it listens, which agent, which OpenBao."""
    pki = cluster.node.pki
    return {
        "AGENT_INJECT_LISTEN": f"0.0.0.0:{port}",
        "AGENT_INJECT_ADMIN_LISTEN": f"0.0.0.0:{port + 1}",
        "AGENT_INJECT_TLS_CERT_FILE": str(pki.certificate(name)),
        "AGENT_INJECT_TLS_KEY_FILE": str(pki.key(name)),
        "AGENT_INJECT_VAULT_IMAGE": AGENT_IMAGE,
        "AGENT_INJECT_BAO_IMAGE": AGENT_IMAGE,
        "AGENT_INJECT_VAULT_ADDR": openbao.ADDRESS,
        "AGENT_INJECT_VAULT_CACERT_BYTES": cluster.ca_file.read_text(),
    }


def mutating_configuration(
    ca: bytes,
    name: str = SUFFIX,
    url: str = f"https://{NODE_ADDRESS}:{PORT}",
    namespaces: Mapping[str, str] = EVERYWHERE,
) -> dict[str, Any]:
    """Return the registration of /mutate.

    Args:
        ca: the PEM certificate that verifies the server.
        name: of the object.
        url: of the server.
        namespaces: labels of the namespaces whose pods are meant; empty: all.
    """
    again = {"reinvocationPolicy": "IfNeeded"}  # containers that webhooks after us add are to have the secrets too
    webhook = _webhook(name, url + "/mutate", ca, namespaces) | again
    return _configuration("MutatingWebhookConfiguration", name, webhook)


def validating_configuration(
    ca: bytes,
    name: str = SUFFIX,
    url: str = f"https://{NODE_ADDRESS}:{PORT}",
    namespaces: Mapping[str, str] = EVERYWHERE,
) -> dict[str, Any]:
    """Return the registration of /validate; arguments as above."""
    return _configuration("ValidatingWebhookConfiguration", name, _webhook(name, url + "/validate", ca, namespaces))


def asks_for_an_agent() -> str:
    """Return the CEL expression that is true for pods with one of ANNOTATIONS, whatever its value."""
    keys = " || ".join(f"'{key}' in object.metadata.annotations" for key in ANNOTATIONS)
    return f"has(object.metadata.annotations) && ({keys})"


def _configuration(kind: str, name: str, webhook: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


def _webhook(name: str, url: str, ca: bytes, namespaces: Mapping[str, str]) -> dict[str, Any]:
    elsewhere = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(UNTOUCHED_NAMESPACES)}
    return {
        "name": f"pods.{name}.example.com",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": url, "caBundle": base64.b64encode(ca).decode()},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "matchConditions": [{"name": "asks-for-an-agent", "expression": asks_for_an_agent()}],
        "namespaceSelector": {"matchExpressions": [elsewhere], "matchLabels": dict(namespaces)},
        "matchPolicy": "Equivalent",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 5,
    }
