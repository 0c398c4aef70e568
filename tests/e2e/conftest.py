"""A real cluster with OpenBao furnished, and our webhooks in it, of every kind the tests want."""

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.cluster import examples
from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.e2e import holdings
from tests.e2e.injectors import Injectors
from tests.e2e.space import Space


@pytest.fixture(scope="session")
def vault(openbao: OpenBao) -> OpenBao:
    """Return the server with all of `holdings`."""
    holdings.fill(openbao)
    return openbao


@pytest.fixture(scope="session")
def injectors(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Injectors]:
    """Return the webhooks of the session."""
    bindings = tmp_path_factory.mktemp("bindings") / "bindings.json"
    bindings.write_text(json.dumps(holdings.known()))
    request.getfixturevalue("vault")
    started = Injectors(cluster, bindings)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def example_spaces(cluster: Cluster) -> Mapping[str, Space]:
    """Return the namespaces of the examples by name, with their accounts and image; `Injectors.take` says whose they are."""
    examples.settle(cluster)
    return {name: Space(cluster, name) for name in examples.ACCOUNTS}
