import pytest

from tests.server.process import Server


@pytest.fixture
def start(tmp_path):
    """Start a server with these settings; it is stopped after the test."""
    started = []

    def start(**settings):
        server = Server(tmp_path, **settings)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests of a module that leave it as it was."""
    server = Server(tmp_path_factory.mktemp("server"), listen=":0", body_timeout_s=10)
    yield server
    server.close()
