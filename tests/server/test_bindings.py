"""The bindings document changes while reviews are answered."""

import json

import pytest

from tests.eventually import eventually
from tests.server.process import review, swap

pytestmark = pytest.mark.slow

KEPT = "file refused, last good version kept"
FETCHED_AT = "2024-05-01T10:00:00Z"


def document(*roles):
    bound = {"bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"]}
    mount = {"path": "kubernetes", "type": "kubernetes", "roles": [{"name": role, **bound} for role in roles]}
    whole = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "fetchedAt": FETCHED_AT, "auth": [mount]}
    return json.dumps(whole).encode()


def roles_seen(server):
    return json.loads(server.post(review())[1])["roles"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "bindings"


def test_a_new_document_is_taken_when_the_mount_is_swapped(start, folder):
    swap(folder, {"bindings.json": document("one")})
    server = start(bindings=folder / "bindings.json", workers=2)
    eventually(lambda: roles_seen(server) == 1)
    swap(folder, {"bindings.json": document("one", "two")})
    eventually(lambda: [roles_seen(server) for _ in range(8)] == [2] * 8)
    eventually(lambda: server.metric("vault_webhook_bindings_roles") == 2)
    assert server.metric("vault_webhook_bindings_mounts") == 1
    assert server.metric("vault_webhook_bindings_age_seconds") > 24 * 3_600
    assert server.metric('vault_webhook_binding_check_info{mode="enforce"}') == 1


def test_a_broken_document_leaves_the_last_good_one_in_force(start, folder):
    swap(folder, {"bindings.json": document("one")})
    server = start(bindings=folder / "bindings.json")
    eventually(lambda: roles_seen(server) == 1)
    swap(folder, {"bindings.json": b"no document"})
    eventually(lambda: server.metric('vault_webhook_file_load_failures_total{file="bindings"}') == 1)
    assert roles_seen(server) == 1
    ready = eventually(lambda: (said := server.readiness())["degraded"] and said)
    assert (ready["ready"], ready["binding_check"]) == (True, "enforce")
    assert ready["degraded"][0].startswith("the newest bindings is refused, an earlier one serves: BindingsError")
    refused = eventually(lambda: [line for line in server.lines() if line["event"] == KEPT])
    assert [line["file"] for line in refused] == ["bindings"]
    swap(folder, {"bindings.json": document("one", "two")})
    eventually(lambda: roles_seen(server) == 2)


def test_without_its_document_it_waits_and_is_not_ready(start, folder):
    server = start(bindings=folder / "bindings.json")
    reasons = eventually(lambda: server.readiness()["reasons"])
    assert reasons[0].startswith("no bindings yet: FileNotFoundError")
    assert (server.is_alive(), roles_seen(server)) == (True, None)
    swap(folder, {"bindings.json": document("one")})
    eventually(server.is_ready)
    assert roles_seen(server) == 1


def test_no_document_means_the_check_is_off_and_says_so(start):
    server = start()
    eventually(server.is_ready)
    assert server.readiness()["binding_check"] == "off"
    assert server.metric('vault_webhook_binding_check_info{mode="off"}') == 1
    assert [line["level"] for line in server.lines() if line["event"].startswith("the role check is off")] == [
        "warning"
    ]
