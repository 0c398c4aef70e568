"""The recorded cases of the role check, put to a live server: mounts, roles, accounts and tokens as each case describes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.openbao import API_URL, REVIEWER, REVIEWER_NAMESPACE, OpenBao

pytestmark = pytest.mark.cluster

CASES = json.loads((Path(__file__).parents[1] / "cases" / "bindings.json").read_text())["cases"]
# Cases about what the webhook knows, or was told to do, and not about what the server answers.
OURS = {
    "BindingsStale",
    "BindingsUnavailable",
    "RoleUnreadable",
    "RoleNotCovered",
    "AuthMountNotCovered",
    "AuthTypeNotChecked",
}
UNWRITABLE = {"b037", "b038"}  # OpenBao takes no selector with matchExpressions; such a role exists only in documents
ISSUER = "https://kubernetes.default.svc.cluster.local"
SETTINGS = {"wildcard", "requireAudience", "mode"}


def is_for_the_server(case):
    identity, settings = case["identity"], case.get("settings") or {}
    return (
        case["bindings"]
        and identity.get("audience") is not None
        and identity.get("hasToken", True)
        and not case["request"].get("vaultNamespace")
        and case["expected"]["reason"] not in OURS
        and not (case["expected"]["decision"] == "deny" and SETTINGS & settings.keys())
        and not case["expected"]["reason"].endswith(("Undecidable", "Unknown"))
    ) or case["expected"]["reason"] == "AuthMountUnknown"


ASKED = [case for case in CASES if is_for_the_server(case)]


def roles_of(mount: Mapping[str, Any]):
    """The roles of a mount by name, as the document's loader reads them: lists, and the output of a read, too."""
    roles = mount.get("roles") or {}
    if isinstance(roles, list):
        roles = {role.get("role_name") or role["name"]: role for role in roles}
    for name, role in roles.items():
        wrapped = role.get("data") if role else None
        yield name, wrapped if wrapped and "bound_service_account_names" not in role else role


def set_up(server: OpenBao, case) -> bool:
    """Make the case's mounts and roles; False where the server does not take such a role at all."""
    for mount in case["bindings"]["auth"]:
        if mount.get("namespace"):
            continue  # not reachable from the root namespace, which is where the agent asks
        path = f"{case['id']}-{mount['path'].strip('/').removeprefix('auth/')}"
        server.write(f"sys/auth/{path}", {"type": mount["type"]})
        config = mount.get("config") or {}
        if mount["type"] == "kubernetes":
            token = server.cluster.token(REVIEWER, namespace=REVIEWER_NAMESPACE)
            own = {
                "kubernetes_host": API_URL,
                "kubernetes_ca_cert": server.cluster.ca_file.read_text(),
                "token_reviewer_jwt": token,
            }
            given = {name: config[name] for name in ("issuer", "disable_iss_validation") if name in config}
            if given.get("issuer"):  # the cluster's tokens have the cluster's issuer
                is_ours = given["issuer"] == case["identity"].get("issuer")
                given["issuer"] = ISSUER if is_ours else "https://another.example"
            server.write(f"auth/{path}/config", {**own, **given})
        elif mount["type"] == "jwt":
            keys = {"jwks_url": f"{API_URL}/openid/v1/jwks", "jwks_ca_pem": server.cluster.ca_file.read_text()}
            server.write(f"auth/{path}/config", keys)
        for name, role in roles_of(mount):
            given = {"role_type": "jwt", **role} if mount["type"] == "jwt" else dict(role)
            if given.get("policies"):
                given.pop("token_policies", None)  # the server reads the old name only where the new one is not written
            if server.ask("POST", f"auth/{path}/role/{name}", given).status >= 400:
                return False
    return True


def token_of(server: OpenBao, identity) -> str:
    """Make namespace and account, and return a token with the case's audiences."""
    namespace, account = identity["namespace"], identity["serviceAccount"] or "default"
    labels = identity.get("namespaceLabels") or {}
    own = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace}},
    ]
    server.cluster.apply("\n---\n".join(map(json.dumps, own)))
    for name in {"team", "tier", "env"} - labels.keys():  # left by another case
        server.cluster.kubectl("label", "namespace", namespace, f"{name}-")
    audiences = [f"--audience={audience}" for audience in identity["audience"]]
    return server.cluster.kubectl("create", "token", account, f"--namespace={namespace}", *audiences).stdout.strip()


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case["id"])
def test_the_server_answers_as_the_case_says(openbao, case):
    if not set_up(openbao, case):
        assert case["id"] in UNWRITABLE
        return
    request = case["request"]
    before, auth, mount = request.get("authPath", "auth/kubernetes").rpartition("auth/")
    path = f"{before}{auth}{case['id']}-{mount}".rstrip("/")
    body = {"role": request.get("role", ""), "jwt": token_of(openbao, case["identity"])}
    status = openbao.ask("POST", f"{path}/login", body, token="").status
    assert (status == 200) == (case["expected"]["decision"] != "deny"), status


def test_most_cases_are_asked():
    assert len(ASKED) > 50
