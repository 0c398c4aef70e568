"""What the role check says of a login or a secret is what the live server answers. `make truth N=20000` asks more often.

Every role is written to OpenBao, read back as the controller would, judged by us, and tried with a real token. A verdict that
says it cannot decide is counted and not compared; one that decides must be right.
"""

import os
import re
import sys
from collections import Counter
from random import Random, SystemRandom

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.truth import roles
from tests.truth.world import SECRET_MOUNTS, VAULT_NAMESPACES, Server, document, identities, inside
from webhook import yaml_text
from webhook.reasons import Reason
from webhook.rolecheck import login
from webhook.rolecheck.acl.check import check_path
from webhook.rolecheck.bindings.load import load
from webhook.rolecheck.login_request import LoginRequest, PolicyCheck, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.rolecheck.verdict import Level, Verdict

pytestmark = pytest.mark.cluster

N = int(os.environ.get("TRUTH_N", "2000"))
SEED = int(os.environ.get("TRUTH_SEED", "0")) or SystemRandom().randrange(1, 2**32)
RULES = Rules(wildcard=Level.ALLOW, policy_check=PolicyCheck.DENY)
UNDECIDED = {
    reason
    for reason in Reason
    if reason.value.endswith("Undecidable")
    or reason in (Reason.KV_VERSION_UNKNOWN, Reason.KV_VERSION_HIDDEN, Reason.POLICY_INVALID)
}


@pytest.fixture(scope="module")
def people(cluster: Cluster):
    return identities(cluster)


@pytest.fixture(scope="module")
def truth(openbao: OpenBao):
    openbao.set_up_jwt_auth("truth-jwt")
    for namespace in VAULT_NAMESPACES:
        below = f"{namespace}/" if namespace else ""
        if namespace:
            parent, _, name = namespace.rpartition("/")
            openbao.write(f"{parent}/sys/namespaces/{name}".lstrip("/"))
        for path, version in SECRET_MOUNTS.items():
            if below or path != "secret":  # which the server has
                openbao.write(f"{below}sys/mounts/{path}", {"type": "kv", "options": {"version": version}})
    return openbao


def judge(mount, role, person):
    snapshot = load(document(mount, role), yaml_text.documents)
    claim = LoginRequest(
        ref=RoleRef("", mount, "r"),
        service_account=person.account,
        namespace=person.namespace,
        namespace_labels=person.labels,
        audience=(person.audience,),
    )
    return login.check(claim, snapshot, RULES, None)


def is_undecided(verdict: Verdict) -> bool:
    return verdict.decision is not Level.DENY and any(finding.reason in UNDECIDED for finding in verdict.findings)


def compare_logins(server: Server, mount, make_role, people, count):
    """Return counts, and every disagreement with all that is needed to try it again."""
    random, counts, wrong = Random(SEED), Counter(), []
    while counts["asked"] < count:
        written = make_role(random)
        server.ask("DELETE", f"auth/{mount}/role/r")
        status, _ = server.ask("POST", f"auth/{mount}/role/r", written)
        if status >= 400:
            counts["role not taken by the server"] += 1
            continue
        role = server.ask("GET", f"auth/{mount}/role/r")[1]["data"]
        for person in random.sample(people, 4):
            counts["asked"] += 1
            verdict = judge(mount, role, person)
            if is_undecided(verdict):
                counts["undecided"] += 1
                continue
            let_in = server.login(mount, "r", person)
            counts["let in" if let_in else f"refused, {verdict.reason}"] += 1
            if let_in != (verdict.decision is not Level.DENY):
                wrong.append((written, person.namespace, person.account, person.audience, let_in, verdict.reason))
    return counts, wrong


def report(capsys, what, counts, wrong):
    """Show the counts of a run that passes, too."""
    with capsys.disabled():
        sys.stdout.write(f"\n{what}, seed {SEED}: {dict(counts)}, disagreements: {len(wrong)}\n")


@pytest.mark.parametrize(("mount", "make_role"), [("kubernetes", roles.kubernetes_role), ("truth-jwt", roles.jwt_role)])
def test_logins(truth, people, capsys, mount, make_role):
    counts, wrong = inside(truth, lambda server: compare_logins(server, mount, make_role, people, N))
    report(capsys, f"{mount} logins", counts, wrong)
    assert wrong == []
    assert counts["let in"] > N // 20


# Where a token belongs, and the Vault namespace the agent sends: a login in the root, one by `auth-path: team1/auth/...`, one
# by the `namespace` annotation.
SEATS = (("", ""), ("", ""), ("team1", ""), ("team1", "team1"), ("team1/sub", "team1"))


def read_as_the_agent_does(server: Server, value: str, token: str, namespace: str) -> bool | None:
    """Tell whether a token may read what an annotation names, asked as OpenBao's agent asks: for the mount, then for the path.

    None: the agent makes a path that never exists of a KV version 2 mount in a namespace below its own.
    """
    path = re.sub("/+", "/", value)
    status, answer = server.ask("GET", f"sys/internal/ui/mounts/{path}", token=token, namespace=namespace)
    if status == 200 and (answer["data"]["options"] or {}).get("version") == "2":
        mount = answer["data"]["path"]
        if namespace and mount.startswith(f"{namespace}/"):
            return None
        rest = path.removeprefix(mount)
        path = path if rest.startswith(("data/", "metadata/", "subkeys/")) else f"{mount}data/{rest}"
    status, answer = server.ask("GET", path, token=token, namespace=namespace)
    assert status in (200, 400, 403, 404, 405), answer
    return status != 403


def seen_from(namespace: str) -> list[str]:
    """Return the Vault namespaces from this one down, as paths name them from there; "" is the namespace itself."""
    below = f"{namespace}/" if namespace else ""
    return [
        other.removeprefix(below) if other != namespace else ""
        for other in VAULT_NAMESPACES
        if f"{other}/".startswith(below)
    ]


def request_of(owner: str, sent: str) -> LoginRequest:
    """Return the login at a role of one Vault namespace by an agent that asks in another."""
    ref = RoleRef(owner, "kubernetes", "r")
    return LoginRequest(ref=ref, asks_in=sent, service_account="web", namespace="shop", audience=("vault",))


def write_policies(server: Server, random: Random, namespace: str):
    """Write random policies into a Vault namespace; return their names, texts, and a token with them."""
    texts = roles.policies(random, seen_from(namespace))
    names = [f"p{n}" for n in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        status, answer = server.ask("PUT", f"sys/policies/acl/{name}", {"policy": text}, namespace=namespace)
        assert status in (200, 204), (answer, text)
    body = {"policies": names, "no_default_policy": True, "ttl": "60s"}
    token = server.ask("POST", "auth/token/create", body, namespace=namespace)[1]["auth"]["client_token"]
    return names, texts, token


def snapshot_of(names, texts, namespace: str):
    role = {
        "bound_service_account_names": ["*"],
        "bound_service_account_namespaces": ["*"],
        "token_policies": names,
        "token_no_default_policy": True,
    }
    auth = [{"path": "auth/kubernetes", "namespace": namespace, "type": "kubernetes", "roles": {"r": role}}]
    known = [{"name": name, "namespace": namespace, "hcl": text} for name, text in zip(names, texts, strict=True)]
    mounts = [
        {"path": path, "namespace": other, "type": "kv", "options": {"version": version}}
        for other in VAULT_NAMESPACES
        for path, version in SECRET_MOUNTS.items()
    ]
    return load(document("kubernetes", role, auth=auth, policies=known, mounts=mounts), yaml_text.documents)


def compare_secrets(server: Server, count: int):
    random, counts, wrong = Random(SEED), Counter(), []
    while counts["asked"] < count:
        owner, sent = random.choice(SEATS)
        names, texts, token = write_policies(server, random, owner)
        snapshot = snapshot_of(names, texts, owner)
        claim = request_of(owner, sent)
        for _ in range(6):
            value = roles.secret_path(random, seen_from(sent))
            verdict = check_path(value, claim, snapshot, RULES, None)
            counts["asked"] += 1
            may = read_as_the_agent_does(server, value, token, sent)
            if may is None or is_undecided(verdict):
                counts["undecided"] += 1
                continue
            counts["readable" if may else f"refused, {verdict.reason}"] += 1
            counts["in a namespace below"] += may and value.startswith(("team1/", "sub/"))
            if may != (verdict.decision is not Level.DENY):
                wrong.append((owner, sent, texts, value, may, verdict.reason))
    return counts, wrong


def test_secrets(truth, capsys):
    counts, wrong = inside(truth, lambda server: compare_secrets(server, N))
    report(capsys, "secrets", counts, wrong)
    assert wrong == []
    assert counts["readable"] > N // 20
    assert counts["in a namespace below"] > N // 50


@pytest.mark.parametrize(
    ("owner", "sent", "value", "asked"),
    [
        ("", "", "team1/secret/shop/x", "team1/secret/data/shop/x"),
        ("", "", "team1/sub/secret/shop/x", "team1/sub/secret/data/shop/x"),
        ("", "", "team1/old/shop/x", "team1/old/shop/x"),
        ("team1", "", "team1/secret/shop/x", "team1/secret/data/shop/x"),
        ("team1", "", "team1/sub/secret/data/shop/x", "team1/sub/secret/data/shop/x"),
        ("team1", "team1", "secret/shop/x", "secret/data/shop/x"),
        ("team1", "team1", "sub/old/shop/x", "sub/old/shop/x"),
        ("team1", "team1", "sub/secret/data/shop/x", "sub/secret/data/shop/x"),
        ("team1/sub", "team1", "sub/old/shop/x", "sub/old/shop/x"),
    ],
)
def test_a_path_into_a_vault_namespace(truth, owner, sent, value, asked):
    """With one rule for what the check says the agent asks, as the token's namespace names it, and with none."""
    ruled = asked.removeprefix(owner.removeprefix(sent).strip("/")).strip("/")

    def compare(server: Server):
        for text in (
            f'path "{ruled}" {{ capabilities = ["read"] }}',
            f'path "x/{ruled}" {{ capabilities = ["read"] }}',
        ):
            server.ask("PUT", "sys/policies/acl/p0", {"policy": text}, namespace=owner)
            body = {"policies": ["p0"], "no_default_policy": True, "ttl": "60s"}
            token = server.ask("POST", "auth/token/create", body, namespace=owner)[1]["auth"]["client_token"]
            verdict = check_path(value, request_of(owner, sent), snapshot_of(["p0"], [text], owner), RULES, None)
            yield verdict.reason, read_as_the_agent_does(server, value, token, sent)

    answers = inside(truth, lambda server: list(compare(server)))
    assert answers == [(Reason.SECRET_READABLE, True), (Reason.SECRET_PATH_NOT_GRANTED, False)]
