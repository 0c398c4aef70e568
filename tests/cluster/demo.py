"""`make demo-cluster`: a real cluster with OpenBao and the webhook; the examples are applied, and stay until Ctrl-C."""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.cluster import examples
from tests.cluster.cluster import Cluster, KubectlError, sigterm_as_interrupt
from tests.cluster.openbao import ROOT_TOKEN, OpenBao, OpenBaoError
from tests.cluster.part import PartFailedError
from tests.cluster.vault_program import VaultBinaryError, vault_program
from tests.cluster.webhook import Webhook

TIMEOUT_S = 120
POLL_S = 0.2
WORKLOADS = (  # kind and name, namespace, container that reads the secret
    ("deployment/shop", "shop", "app"),
    ("statefulset/billing", "billing", "ledger"),
    ("job/shop-report-now", "shop", "report"),
)


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


def demo(*, once: bool) -> None:
    """Bring everything up, show the examples, and stay unless `once`.

    Raises:
        DemoError: see there.
        PartFailedError: a part of the cluster did not start.
        KubectlError: the API server refused what it was to take.
        OpenBaoError: OpenBao did.
    """
    with step("a Kubernetes cluster of one node") as note:
        cluster = Cluster.start(say=note)
    with cluster:
        with step(
            f"{vault_program().title}: kubernetes auth, the roles and policies of examples/bindings.yaml, secrets"
        ):
            openbao = OpenBao.start(cluster)
            openbao.set_up_kubernetes_auth()
            examples.furnish(openbao)
        with step("the webhook, with the same file, registered with the API server"):
            webhook = Webhook.start(cluster, {"AGENT_INJECT_BINDINGS": str(examples.BINDINGS)})
            webhook.register()
            examples.settle(cluster)
            wait_until_asked(cluster)
        show_admitted(cluster)
        show_refused(cluster)
        if not once:
            stay(cluster, openbao, webhook)
        say("Removing it all.")


def wait_until_asked(cluster: Cluster) -> None:
    """Wait until the API server asks the webhook, which it does a moment after the registration.

    Raises:
        DemoError: it does not.
    """
    refused = [f"--filename={examples.path_of(examples.REFUSED[0])}", "--dry-run=server"]
    retry(
        lambda: "denied the request" in cluster.kubectl("create", *refused, check=False).stderr,
        "the API server does not ask the webhook",
    )


def show_admitted(cluster: Cluster) -> None:
    """Apply the examples that are admitted, and print what their containers read."""
    with step("the examples that are admitted"):
        for name in examples.ADMITTED:
            cluster.kubectl("apply", f"--filename={examples.path_of(name)}")
        cluster.kubectl("create", "job", "shop-report-now", "--from=cronjob/shop-report", "--namespace=shop")
        logs = {workload: wait_for_log(cluster, workload, space, app) for workload, space, app in WORKLOADS}
    for (workload, namespace, container), text in zip(WORKLOADS, logs.values(), strict=True):
        say(f"\n$ kubectl logs {workload} --namespace={namespace} --container={container}\n{text.rstrip()}")


def wait_for_log(cluster: Cluster, workload: str, namespace: str, container: str) -> str:
    """Return the first lines a workload's container prints.

    Raises:
        DemoError: it prints nothing.
    """
    argv = ("logs", workload, f"--namespace={namespace}", f"--container={container}")
    retry(lambda: bool(cluster.kubectl(*argv, check=False).stdout), f"{workload} prints nothing")
    return cluster.kubectl(*argv).stdout


def show_refused(cluster: Cluster) -> None:
    """Apply the examples that are refused, and print what their authors read.

    Raises:
        DemoError: one was admitted.
    """
    for name in examples.REFUSED:
        answer = cluster.kubectl("apply", f"--filename={examples.path_of(name)}", check=False)
        if answer.returncode == 0:
            raise DemoError(f"{name} was to be refused and was admitted")
        say(f"\n$ kubectl apply -f {examples.path_of(name)}\n{answer.stderr.rstrip()}")
    say("")


def stay(cluster: Cluster, openbao: OpenBao, webhook: Webhook) -> None:
    """Say how to use it all, and wait for Ctrl-C."""
    kubectl = cluster.node.binaries["kubectl"]
    say(
        f"""\
It is all in a network namespace of its own. In another terminal, as root:

  {" ".join(cluster.enter)} bash
  export KUBECONFIG={cluster.kubeconfig}
  alias kubectl={kubectl}
  kubectl get pods --all-namespaces

Vault:    {openbao.address}, token {ROOT_TOKEN}, certificate authority {cluster.ca_file}
Webhook:  {webhook.url}, metrics at {webhook.pages.url}/metrics
Logs:     {cluster.run.logs}

Ctrl-C removes it all."""
    )
    threading.Event().wait()


def retry(succeeds: Callable[[], bool], problem: str) -> None:
    """Wait until it succeeds.

    Raises:
        DemoError: the time was up; with the problem.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while not succeeds():
        if time.monotonic() > deadline:
            raise DemoError(f"after {TIMEOUT_S} s: {problem}")
        time.sleep(POLL_S)


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is being done and how long it took; yields what says more in between."""
    say(f"... {what}")
    started = time.monotonic()
    yield lambda text: say(f"    {text}")
    say(f"    done in {time.monotonic() - started:.1f} s")


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201 the demo's output


def main(arguments: Sequence[str]) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the examples have been shown")
    once: bool = parser.parse_args(arguments).once
    if os.geteuid() != 0:
        say("The demo needs root: it makes network namespaces, mounts and containers. `make demo` does without.")
        return 1
    try:
        with sigterm_as_interrupt():
            demo(once=once)
    except KeyboardInterrupt:
        say("\nInterrupted; all is removed.")
    except (DemoError, KubectlError, OpenBaoError, PartFailedError, TimeoutError, VaultBinaryError) as error:
        say(f"The demo failed: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
