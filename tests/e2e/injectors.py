"""The webhooks of the session, side by side: one of each kind, started when a test first wants it.

A namespace belongs to the kind its label names, as namespaces do where two revisions of a webhook run in one cluster.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.webhook import Webhook
from tests.e2e.space import AGENT, RESTRICTED, Space, pod

LABEL = "e2e.example.com/injector"
PORTS = 9000  # and upwards, two of each server


class Kind(StrEnum):
    """How a webhook is set up."""

    CLASSIC = "classic"
    NATIVE = "native"
    UNCHECKED = "unchecked"  # no role check
    UNCHECKED_NATIVE = "unchecked-native"
    DISPOSABLE = "disposable"  # for the test that stops it
    GUARDED = "guarded"  # asks its clients for a certificate


MODEST = {"AGENT_INJECT_CPU_REQUEST": "5m", "AGENT_INJECT_MEM_REQUEST": "8Mi"}  # many pods on one small node
SETTINGS: Mapping[Kind, Mapping[str, str]] = {
    Kind.CLASSIC: {},
    Kind.NATIVE: {"AGENT_INJECT_SIDECAR_MODE": "native"},
    Kind.UNCHECKED: {"AGENT_INJECT_BINDING_CHECK": "off"},
    Kind.UNCHECKED_NATIVE: {"AGENT_INJECT_BINDING_CHECK": "off", "AGENT_INJECT_SIDECAR_MODE": "native"},
    Kind.DISPOSABLE: {},
    Kind.GUARDED: {"AGENT_INJECT_CLIENT_ALLOWED_NAMES": "kube-apiserver-webhooks"},
}
MODES = (Kind.CLASSIC, Kind.NATIVE)
NATIVE = (Kind.NATIVE, Kind.UNCHECKED_NATIVE)
# Never created: where its agent is tells who was asked. No role is checked in ConfigMap mode.
PROBE = pod("probe", {"agent-configmap": "none"}, app={"securityContext": RESTRICTED})


@dataclass(slots=True)
class Injectors:
    """The webhooks, and namespaces they are responsible for."""

    cluster: Cluster
    bindings: Path
    running: dict[Kind, Webhook] = field(default_factory=dict)

    def webhook(self, kind: Kind) -> Webhook:
        """Return the webhook of a kind, started and registered."""
        if kind not in self.running:
            settings = {"AGENT_INJECT_BINDINGS": str(self.bindings), **MODEST, **SETTINGS[kind]}
            if kind is Kind.GUARDED:
                settings["AGENT_INJECT_CLIENT_CA_FILE"] = str(self.cluster.ca_file)
            port = PORTS + 2 * list(Kind).index(kind)
            started = Webhook.start(self.cluster, settings, name=f"webhook-{kind}", port=port)
            self.running[kind] = started
            started.register(namespaces={LABEL: kind})
        return self.running[kind]

    def space(self, name: str, kind: Kind, labels: Mapping[str, str] | None = None) -> Space:
        """Make a namespace and return it when its pods are injected; its account `default` may log in as role e2e."""
        space = made(self.cluster, name, labels or {})
        self.take(space, kind)
        return space

    def take(self, space: Space, kind: Kind) -> None:
        """Give a namespace to the webhook of this kind, and wait until the API server has noticed."""
        self.webhook(kind)
        self.cluster.kubectl("label", "namespace", space.name, f"{LABEL}={kind}", "--overwrite")
        member = "initContainers" if kind in NATIVE else "containers"
        heeded(space, member)

    def take_all(self, spaces: Iterable[Space], kind: Kind) -> None:
        """Give several."""
        for space in spaces:
            self.take(space, kind)

    def stop(self) -> None:
        """Stop all."""
        for webhook in self.running.values():
            webhook.stop()


def made(cluster: Cluster, name: str, labels: Mapping[str, str]) -> Space:
    """Make a namespace and return it when its account `default` is there."""
    metadata = {"name": name, "labels": dict(labels)}
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
    space = Space(cluster, name)
    space.eventually(lambda: space.kubectl("get", "sa", "default", check=False), lambda said: said.returncode == 0)
    return space


def heeded(space: Space, member: str = "containers") -> None:
    """Wait until the API server asks a webhook about the namespace's pods, one that puts the agent in this member."""
    ask = ("create", "--filename=-", "--dry-run=server", "--output=json")

    def agents() -> list[str]:
        answer = space.kubectl(*ask, stdin=json.dumps(PROBE), check=False)
        found = json.loads(answer.stdout)["spec"].get(member, []) if answer.returncode == 0 else []
        return [answer.stderr, *(container["name"] for container in found)]

    space.eventually(agents, lambda names: AGENT in names)
