"""The real parts as fixtures: started when a test first asks, shared by the session, stopped at its end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.cluster.cluster import Cluster, sigterm_as_interrupt
from tests.cluster.openbao import OpenBao
from tests.cluster.packages import ensure_packages
from tests.cluster.vault_program import VARIABLE, VAULT, VaultBinaryError, VaultProgram, is_given, vault_program

# How long an example takes to make or to run says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

LOGS = pytest.StashKey[Path]()
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_report_header() -> str | None:
    """Say which program is server and agent, where it is the user's."""
    return f"{VARIABLE}: {_program().title} is server and agent" if is_given() else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a Vault of the user's cannot do; what -m and -k left out already is not counted."""
    if not is_given() or _program().product != VAULT:
        return
    left_out = [item for item in items if item.get_closest_marker("openbao")]
    config.stash[LEFT_OUT] = [f"{item.nodeid}: {_why(item)}" for item in left_out]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _packages_of_the_marker(request: pytest.FixtureRequest) -> None:
    """Install what the machine lacks before the first test that bears the marker `cluster`."""
    if request.node.get_closest_marker("cluster"):
        request.getfixturevalue("node_packages")


@pytest.fixture(scope="session")
def node_packages(request: pytest.FixtureRequest) -> None:
    """See to it that the Debian packages of a node are there."""
    ensure_packages(_teller(request.config) or (lambda _text: None))


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


def _program() -> VaultProgram:
    try:
        return vault_program()
    except VaultBinaryError as error:
        raise pytest.UsageError(str(error)) from error


def _why(item: pytest.Item) -> str:
    marker = item.get_closest_marker("openbao")
    return str(marker.args[0]) if marker and marker.args else "OpenBao's alone"


def _teller(config: pytest.Config) -> Callable[[str], None] | None:
    """Return what shows a line to whoever waits, although pytest captures output; None without a terminal."""
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return None
    write_line = terminal.write_line
    return lambda text: write_line(f"cluster: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say what was left out, and where the logs of the cluster's parts are when something failed."""
    if left_out := config.stash.get(LEFT_OUT, []):
        terminalreporter.section(f"{len(left_out)} left out: {_program().title} cannot do it")
        for line in left_out:
            terminalreporter.write_line(line)
    if exitstatus != 0 and LOGS in config.stash:
        terminalreporter.write_line(f"logs of the cluster's parts: {config.stash[LOGS]}")
