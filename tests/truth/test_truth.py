"""What the role check says of a login or a secret is what the live server answers. `make truth N=20000` asks more often.

Every role is written to OpenBao, read back as the controller would, judged by us, and tried with a real token. A verdict that
says it cannot decide is counted and not compared; one that decides must be right.
"""

import os
import sys
from collections import Counter
from random import Random, SystemRandom

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.openbao import OpenBao
from tests.truth import roles
from tests.truth.world import Server, document, identities, inside
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
    if reason.value.endswith("Undecidable") or reason in (Reason.KV_VERSION_UNKNOWN, Reason.POLICY_INVALID)
}


@pytest.fixture(scope="module")
def people(cluster: Cluster):
    return identities(cluster)


@pytest.fixture(scope="module")
def truth(openbao: OpenBao):
    openbao.set_up_jwt_auth("truth-jwt")
    openbao.write("sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
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


def read_as_the_agent_does(server: Server, value: str, token: str) -> bool:
    """Tell whether a token may read what an annotation names, asked as the agent asks: with data/ where KV is version 2."""
    mount, _, rest = value.partition("/")
    while "//" in rest:
        rest = rest.replace("//", "/")
    if mount == "secret" and not rest.startswith(("data/", "metadata/", "subkeys/")):
        rest = f"data/{rest}"
    status, answer = server.ask("GET", f"{mount}/{rest.replace(' ', '%20')}", token=token)
    assert status in (200, 400, 403, 404, 405), answer
    return status != 403


def compare_secrets(server: Server, count: int):
    random, counts, wrong = Random(SEED), Counter(), []
    mounts = [
        {"path": "secret/", "type": "kv", "options": {"version": "2"}},
        {"path": "old/", "type": "kv", "options": {"version": "1"}},
    ]
    claim = LoginRequest(
        ref=RoleRef("", "kubernetes", "r"), service_account="web", namespace="shop", audience=("vault",)
    )
    while counts["asked"] < count:
        texts = roles.policies(random)
        names = [f"p{n}" for n in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            status, answer = server.ask("PUT", f"sys/policies/acl/{name}", {"policy": text})
            assert status in (200, 204), (answer, text)
        token = server.ask("POST", "auth/token/create", {"policies": names, "no_default_policy": True, "ttl": "60s"})[1]
        role = {
            "bound_service_account_names": ["*"],
            "bound_service_account_namespaces": ["*"],
            "token_policies": names,
            "token_no_default_policy": True,
        }
        known = [{"name": name, "hcl": text} for name, text in zip(names, texts, strict=True)]
        snapshot = load(document("kubernetes", role, policies=known, mounts=mounts), yaml_text.documents)
        for _ in range(6):
            value = roles.secret_path(random)
            verdict = check_path(value, claim, snapshot, RULES, None)
            counts["asked"] += 1
            if is_undecided(verdict):
                counts["undecided"] += 1
                continue
            may = read_as_the_agent_does(server, value, token["auth"]["client_token"])
            counts["readable" if may else f"refused, {verdict.reason}"] += 1
            if may != (verdict.decision is not Level.DENY):
                wrong.append((texts, value, may, verdict.reason))
    return counts, wrong


def test_secrets(truth, capsys):
    counts, wrong = inside(truth, lambda server: compare_secrets(server, N))
    report(capsys, "secrets", counts, wrong)
    assert wrong == []
    assert counts["readable"] > N // 20
