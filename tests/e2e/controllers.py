"""Controllers as users run them, with an account and a policy of their own, and webhooks that ask them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.cluster.cluster import Cluster
from tests.cluster.network import NODE_ADDRESS
from tests.cluster.openbao import OpenBao
from tests.cluster.part import Part
from tests.cluster.sites import Site
from tests.cluster.webhook import SOURCES, Webhook
from tests.e2e.injectors import LABEL, MODEST, heeded, made
from tests.e2e.space import Space

PROGRAM = (sys.executable, "-m", "webhook.cli")
HOME, ACCOUNT = "e2e-control", "controller"
READY_TIMEOUT_S = 60
NEVER, SOON = "1h", "2s"  # intervals of polls: longer than any test, and as good as now
ACCOUNTS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {HOME}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {ACCOUNT}, namespace: {HOME}}}
"""


@dataclass(frozen=True, slots=True)
class Controller:
    """A running controller."""

    openbao: OpenBao
    part: Part
    settings: Mapping[str, str]

    @classmethod
    def start(
        cls, openbao: OpenBao, folder: Path, name: str, *, port: int, poll: str, more: Mapping[str, str] | None = None
    ) -> Self:
        """Start it, with rights in OpenBao, and return it when it has written its document.

        Args:
            openbao: whom it asks, furnished.
            folder: of its document, socket and token.
            name: of its log, Vault role and policy.
            port: of its pages.
            poll: the interval.
            more: variables beside those every controller here has.
        """
        cluster = openbao.cluster
        settings = {
            "AGENT_INJECT_VAULT_ADDR": openbao.address,
            "AGENT_INJECT_VAULT_CACERT_BYTES": cluster.ca_file.read_text(),
            "AGENT_INJECT_BINDINGS": str(folder / "bindings.json"),
            "AGENT_INJECT_BINDINGS_POLL_INTERVAL": poll,
            "AGENT_INJECT_CONFIRM_SOCKET": str(folder / "confirm.sock"),
            "AGENT_INJECT_CONTROL_LISTEN": f"{NODE_ADDRESS}:{port}",
            "AGENT_INJECT_CONTROL_KUBECONFIG": str(cluster.kubeconfig),
            "AGENT_INJECT_CONTROL_STATE_FILE": str(folder / "state.json"),
            "AGENT_INJECT_CONTROL_TOKEN_FILE": str(folder / "token"),
            "AGENT_INJECT_CONTROL_VAULT_ROLE": name,
            **(more or {}),
        }
        cluster.apply(ACCOUNTS)
        (folder / "token").write_text(cluster.token(ACCOUNT, namespace=HOME, audience="vault"))
        allow(openbao, settings)
        env = settings | {"PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"}
        part = cluster.run.start(name, (*PROGRAM, "control"), env=env)
        pages = Site(cluster.namespace, f"http://{NODE_ADDRESS}:{port}", cluster.ca_file)
        part.wait_ready(lambda: pages.ask("GET", "/readyz").status == 200, timeout_s=READY_TIMEOUT_S)
        started = cls(openbao, part, settings)
        part.wait_ready(lambda: bool(started.document()), timeout_s=READY_TIMEOUT_S)
        return started

    @property
    def cluster(self) -> Cluster:
        """Where it runs."""
        return self.openbao.cluster

    def document(self) -> Any:
        """Return what it wrote last."""
        return json.loads(Path(self.settings["AGENT_INJECT_BINDINGS"]).read_bytes())

    def failures(self) -> int:
        """Return how many polls in a row have failed by now."""
        failures: int = json.loads(Path(self.settings["AGENT_INJECT_CONTROL_STATE_FILE"]).read_bytes())[
            "failuresInARow"
        ]
        return failures

    def webhook(self, name: str, port: int, settings: Mapping[str, str] | None = None) -> Webhook:
        """Start a webhook that has the document and asks before it refuses; its label in LABEL is its name."""
        mine = {name: self.settings[name] for name in ("AGENT_INJECT_BINDINGS", "AGENT_INJECT_CONFIRM_SOCKET")}
        started = Webhook.start(self.cluster, {**mine, **MODEST, **(settings or {})}, name=name, port=port)
        started.register(namespaces={LABEL: name})
        return started


def allow(openbao: OpenBao, settings: Mapping[str, str]) -> None:
    """Give a controller its role, with the policy that the product prints for its settings."""
    env = os.environ | settings | {"PYTHONPATH": str(SOURCES)}
    argv = (*PROGRAM, "bindings", "policy")
    policy = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=60).stdout
    name = settings["AGENT_INJECT_CONTROL_VAULT_ROLE"]
    openbao.write(f"sys/policies/acl/{name}", {"policy": policy})
    terms = {"bound_service_account_names": ACCOUNT, "bound_service_account_namespaces": HOME, "audience": "vault"}
    openbao.write(f"auth/kubernetes/role/{name}", {**terms, "token_policies": [name]})


def space_of(webhook: Webhook, name: str, labels: Mapping[str, str] | None = None) -> Space:
    """Make a namespace whose pods the webhook injects, and return it when it does."""
    space = made(webhook.cluster, name, {**(labels or {}), LABEL: webhook.part.name})
    heeded(space)
    return space
