"""What the annotations can say, each on a real cluster: all pods are created first, in both modes, then looked at."""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certs import ClientOf, issue
from tests.cluster.cluster import Cluster
from tests.cluster.openbao import ADDRESS, OpenBao
from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED, SECRET
from tests.e2e.injectors import MODES, Injectors, Kind
from tests.e2e.space import AGENT, FOREVER, INIT_AGENT, Object, Space, pod

pytestmark = pytest.mark.cluster
APP_USER = {"securityContext": {"runAsUser": 1001, "runAsGroup": 1001}}  # another than the agent's 100:1000
PATCH = json.dumps([{"op": "add", "path": "/env/-", "value": {"name": "PATCHED", "value": "yes"}}])
TEMPLATE = f'{{{{ with secret "{SECRET}" }}}}{{{{ .Data.data.user }}}}:{{{{ .Data.data.password }}}}{{{{ end }}}}'
FRESH = "secret/data/e2e/fresh"
LOOKUP = "GET /v1/auth/token/lookup-self HTTP/1.0\\r\\n\\r\\n"
ASK_UNTIL_ANSWERED = f"until printf '{LOOKUP}' | nc -w 5 127.0.0.1 8200 | grep 'HTTP/1.. 200'; do sleep 0.2; done"
ENDS_AT_ONCE = "trap 'exit 0' TERM; sleep 86400 & wait"
OWN_TOKEN = {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 600, "path": "own"}}
SEVERAL = {  # all of these at once: the agent starts with them
    "log-level": "debug",
    "log-format": "json",
    "go-max-procs": "1",
    "client-timeout": "20s",
    "client-max-retries": "2",
    "auth-min-backoff": "1s",
    "auth-max-backoff": "10s",
    "agent-limits-cpu": "",
    "agent-limits-mem": "96Mi",
    "agent-requests-ephemeral": "1Mi",
    "agent-disable-keep-alives": "auto-auth,templating",
    "agent-disable-idle-connections": "caching",
    "agent-telemetry-prometheus-retention-time": "30s",
    "agent-telemetry-disable-hostname": "true",
    "agent-enable-quit": "true",
    "template-config-exit-on-retry-failure": "false",
    "template-static-secret-render-interval": "1m",
    "template-max-connections-per-host": "5",
    "template-lease-renewal-threshold": "0.8",
    "error-on-missing-key-db": "true",
    "agent-inject-default-template": "json",
    "secret-volume-size-limit": "1Mi",
    "secret-volume-read-only": "true",
    "service": ADDRESS,
}


def _pods() -> Iterator[Object]:
    approle = {
        "auth-type": "approle",
        "auth-path": "auth/approle",
        "agent-extra-secret": "approle",
        "auth-config-role-id-file-path": "/vault/custom/role-id",
        "auth-config-secret-id-file-path": "/vault/custom/secret-id",
        "auth-config-remove-secret-id-file-after-reading": "false",
    }
    token_file = {
        "auth-type": "token-file",
        "agent-extra-secret": "token-file",
        "auth-config-token-file-path": "/vault/custom/token",
    }
    cert = {
        "auth-type": "cert",
        "auth-path": "auth/cert",
        "tls-secret": "client",
        "client-cert": "/vault/tls/tls.crt",
        "client-key": "/vault/tls/tls.key",
        "ca-cert": "/vault/tls/ca.crt",
        "auth-config-name": "e2e",
    }
    yield pod("kubernetes", ASKING | {"auth-type": "kubernetes", "auth-path": "auth/kubernetes"}, PRINT)
    yield pod("jwt", ASKING | {"auth-type": "jwt", "auth-path": "auth/jwt"}, PRINT)
    yield pod("approle", ASKING | approle, PRINT)
    yield pod("token-file", ASKING | token_file, PRINT)
    yield pod("cert", ASKING | cert, PRINT)
    yield pod("openbao", ASKING, PRINT, prefix="openbao.org/")
    yield pod("several", ASKING | SEVERAL, PRINT)
    yield pod("command", ASKING | {"agent-inject-command-db": "wc -c </vault/secrets/db >/vault/secrets/size"}, PRINT)
    perms = {"agent-inject-perms-db": "0440"}
    yield pod("perms", ASKING | perms, PRINT, app=APP_USER, securityContext={"fsGroup": 2000})
    paths = {
        "agent-inject-secret-key": SECRET,
        "secret-volume-path-key": "/etc/keys",
        "agent-inject-file-key": "deep/key.txt",
        "agent-inject-template-key": "[[ with secret `" + SECRET + "` ]][[ .Data.data.user ]][[ end ]]",
        "agent-template-left-delim-key": "[[",
        "agent-template-right-delim-key": "]]",
    }
    yield pod("paths", ASKING | paths)
    yield pod("configmap", {"agent-configmap": "agent"}, PRINT)
    yield pod("cache", ASKING | {"agent-cache-enable": "true"}, f"{ASK_UNTIL_ANSWERED}; {FOREVER}")
    revoke = {"agent-revoke-on-shutdown": "true", "agent-revoke-grace": "1"}
    yield pod("revoke", ASKING | revoke, ENDS_AT_ONCE, terminationGracePeriodSeconds=20)
    copied = {
        "role": "e2e",
        "agent-copy-volume-mounts": "app",
        "agent-inject-template-file-db": "/etc/templates/db.tpl",
    }
    templates = {"name": "templates", "configMap": {"name": "templates"}}
    mount = {"name": "templates", "mountPath": "/etc/templates"}
    yield pod("copied", copied, PRINT, app={"volumeMounts": [mount]}, volumes=[templates])
    yield pod("patched", ASKING | {"agent-json-patch": PATCH, "agent-init-json-patch": PATCH}, PRINT)
    yield pod("token", ASKING | {"agent-inject-token": "true"}, PRINT, app=APP_USER)
    fresh = {
        "role": "e2e",
        "agent-inject-secret-db": FRESH,
        "agent-inject-template-db": TEMPLATE.replace(SECRET, FRESH),
        "template-static-secret-render-interval": "1s",
    }
    yield pod("fresh", fresh)
    yield pod("patient", ASKING | {"auth-min-backoff": "40s"}, PRINT)
    own = {"name": "own", "projected": {"sources": [OWN_TOKEN]}}
    yield pod("own-token", ASKING | {"agent-service-account-token-volume-name": "own"}, PRINT, volumes=[own])
    same = {"agent-run-as-same-user": "true", "agent-share-process-namespace": "true"}
    yield pod("same-user", ASKING | same, PRINT, app=APP_USER)


@pytest.fixture(scope="module", params=MODES)
def kind(request: pytest.FixtureRequest) -> Kind:
    wanted: Kind = request.param
    return wanted


@pytest.fixture(scope="module")
def space(kind: Kind, cluster: Cluster, vault: OpenBao, injectors: Injectors) -> Iterator[Space]:
    made = injectors.space(f"e2e-annotations-{kind}", kind)
    made.create(*_inputs(cluster, vault), *_pods())
    yield made
    cluster.kubectl("delete", "namespace", made.name, "--wait=false")


def _inputs(cluster: Cluster, vault: OpenBao) -> Iterator[Object]:
    """Set up the auth methods that need more than a role, and return what Kubernetes holds for them."""
    policies = {"token_policies": ["e2e-read"]}
    vault.write(FRESH, {"data": {"user": "e2e", "password": "old"}})
    vault.write("auth/approle/role/e2e", policies)
    role_id = vault.read("auth/approle/role/e2e/role-id")["data"]["role_id"]
    secret_id = vault.write("auth/approle/role/e2e/secret-id")["data"]["secret_id"]
    yield _secret("approle", {"role-id": role_id, "secret-id": secret_id})
    made = vault.write("auth/token/create", {"policies": ["e2e-read"], "ttl": "1h"})
    yield _secret("token-file", {"token": made["auth"]["client_token"]})
    authority = cluster.node.pki.authority
    vault.write("auth/cert/certs/e2e", {"certificate": authority.certificate.decode(), **policies})
    client = issue(authority, ClientOf("e2e"), now=datetime.now(UTC), lifetime=timedelta(hours=1))
    parts = {"tls.crt": client.certificate, "tls.key": client.key, "ca.crt": authority.certificate}
    yield _secret("client", {name: part.decode() for name, part in parts.items()})
    yield _config_map("templates", {"db.tpl": TEMPLATE})
    yield _config_map("agent", {"config-init.hcl": _hcl(once=True), "config.hcl": _hcl(once=False)})


@pytest.mark.parametrize(
    "name",
    [
        "kubernetes",
        "jwt",
        "approle",
        "token-file",
        "cert",
        "openbao",
        "several",
        "configmap",
        "own-token",
        "same-user",
        "patched",
        "perms",
        "token",
        "patient",
    ],
)
def test_the_app_has_the_secret(space: Space, name: str) -> None:
    space.ready(name)
    assert space.says(name, PASSWORD) == PRINTED


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("kubernetes", "auth/kubernetes/login"),
        ("jwt", "auth/jwt/login"),
        ("approle", "auth/approle/login"),
        ("token-file", "auth/token/create"),
        ("cert", "auth/cert/login"),
        ("openbao", "auth/kubernetes/login"),
    ],
)
def test_the_agents_token_comes_from_the_auth_method_asked_for(
    space: Space, vault: OpenBao, name: str, path: str
) -> None:
    space.ready(name)
    assert _lookup(vault, _agents_token(space, name))["path"] == path


@pytest.mark.parametrize(
    "backoffs",
    [{"auth-min-backoff": "2s", "auth-max-backoff": "2s"}, {"auth-max-backoff": "1s"}],
    ids=["the same", "not above the agent's own minimum"],
)
def test_backoffs_that_an_agent_does_not_start_with_are_refused(space: Space, backoffs: dict[str, str]) -> None:
    answer = space.create(pod("backoffs", ASKING | backoffs), check=False, arguments=("--dry-run=server",))
    assert answer.returncode == 1
    assert "(AnnotationInvalid)" in answer.stderr


def test_an_extra_secret_is_in_the_agent_alone(space: Space) -> None:
    space.ready("approle")
    assert space.run("approle", "ls", "/vault/custom", container=AGENT).split() == ["role-id", "secret-id"]
    assert space.run("approle", "ls", "/vault").split() == ["secrets"]


def test_a_client_key_is_in_the_agent_alone(space: Space) -> None:
    space.ready("cert")
    assert space.run("cert", "ls", "/vault/tls", container=AGENT).split() == ["ca.crt", "tls.crt", "tls.key"]
    assert space.run("cert", "ls", "/vault").split() == ["secrets"]


def test_a_command_runs_after_the_file_is_written(space: Space) -> None:
    space.ready("command")
    said = space.eventually(lambda: space.run("command", "sh", "-c", "cat /vault/secrets/size || :"), bool)
    assert int(said) == len(PASSWORD)


def test_a_changed_secret_reaches_the_app(space: Space, vault: OpenBao) -> None:
    space.ready("fresh")
    assert space.run("fresh", "cat", "/vault/secrets/db") == "e2e:old"
    vault.write(FRESH, {"data": {"user": "e2e", "password": "new"}})
    space.eventually(lambda: space.run("fresh", "cat", "/vault/secrets/db"), lambda said: said == "e2e:new")


def test_a_file_has_its_mode_and_the_pods_group(space: Space) -> None:
    space.ready("perms")
    assert space.run("perms", "stat", "-Lc", "%a %u %g", "/vault/secrets/db") == "440 100 2000\n"


def test_a_secret_has_a_place_a_name_and_delimiters_of_its_own(space: Space) -> None:
    space.ready("paths")
    assert space.run("paths", "cat", "/etc/keys/deep/key.txt", "/vault/secrets/db") == f"e2e{PASSWORD}"
    assert space.run("paths", "ls", "/vault/secrets").split() == ["db"]


def test_the_caching_listener_answers_the_app_without_a_token(space: Space) -> None:
    space.ready("cache")
    assert "200 OK" in space.says("cache", "200")


def test_mounts_are_copied_to_the_agent_with_the_template_in_them(space: Space) -> None:
    space.ready("copied")
    assert space.says("copied", PASSWORD) == f"e2e:{PRINTED}"
    mounts = {mount["mountPath"] for mount in _container(space, "copied", AGENT)["volumeMounts"]}
    assert "/etc/templates" in mounts


def test_a_patch_changes_the_agent_containers(space: Space, kind: Kind) -> None:
    for agent in [AGENT] if kind is Kind.NATIVE else [AGENT, INIT_AGENT]:
        assert {"name": "PATCHED", "value": "yes"} in _container(space, "patched", agent)["env"]
    space.ready("patched")
    assert space.run("patched", "sh", "-c", "echo $PATCHED", container=AGENT) == "yes\n"


def test_the_vault_token_is_the_apps_to_use(space: Space, vault: OpenBao) -> None:
    space.ready("token")
    token = space.eventually(lambda: space.run("token", "sh", "-c", "cat /vault/secrets/token || :"), bool)
    assert vault.ask("GET", SECRET, token=token).status == 200


def test_the_other_family_has_its_own_variables_and_binary(space: Space) -> None:
    space.ready("openbao")
    agent = _container(space, "openbao", AGENT)
    assert "bao agent" in agent["args"][0]
    assert "BAO_LOG_LEVEL" in {variable["name"] for variable in agent["env"]}


def test_a_named_token_volume_is_the_one_the_agent_uses(space: Space) -> None:
    space.ready("own-token")
    spec = space.get("pod", "own-token")["spec"]
    assert "vault-agent-token" not in {volume["name"] for volume in spec["volumes"]}
    jwt = space.run("own-token", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/own", container=AGENT)
    assert _audience(jwt) == ["vault"]


def test_the_agent_runs_as_the_apps_user_and_sees_its_processes(space: Space) -> None:
    space.ready("same-user")
    assert space.run("same-user", "id", "-u", container=AGENT) == "1001\n"
    assert "sleep 86400" in space.run("same-user", "ps", container=AGENT)


def test_secrets_are_mounted_read_only_on_request(space: Space) -> None:
    space.ready("several")
    answer = space.kubectl("exec", "several", "-c", "app", "--", "touch", "/vault/secrets/x", check=False)
    assert "Read-only file system" in answer.stderr


def test_the_token_is_revoked_when_the_pod_is_deleted(space: Space, vault: OpenBao) -> None:
    space.ready("revoke")
    accessor = _lookup(vault, _agents_token(space, "revoke"))["accessor"]
    assert accessor in vault.token_accessors()
    space.kubectl("delete", "pod", "revoke")
    assert accessor not in vault.token_accessors()


def _agents_token(space: Space, name: str) -> str:
    """Return the Vault token in the sink of a pod's sidecar."""
    show = ("sh", "-c", "cat /home/vault/.vault-token || :")
    return space.eventually(lambda: space.run(name, *show, container=AGENT), bool)


def _lookup(vault: OpenBao, token: str) -> Any:
    return vault.ask("GET", "auth/token/lookup-self", token=token).json()["data"]


def _container(space: Space, pod: str, name: str) -> Mapping[str, Any]:
    spec = space.get("pod", pod)["spec"]
    (found,) = (c for c in (*spec["initContainers"], *spec["containers"]) if c["name"] == name)
    return dict(found)


def _audience(jwt: str) -> Any:
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["aud"]


def _secret(name: str, data: Mapping[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(data)}


def _config_map(name: str, data: Mapping[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def _hcl(*, once: bool) -> str:
    """Return an agent configuration as an author writes it; the server and its certificate come from the environment."""
    return f"""
exit_after_auth = {str(once).lower()}
auto_auth {{
  method "kubernetes" {{
    mount_path = "auth/kubernetes"
    config = {{ role = "e2e", token_path = "/var/run/secrets/vault.hashicorp.com/serviceaccount/token" }}
  }}
  sink "file" {{
    config = {{ path = "/home/vault/.vault-token" }}
  }}
}}
template {{
  destination = "/vault/secrets/db"
  contents = "{{{{ with secret \\"{SECRET}\\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}"
}}
"""
