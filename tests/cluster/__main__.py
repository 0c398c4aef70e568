"""By hand: `python -m tests.cluster build|up|sweep`, as root.

build  get and build what a cluster is made of, so that the first start is quick
up     start a cluster with OpenBao, say how to use it, stop it at Ctrl-C
sweep  remove what killed runs left; every start does that too
"""

import sys
import threading

from tests.cluster.binaries import node_binaries
from tests.cluster.cache import locked
from tests.cluster.cluster import Cluster, sigterm_as_interrupt
from tests.cluster.images import node_archives
from tests.cluster.openbao import ROOT_TOKEN, OpenBao
from tests.cluster.packages import ensure_packages
from tests.cluster.runs import LOCK, runs_home, sweep
from tests.cluster.vault_program import vault_program


def build() -> None:
    """Fill the cache."""
    ensure_packages(say)
    for name, path in sorted(node_binaries(say).items()):
        say(f"{name}: {path}")
    for archive in node_archives():
        say(f"image: {archive}")


def up() -> None:
    """Keep a cluster up until interrupted."""
    try:
        with sigterm_as_interrupt(), Cluster.start(say=say) as cluster, OpenBao.start(cluster) as openbao:
            openbao.set_up_kubernetes_auth()
            kubectl = cluster.node.binaries["kubectl"]
            say(f"up; logs are in {cluster.run.logs}; Ctrl-C removes it all")
            say(f"{' '.join(cluster.enter)} {kubectl} --kubeconfig={cluster.kubeconfig} get nodes")
            say(
                f"{vault_program().title}: {openbao.address}, token {ROOT_TOKEN!r}, certificate authority {cluster.ca_file}"
            )
            threading.Event().wait()
    except KeyboardInterrupt:
        say("stopped")


def clean() -> None:
    """Sweep."""
    with locked(runs_home() / LOCK):
        swept = sweep(say)
    say(f"removed: {', '.join(swept) or 'nothing was left'}")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


COMMANDS = {"build": build, "up": up, "sweep": clean}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
