"""Mounts copied to the agents, on a real kubelet: the author's own token logs in, and what would cover ours stays out."""

from typing import Any

import pytest

from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, Space, pod

pytestmark = pytest.mark.cluster
FOLDER = "/var/run/secrets/openbao"
TOKEN = {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 700, "path": "token"}}
COPY = {"agent-copy-volume-mounts": "app"}
COVERING = ("/bin", "/home/vault/", "/etc/ssl/certs", "/etc/hosts", "/run/secrets", "/usr/lib/x")


@pytest.fixture(scope="module", params=MODES)
def space(request: pytest.FixtureRequest, injectors: Injectors) -> Space:
    kind: Kind = request.param
    made = injectors.space(f"e2e-copies-{kind}", kind)
    own: Any = {"name": "own", "projected": {"sources": [TOKEN]}}
    app: Any = {"volumeMounts": [{"name": "own", "mountPath": FOLDER, "readOnly": True}]}
    path = {"auth-config-token-path": f"{FOLDER}/token"}
    made.create(pod("token", ASKING | COPY | path, PRINT, app=app, volumes=[own]))
    many = [{"name": "data", "mountPath": place} for place in (*COVERING, "/data") if place != "/bin"]
    made.create(
        pod("covering", ASKING | COPY, PRINT, app={"volumeMounts": many}, volumes=[{"name": "data", "emptyDir": {}}])
    )
    return made


def test_the_agent_logs_in_with_the_authors_own_token(space: Space) -> None:
    space.ready("token")
    assert space.says("token", PASSWORD) == PRINTED
    method = 'grep -o \'"token_path":"[^"]*"\' /home/vault/config.json'
    assert space.run("token", "sh", "-c", method, container=AGENT).strip() == f'"token_path":"{FOLDER}/token"'
    agents, apps = (space.run("token", "cat", f"{FOLDER}/token", container=name) for name in (AGENT, "app"))
    assert agents == apps


def test_an_agent_starts_beside_mounts_that_would_cover_its_places(space: Space) -> None:
    space.ready("covering")
    spec = space.get("pod", "covering")["spec"]
    agents = [c for c in (*spec["initContainers"], *spec["containers"]) if c["name"].startswith(AGENT)]
    for agent in agents:
        assert [m["mountPath"] for m in agent["volumeMounts"] if m["name"] == "data"] == ["/data"]
