"""The real parts as fixtures: started when a test first asks, shared by the session, stopped at its end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster.cluster import Cluster, sigterm_as_interrupt
from tests.cluster.openbao import OpenBao

# How long an example takes to make or to run says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

LOGS = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a Kubernetes cluster of one node; tests use namespaces of their own in it."""
    logs = tmp_path_factory.mktemp("cluster-logs")
    request.config.stash[LOGS] = logs
    with sigterm_as_interrupt(), Cluster.start(logs=logs, say=_teller(request.config)) as started:
        yield started


@pytest.fixture(scope="session")
def openbao(cluster: Cluster) -> Iterator[OpenBao]:
    """Return an OpenBao server with the kubernetes auth method set up for the cluster, and no roles."""
    with OpenBao.start(cluster) as server:
        server.set_up_kubernetes_auth()
        yield server


def _teller(config: pytest.Config) -> Callable[[str], None] | None:
    """Return what shows a line to whoever waits, although pytest captures output; None without a terminal."""
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return None
    write_line = terminal.write_line
    return lambda text: write_line(f"cluster: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say where the logs of the cluster's parts are when something failed."""
    if exitstatus != 0 and LOGS in config.stash:
        terminalreporter.write_line(f"logs of the cluster's parts: {config.stash[LOGS]}")
