"""Texts that a shell would read as more than texts: the real kubelet starts, probes and ends agents that were given them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from certs import ClientOf, issue
from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED
from tests.e2e.injectors import Injectors, Kind
from tests.e2e.space import AGENT, Object, Space, pod

pytestmark = pytest.mark.cluster
REVOKE = {"agent-revoke-on-shutdown": "true", "agent-revoke-grace": "0"}
FOLDER = '/it\'s a "b" `touch pwn` $(touch pwn) $$(HOST_IP) $(NAMESPACE)'  # of a volume the agent shares with the app
SECRETS = '/se\'crets $(VAULT_LOG_LEVEL) "`touch pwn`" \u00e9$\u00e9'
NAMESPACE = "a TERM; id >/home/vault/pwn; true "
KINDS = (Kind.UNCHECKED, Kind.UNCHECKED_NATIVE)


@pytest.fixture(scope="module", params=KINDS)
def space(request: pytest.FixtureRequest, cluster: Cluster, injectors: Injectors) -> Iterator[Space]:
    kind: Kind = request.param
    made = injectors.space(f"e2e-quoting-{kind}", kind)
    made.create(_client(cluster), *_pods())
    yield made
    cluster.kubectl("delete", "namespace", made.name, "--wait=false")


def _client(cluster: Cluster) -> Object:
    authority = cluster.node.pki.authority
    client = issue(authority, ClientOf("e2e"), now=datetime.now(UTC), lifetime=timedelta(hours=1))
    parts = {"tls.crt": client.certificate, "tls.key": client.key, "ca.crt": authority.certificate}
    data = {name: part.decode() for name, part in parts.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "client"}, "stringData": data}


def _pods() -> Iterator[Object]:
    connection = {
        "agent-copy-volume-mounts": "app",
        "client-cert": f"{FOLDER}/tls.crt",
        "client-key": f"{FOLDER}/tls.key",
        "ca-cert": f"{FOLDER}/ca.crt",
        "secret-volume-path": SECRETS,
    }
    mount = {"name": "client", "mountPath": FOLDER}
    volumes = [{"name": "client", "secret": {"secretName": "client"}}]
    script = f"cd '{SECRETS.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' && " + PRINT.replace(
        "/vault/secrets/db", "./db"
    )
    yield pod("quoted", ASKING | REVOKE | connection, script, app={"volumeMounts": [mount]}, volumes=volumes)
    hostile = {"namespace": NAMESPACE, "agent-pre-populate": "false"}
    yield pod("hostile", ASKING | REVOKE | hostile)


def test_the_token_is_revoked_over_a_connection_whose_paths_need_quotes(space: Space, vault: OpenBao) -> None:
    space.ready("quoted")
    assert space.says("quoted", PASSWORD) == PRINTED
    show = ("sh", "-c", "cat /home/vault/.vault-token || :")
    token = space.eventually(lambda: space.run("quoted", *show, container=AGENT), bool)
    accessor = vault.ask("GET", "auth/token/lookup-self", token=token).json()["data"]["accessor"]
    assert accessor in vault.token_accessors()
    space.kubectl("delete", "pod", "quoted", "--grace-period=15")
    assert accessor not in vault.token_accessors()


def test_a_namespace_that_is_a_command_is_none(space: Space) -> None:
    space.ready("hostile")
    space.run("hostile", "sh", "-c", "kill -TERM 1; true", container=AGENT)
    (ended,) = space.eventually(lambda: _ended(space), len)
    assert ended["exitCode"] == 0, ended
    find = "find / -xdev -name pwn 2>/dev/null; find /home -name pwn 2>/dev/null; echo looked"
    assert space.run("hostile", "sh", "-c", find, container=AGENT) == "looked\n"


def _ended(space: Space) -> list[dict[str, int]]:
    """Return how the agent of the hostile pod ended, once it runs again."""
    status = space.get("pod", "hostile")["status"]
    agents = [s for s in (*status.get("initContainerStatuses", ()), *status["containerStatuses"]) if s["name"] == AGENT]
    return [s["lastState"]["terminated"] for s in agents if s["restartCount"] and "running" in s["state"]]
