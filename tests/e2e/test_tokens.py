"""Whose token is where: the agents have one for Vault only, the app has its own or none, as its author wants."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.holdings import ASKING
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, API_TOKEN, INIT_AGENT, Space, pod

pytestmark = pytest.mark.cluster
AGENT_TOKEN = "/var/run/secrets/vault.hashicorp.com/serviceaccount/token"
PODS = ("mounts", "pod-off", "account-off")


@pytest.fixture(scope="module", params=MODES)
def space(request: pytest.FixtureRequest, injectors: Injectors) -> Space:
    kind: Kind = request.param
    made = injectors.space(f"e2e-tokens-{kind}", kind)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}}
    made.create(account | {"automountServiceAccountToken": False})
    made.create(
        pod("mounts", ASKING),
        pod("pod-off", ASKING, automountServiceAccountToken=False),
        pod("account-off", ASKING, serviceAccountName="shop"),
    )
    return made


@pytest.mark.parametrize("name", PODS)
def test_the_agents_token_is_for_vault_alone(space: Space, name: str) -> None:
    space.ready(name)
    for path in (AGENT_TOKEN, API_TOKEN):
        claims = _claims(space.run(name, "cat", path, container=AGENT))
        assert claims["aud"] == ["vault"]
        assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("name", PODS)
def test_no_agent_container_mounts_an_api_token(space: Space, name: str) -> None:
    spec = space.get("pod", name)["spec"]
    agents = [c for c in (*spec["initContainers"], *spec["containers"]) if c["name"] in (AGENT, INIT_AGENT)]
    assert agents
    of_the_api = {volume["name"] for volume in spec["volumes"] if _is_of_the_api(volume)}
    for agent in agents:
        at = {mount["mountPath"]: mount["name"] for mount in agent["volumeMounts"]}
        assert at[API_TOKEN.removesuffix("/token")] == at[AGENT_TOKEN.removesuffix("/token")] == "vault-agent-token"
        assert of_the_api.isdisjoint(at.values())
    assert bool(of_the_api) == (name == "mounts")


@pytest.mark.parametrize("name", PODS)
def test_the_app_has_its_own_token_or_none_and_never_the_agents(space: Space, name: str) -> None:
    space.ready(name)
    find = "find /var/run/secrets -type l -name token 2>/dev/null || :"
    found = space.run(name, "sh", "-c", find).split()
    assert found == ([API_TOKEN] if name == "mounts" else [])
    for path in found:
        assert _claims(space.run(name, "cat", path))["aud"] == ["https://kubernetes.default.svc.cluster.local"]


def _claims(jwt: str) -> dict[str, Any]:
    payload = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _is_of_the_api(volume: Mapping[str, Any]) -> bool:
    tokens = [source.get("serviceAccountToken") for source in volume.get("projected", {}).get("sources", [])]
    return any(token is not None and "audience" not in token for token in tokens)
