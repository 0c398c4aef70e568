"""A namespace of a test's own, and what tests do in it: create pods, wait for them, look into them."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.cluster.cluster import Cluster
from tests.cluster.images import APP_IMAGE
from tests.cluster.node import raise_if_ended

POLL_S = 0.2
READY_TIMEOUT_S = 60  # generous: nobody waits that long when all is well
FOREVER = "exec sleep 86400"
PREFIX = "vault.hashicorp.com/"
API_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
AGENT = "vault-agent"
INIT_AGENT = "vault-agent-init"
RESTRICTED = {  # a container that Pod Security `restricted` accepts
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1001,
    "seccompProfile": {"type": "RuntimeDefault"},
}

T = TypeVar("T")
Object = dict[str, Any]
Answer = subprocess.CompletedProcess[str]


def annotated(annotations: Mapping[str, str], prefix: str = PREFIX) -> dict[str, str]:
    """Return annotations with our prefix, the switch among them."""
    return {prefix + key: value for key, value in {"agent-inject": "true", **annotations}.items()}


def pod(
    name: str, annotations: Mapping[str, str], script: str = FOREVER, *, prefix: str = PREFIX, **spec: Any
) -> Object:
    """Return a pod with one container, `app`, that runs a script.

    Args:
        name: its name.
        annotations: ours, without prefix; the switch is added.
        script: for /bin/sh.
        prefix: of the annotations.
        spec: members of the pod's spec, and `app`: members of the container.
    """
    app = {"name": "app", "image": APP_IMAGE, "command": ["/bin/sh", "-c", script], **spec.pop("app", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotated(annotations, prefix)},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [app], **spec},
    }


def names(containers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of containers, or of other objects that have one."""
    return [container["name"] for container in containers]


@dataclass(frozen=True, slots=True)
class Space:
    """One namespace."""

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Answer:
        """Run kubectl in this namespace, as `Cluster.kubectl`."""
        return self.cluster.kubectl(f"--namespace={self.name}", *arguments, stdin=stdin, check=check)

    def create(self, *objects: Object, check: bool = True, arguments: tuple[str, ...] = ()) -> Answer:
        """Create objects with one call of kubectl."""
        many = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("create", "--filename=-", *arguments, stdin=json.dumps(many), check=check)

    def get(self, kind: str, name: str) -> Any:
        """Return an object."""
        return json.loads(self.kubectl("get", kind, name, "--output=json").stdout)

    def items(self, kind: str, *arguments: str) -> list[Any]:
        """Return all objects of a kind."""
        found: list[Any] = json.loads(self.kubectl("get", kind, "--output=json", *arguments).stdout)["items"]
        return found

    def ready(self, name: str) -> None:
        """Wait until a pod is ready; when it does not become so, say why."""
        waiting = ("wait", "pod", name, "--for=condition=Ready", f"--timeout={READY_TIMEOUT_S}s")
        answer = self.kubectl(*waiting, check=False)
        assert answer.returncode == 0, answer.stderr + self.describe(name)

    def phase(self, name: str, phase: str) -> None:
        """Wait until a pod is in a phase."""
        waiting = ("wait", "pod", name, f"--for=jsonpath={{.status.phase}}={phase}", f"--timeout={READY_TIMEOUT_S}s")
        answer = self.kubectl(*waiting, check=False)
        assert answer.returncode == 0, answer.stderr + self.describe(name)

    def describe(self, name: str) -> str:
        """Return all there is to say of a pod, logs included."""
        logs = ("logs", name, "--all-containers", "--prefix", "--tail=15")
        return f"{self.kubectl('describe', 'pod', name, check=False).stdout}\n{self.kubectl(*logs, check=False).stdout}"

    def logs(self, name: str, container: str = "app") -> str:
        """Return what a container printed so far."""
        return self.kubectl("logs", name, f"--container={container}", check=False).stdout

    def says(self, name: str, text: str, container: str = "app") -> str:
        """Wait until a container has printed the text; return all it printed."""
        return self.eventually(lambda: self.logs(name, container), lambda said: text in said)

    def run(self, name: str, *command: str, container: str = "app") -> str:
        """Return what a command prints inside a container."""
        return self.kubectl("exec", name, f"--container={container}", "--", *command).stdout

    def events(self, name: str, reason: str) -> list[str]:
        """Return the messages of the events about an object, with this reason."""
        fields = f"--field-selector=involvedObject.name={name},reason={reason}"
        return [event["message"] for event in self.items("events", fields)]

    def eventually(self, ask: Callable[[], T], holds: Callable[[T], object]) -> T:
        """Ask until the answer is as it should be, and return it; in the end the last answer is shown."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not holds(answer := ask()):
            raise_if_ended(self.cluster.run)
            assert time.monotonic() < deadline, f"after {READY_TIMEOUT_S} s still {answer!r}"
            time.sleep(POLL_S)
        return answer
