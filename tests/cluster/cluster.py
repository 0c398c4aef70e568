"""A throwaway Kubernetes cluster of one node: started in seconds, several side by side, removed without a trace.

with Cluster.start() as cluster:
    cluster.apply(manifest)
    print(cluster.kubectl("get", "pods").stdout)
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

from tests.cluster.binaries import node_binaries
from tests.cluster.configs import kubeconfig_file, static_pods
from tests.cluster.images import node_archives
from tests.cluster.network import NODE_ADDRESS, Namespace
from tests.cluster.node import Node, new_node, raise_if_ended
from tests.cluster.packages import ensure_packages
from tests.cluster.pki import NODE_NAME
from tests.cluster.runs import Run, claim
from tests.cluster.stops import Stops

READY_TIMEOUT_S = 60
POLL_S = 0.1
# Anybody may read the issuer's keys, as a server that checks tokens of this cluster by itself has to.
DISCOVERY = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: anonymous-issuer-discovery}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:service-account-issuer-discovery"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:unauthenticated"}]
"""


class NotRootError(Exception):
    """Network namespaces, mounts and containers need root."""

    def __init__(self) -> None:
        super().__init__("starting a cluster needs root, for network namespaces, mounts and containers")


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it said."""

    def __init__(self, arguments: tuple[str, ...], answer: "subprocess.CompletedProcess[str]") -> None:
        super().__init__(
            f"kubectl {' '.join(arguments)}: exit code {answer.returncode}\n{answer.stderr}{answer.stdout}"
        )
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Cluster(Stops):
    """A running cluster."""

    run: Run
    node: Node

    @classmethod
    def start(cls, *, logs: Path | None = None, say: Callable[[str], None] | None = None) -> Self:
        """Start a cluster and return it ready for pods; the first time, get and build what it is made of.

        Args:
            logs: folder for the parts' logs, which stays; None: they go with the cluster.
            say: told what takes long; None: lines on standard error.

        Raises:
            PartFailedError: a part ended or did not become ready; nothing is left running.
            NotRootError: see there.
        """
        say = say or _print_to_stderr
        if os.geteuid() != 0:
            raise NotRootError
        ensure_packages(say)
        binaries, archives = node_binaries(say), node_archives()
        run = claim(say, logs)
        try:
            cluster = cls(run, new_node(run, binaries))
            cluster.node.start(archives)
            cluster.apply(DISCOVERY)
            cluster.wait_for("the node to take pods", cluster._takes_pods, timeout_s=READY_TIMEOUT_S)
        except BaseException:
            run.end()
            raise
        return cluster

    def stop(self) -> None:
        """End all processes and remove all that was made; harmless when done before."""
        self.run.end()

    @property
    def namespace(self) -> Namespace:
        """The network namespace the cluster is in."""
        return self.run.namespace

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in the cluster's network."""
        return self.namespace.enter

    @property
    def node_address(self) -> str:
        """The address of the node, for processes and pods alike."""
        return NODE_ADDRESS

    @property
    def ca_file(self) -> Path:
        """The authority of every server in the cluster; pods have it as the ConfigMap kube-root-ca.crt."""
        return self.node.pki.ca_file

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, of use inside the network only."""
        return kubeconfig_file(self.run.folder, "admin")

    @property
    def static_pods(self) -> Path:
        """A folder: the kubelet runs the pods whose manifests are put there, whatever the API server says."""
        return static_pods(self.run.folder)

    @property
    def audit_log(self) -> Path:
        """Audit events of pods created or changed, one JSON object per line, annotations of webhooks included."""
        return self.run.logs / "audit.jsonl"

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as administrator and return what it said.

        Raises:
            KubectlError: it failed, and `check` is set.
            subprocess.TimeoutExpired: it did not end in time.
        """
        argv: list[str | Path] = [
            *self.enter,
            self.node.binaries["kubectl"],
            "--kubeconfig",
            self.kubeconfig,
            *arguments,
        ]
        answer = subprocess.run(argv, input=stdin or "", capture_output=True, text=True, check=False, timeout=timeout_s)
        if check and answer.returncode != 0:
            raise KubectlError(arguments, answer)
        return answer

    def apply(self, manifest: str) -> None:
        """Create or change the objects of a YAML or JSON text.

        Raises:
            KubectlError: the API server refused one.
        """
        self.kubectl("apply", "--filename=-", stdin=manifest)

    def token(
        self, account: str, *, namespace: str = "default", audience: str | None = None, duration: str = "1h"
    ) -> str:
        """Return a new token of a service account, as a projected volume would hold it.

        Args:
            account: its name.
            namespace: of the account.
            audience: None: the API server's own.
            duration: "10m" at least.

        Raises:
            KubectlError: no such account.
        """
        wanted = [] if audience is None else [f"--audience={audience}"]
        argv = ("create", "token", account, f"--namespace={namespace}", f"--duration={duration}", *wanted)
        return self.kubectl(*argv).stdout.strip()

    def import_image(self, archive: Path) -> None:
        """Import a docker or OCI archive; pods use its images with `imagePullPolicy: Never` or `IfNotPresent`."""
        self.node.import_image(archive)

    def wait_for(self, what: str, probe: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until the probe says yes.

        Raises:
            PartFailedError: a part of the cluster has ended meanwhile.
            TimeoutError: the time was up; the message names `what`.
        """
        deadline = time.monotonic() + timeout_s
        while not probe():
            raise_if_ended(self.run)
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s:g} s for {what}; logs are in {self.run.logs}")
            time.sleep(POLL_S)

    def _takes_pods(self) -> bool:
        ready = "{.status.conditions[?(@.type=='Ready')].status}{.spec.taints}"
        node = self.kubectl("get", "node", NODE_NAME, "--output", f"jsonpath={ready}", check=False)
        account = self.kubectl("get", "serviceaccount", "default", check=False)
        return node.stdout == "True" and account.returncode == 0


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Within, SIGTERM raises KeyboardInterrupt as Ctrl-C does, so that whoever started something stops it.

    SIGINT too, even where it was ignored, as shells have it for what they run in the background. Only the main thread can
    arrange that; in another one nothing happens.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_to_stderr(text: str) -> None:
    sys.stderr.write(f"cluster: {text}\n")
