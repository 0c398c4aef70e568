"""The controller at work: what changes in OpenBao decides about pods, and a refusal is never older than seconds."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.configs import API_URL
from tests.cluster.node import ISSUER
from tests.cluster.openbao import OpenBao
from tests.cluster.webhook import Webhook
from tests.e2e.controllers import NEVER, SOON, Controller, allow, space_of
from tests.e2e.holdings import ASKING, PASSWORD, PRINT, PRINTED, READS_SECRET, ROLE, SECRET
from tests.e2e.space import PREFIX, Answer, Object, Space, pod

pytestmark = pytest.mark.cluster
JWT = "e2e-control-jwt"
UNHURRIED_PORT, HURRIED_PORT, APART_PORT = 9100, 9110, 9120  # and upwards, five of each controller
TEAM = "e2e.example.com/team"
NAMED = f"{PREFIX}agent-inject-secret-db"  # what messages about the secret are to name
GRANTS_NOTHING = 'path "secret/data/elsewhere" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def unhurried(vault: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Return a controller that polls once, at its start."""
    vault.set_up_jwt_auth(JWT)
    keys = {"jwks_url": f"{API_URL}/openid/v1/jwks", "jwks_ca_pem": vault.cluster.ca_file.read_text()}
    vault.write(f"auth/{JWT}/config", {**keys, "bound_issuer": ISSUER})
    _write_modest(vault, "control-modest")
    folder = tmp_path_factory.mktemp("unhurried")
    # Only where no identity of Vault grants more than roles do are their policies all there is.
    more = {"AGENT_INJECT_CONTROL_MOUNTS": f"auth/{JWT}", "AGENT_INJECT_CONTROL_IDENTITY_MODEL": "automatic"}
    started = Controller.start(vault, folder, "control-unhurried", port=UNHURRIED_PORT, poll=NEVER, more=more)
    yield started
    started.part.stop()


@pytest.fixture(scope="module")
def confirming(unhurried: Controller) -> Iterator[Webhook]:
    """Return a webhook that asks the unhurried controller."""
    with unhurried.webhook("webhook-confirms", UNHURRIED_PORT + 1, {"AGENT_INJECT_CLUSTER_ISSUER": ISSUER}) as started:
        yield started


@pytest.fixture(scope="module")
def denying(unhurried: Controller) -> Iterator[Webhook]:
    """Return another one, which refuses secrets that policies do not grant."""
    with unhurried.webhook("webhook-denies", UNHURRIED_PORT + 3, {"AGENT_INJECT_POLICY_CHECK": "deny"}) as started:
        yield started


@pytest.fixture(autouse=True)
def no_poll(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check that no poll explains what a test of the unhurried controller saw."""
    if "unhurried" not in request.fixturenames:
        yield
        return
    controller: Controller = request.getfixturevalue("unhurried")
    before = controller.document()["fetchedAt"]
    yield
    assert controller.document()["fetchedAt"] == before


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[OpenBao]:
    """Return a server in a cluster of its own, where it may be stopped."""
    with Cluster.start(logs=tmp_path) as cluster, OpenBao.start(cluster) as server:
        _furnish(server)
        yield server


def test_a_role_created_a_moment_ago_is_accepted_at_once(
    vault: OpenBao, unhurried: Controller, confirming: Webhook
) -> None:
    space = space_of(confirming, "e2e-control-fresh")
    assert "control-fresh" not in _roles(unhurried)
    vault.write("auth/kubernetes/role/control-fresh", ROLE)
    answer = _apply(space, _asks("control-fresh"))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert space.says("control-fresh", PASSWORD) == PRINTED


def test_the_same_apply_is_accepted_once_the_role_is_mended(vault: OpenBao, confirming: Webhook) -> None:
    space = space_of(confirming, "e2e-control-mended")
    vault.write("auth/kubernetes/role/control-mended", {**ROLE, "bound_service_account_names": ["another"]})
    refused = _apply(space, _asks("control-mended"))
    assert refused.returncode == 1
    assert refused.stderr.endswith(" (ServiceAccountNotBound)\n")
    assert 'service account "default" is not bound to Vault role "control-mended"' in refused.stderr
    vault.write("auth/kubernetes/role/control-mended", ROLE)
    accepted = space.eventually(lambda: _apply(space, _asks("control-mended")), _is_accepted)
    assert accepted.stderr == ""
    assert space.says("control-mended", PASSWORD) == PRINTED


def test_a_role_removed_is_refused_after_the_next_poll(vault: OpenBao, tmp_path: Path) -> None:
    vault.write("auth/kubernetes/role/control-removed", ROLE)
    controller = Controller.start(vault, tmp_path, "control-hurried", port=HURRIED_PORT, poll=SOON)
    try:
        with controller.webhook("webhook-polled", HURRIED_PORT + 1) as webhook:
            space = space_of(webhook, "e2e-control-removed")
            accepted = _try(space, _asks("control-removed"))
            assert (accepted.returncode, accepted.stderr) == (0, "")
            vault.delete("auth/kubernetes/role/control-removed")
            refused = space.eventually(lambda: _try(space, _asks("control-removed")), _is_refused)
            assert refused.stderr.endswith(" (RoleNotFound)\n")
            assert "control-removed" not in _roles(controller)
    finally:
        controller.part.stop()


def test_a_secret_no_policy_grants_is_warned_of_by_its_annotation(confirming: Webhook) -> None:
    space = space_of(confirming, "e2e-control-warned")
    # The first document may come before the texts of policies, which are then in the next.
    space.eventually(
        lambda: _try(space, _asks_plainly("control-modest")).stderr, lambda said: "Unavailable" not in said
    )
    answer = _apply(space, _asks_plainly("control-modest"))
    assert answer.returncode == 0
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"Warning: vault-webhook: {NAMED}: ")
    assert line.endswith(" (SecretPathNotGranted)")


def test_a_secret_no_policy_grants_is_refused_until_one_does(vault: OpenBao, denying: Webhook) -> None:
    space = space_of(denying, "e2e-control-denied")
    _write_modest(vault, "control-denied")
    refused = _apply(space, _asks_plainly("control-denied"))
    assert refused.returncode == 1
    assert f"denied the request: {NAMED} " in refused.stderr
    assert refused.stderr.endswith(" (SecretPathNotGranted)\n")
    vault.write("sys/policies/acl/control-denied", {"policy": READS_SECRET["hcl"]})
    accepted = space.eventually(lambda: _apply(space, _asks_plainly("control-denied")), _is_accepted)
    assert accepted.stderr == ""
    assert PASSWORD in space.says("control-denied", PASSWORD)


def test_a_warning_ends_when_another_webhook_had_the_policy_read(
    vault: OpenBao, confirming: Webhook, denying: Webhook
) -> None:
    warned, denied = space_of(confirming, "e2e-control-both-warned"), space_of(denying, "e2e-control-both-denied")
    _write_modest(vault, "control-both")
    pod = _asks_plainly("control-both")
    assert NAMED in _try(denied, pod).stderr
    says = " (SecretPathNotGranted)\n"
    answer = warned.eventually(lambda: _try(warned, pod), lambda said: said.stderr.endswith(says))
    assert (answer.returncode, NAMED in answer.stderr) == (0, True)
    vault.write("sys/policies/acl/control-both", {"policy": READS_SECRET["hcl"]})
    denied.eventually(lambda: _try(denied, pod), _is_accepted)
    warned.eventually(lambda: _try(warned, pod).stderr, lambda said: said == "")


def test_a_policy_created_with_its_role_is_not_said_to_be_absent(vault: OpenBao, confirming: Webhook) -> None:
    space = space_of(confirming, "e2e-control-policy")
    vault.write("sys/policies/acl/control-policy", {"policy": READS_SECRET["hcl"]})
    vault.write("auth/kubernetes/role/control-policy", {**ROLE, "token_policies": ["control-policy"]})
    answer = _try(space, _asks_plainly("control-policy"))
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_jwt_role_decides_by_the_subject_of_the_clusters_own_tokens(vault: OpenBao, confirming: Webhook) -> None:
    space = space_of(confirming, "e2e-control-jwt")
    ways = {"auth-type": "jwt", "auth-path": f"auth/{JWT}"}
    vault.write(f"auth/{JWT}/role/mine", _jwt_role(f"system:serviceaccount:{space.name}:default"))
    vault.write(f"auth/{JWT}/role/theirs", _jwt_role("system:serviceaccount:elsewhere:default"))
    accepted, refused = (_apply(space, _asks(role, ways)) for role in ("mine", "theirs"))
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert refused.returncode == 1
    assert refused.stderr.endswith(" (SubjectMismatch)\n")
    assert space.says("mine", PASSWORD) == PRINTED
    jwt = space.cluster.token("default", namespace=space.name, audience="vault")
    assert [vault.login_kubernetes(role, jwt, JWT)[0] for role in ("mine", "theirs")] == [200, 400]


def test_a_namespace_is_accepted_as_soon_as_it_has_the_label(vault: OpenBao, confirming: Webhook) -> None:
    inside = space_of(confirming, "e2e-control-inside", {TEAM: "payments"})
    outside = space_of(confirming, "e2e-control-outside")
    terms = {
        "bound_service_account_names": ["default"],
        "bound_service_account_namespace_selector": json.dumps({"matchLabels": {TEAM: "payments"}}),
        "audience": "vault",
        "token_policies": ["e2e-read"],
    }
    vault.write("auth/kubernetes/role/control-selecting", terms)
    accepted, refused = (_try(space, _asks("control-selecting")) for space in (inside, outside))
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert refused.returncode == 1
    assert refused.stderr.endswith(" (NamespaceNotBound)\n")
    outside.cluster.kubectl("label", "namespace", outside.name, f"{TEAM}=payments")
    accepted = outside.eventually(lambda: _apply(outside, _asks("control-selecting")), _is_accepted)
    assert accepted.stderr == ""
    assert outside.says("control-selecting", PASSWORD) == PRINTED


def test_an_outage_of_openbao_changes_no_verdict_and_needs_no_restart(apart: OpenBao, tmp_path: Path) -> None:
    controller = Controller.start(apart, tmp_path, "control-apart", port=APART_PORT, poll=SOON)
    with controller.webhook("webhook-apart", APART_PORT + 1) as webhook:
        space = space_of(webhook, "e2e-control-apart")
        pods = [_asks("known"), _asks("later"), _asks("known", account="another")]

        def verdicts() -> list[Mapping[str, Any]]:
            answers = [_try(space, asks) for asks in pods]
            return [{"code": answer.returncode, "said": answer.stderr} for answer in answers]

        space.kubectl("create", "serviceaccount", "another")
        before = verdicts()
        assert [verdict["code"] for verdict in before] == [0, 1, 1]
        reasons = ("", " (RoleNotFound)\n", " (ServiceAccountNotBound)\n")
        assert [verdict["said"].endswith(reason) for verdict, reason in zip(before, reasons, strict=True)] == [True] * 3
        apart.stop()
        space.eventually(controller.failures, bool)
        assert verdicts() == before
        with OpenBao.start(apart.cluster) as again:
            _furnish(again)
            allow(again, controller.settings)
            again.write("auth/kubernetes/role/later", ROLE)
            accepted = space.eventually(lambda: _apply(space, _asks("later")), _is_accepted)
            assert accepted.stderr == ""
            assert space.says("later", PASSWORD) == PRINTED
            assert _is_accepted(_try(space, _asks("known")))
            space.eventually(controller.failures, lambda failures: failures == 0)
            # a poll may come between the server's return and the right to log in to it: the next one finds the roles
            space.eventually(lambda: _roles(controller), lambda roles: {"known", "later"} <= roles)
        assert (webhook.part.process.poll(), controller.part.process.poll()) == (None, None)


def _asks(role: str, more: Mapping[str, str] | None = None, *, account: str = "default") -> Object:
    """Return a pod named as the role it asks for."""
    return pod(role, {**ASKING, "role": role, **(more or {})}, PRINT, serviceAccountName=account)


def _asks_plainly(role: str) -> Object:
    """Return one whose secret has no template: what templates read is their authors' business, and not checked."""
    return pod(role, {"role": role, "agent-inject-secret-db": SECRET}, PRINT)


def _apply(space: Space, asks: Object, *arguments: str) -> Answer:
    return space.kubectl("apply", "--filename=-", *arguments, stdin=json.dumps(asks), check=False)


def _try(space: Space, asks: Object) -> Answer:
    """Apply without leaving a pod: the API server asks the webhook all the same."""
    return _apply(space, asks, "--dry-run=server")


def _is_accepted(answer: Answer) -> bool:
    return answer.returncode == 0


def _is_refused(answer: Answer) -> bool:
    return answer.returncode != 0


def _roles(controller: Controller) -> set[str]:
    """Return the names of all roles in the document."""
    return {name for mount in controller.document()["auth"] for name in mount.get("roles", {})}


def _jwt_role(subject: str) -> Mapping[str, Any]:
    audience = {"bound_audiences": ["vault"], "token_policies": ["e2e-read"]}
    return {"role_type": "jwt", "user_claim": "sub", "bound_subject": subject, **audience}


def _write_modest(vault: OpenBao, name: str) -> None:
    """Write a role whose only policy, of the same name, does not grant the secret."""
    vault.write(f"sys/policies/acl/{name}", {"policy": GRANTS_NOTHING})
    vault.write(f"auth/kubernetes/role/{name}", {**ROLE, "token_policies": [name]})


def _furnish(openbao: OpenBao) -> None:
    openbao.set_up_kubernetes_auth()
    openbao.write(f"sys/policies/acl/{READS_SECRET['name']}", {"policy": READS_SECRET["hcl"]})
    openbao.write(SECRET, {"data": {"password": PASSWORD}})
    openbao.write("auth/kubernetes/role/known", ROLE)
