"""What the network and a server in distress do to polls: nothing known is lost, and it goes on by itself."""

import pytest

from tests.controller.parts import Controller
from webhook.controller import bindings_file
from webhook.rolecheck.bindings.snapshot import RoleState

pytestmark = pytest.mark.slow

HTML = b"<html><body>502 Bad Gateway</body></html>"
SEALED = b'{"errors": ["Vault is sealed"]}'


def everywhere(answer):
    return lambda *_: answer


def on(end, answer):
    return lambda _, path: answer if path.endswith(end) else None


FAULTS = {
    "stalls": (lambda proxy: proxy.stalls, "unreachable", 5),
    "cuts": (lambda proxy: proxy.cuts, "unreachable", 5),
    "half a JSON": (lambda proxy: proxy.says_half, "unreachable", 5),
    "half a JSON, whole body": (lambda proxy: proxy.says(200, b'{"data": {"keys": ["sh'), "malformed", 5),
    "HTML with status 200": (lambda proxy: proxy.says(200, HTML), "malformed", 5),
    "a list with status 200": (lambda proxy: proxy.says(200, b"[]"), "malformed", 5),
    "JSON of something else": (lambda proxy: proxy.says(200, b'{"data": {"keys": {"shop": 1}}}'), "malformed", 5),
    "HTML with status 404": (lambda proxy: proxy.says(404, HTML), "unreachable", 5),
    "HTML with status 502": (lambda proxy: proxy.says(502, HTML), "unreachable", 5),
    "sealed": (lambda proxy: proxy.says(503, SEALED), "sealed", 5),
    "uninitialised": (lambda proxy: proxy.says(501, b'{"errors": ["not initialized"]}'), "uninitialised", 5),
    "a fault of the server": (lambda proxy: proxy.says(500, b'{"errors": ["1 error occurred"]}'), "failed", 5),
    "429": (
        lambda proxy: proxy.says(429, b'{"errors": ["request path rate limit quota exceeded"]}'),
        "rate_limited",
        5,
    ),
    "429 with Retry-After": (lambda proxy: proxy.says(429, b"{}", Retry_After="77"), "rate_limited", 77),
    "503 with Retry-After": (lambda proxy: proxy.says(503, HTML, Retry_After="77"), "rate_limited", 77),
    "Retry-After without end": (lambda proxy: proxy.says(429, b"{}", Retry_After="9" * 30), "rate_limited", 300),
}


@pytest.mark.parametrize("place", ["sys/auth", "/role"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_keeps_what_was_known_and_goes_by_itself(bao, mount, proxy, controller, fault, place):
    answer, cause, pause_s = FAULTS[fault]
    polling = controller()
    polling.poll()
    before = polling.now
    bao.role(mount, "new")
    proxy.fault = on(f"/auth/{mount}/role" if place == "/role" else place, answer(proxy))
    waits = polling.poll()
    assert cause in polling.problems().values()
    assert waits == pause_s
    assert polling.mount().role("shop").audience == "vault"
    assert polling.document().fetched_at == before
    assert place == "sys/auth" or polling.mount().fetched_at == before
    bao.delete(f"auth/{mount}/role/shop")
    proxy.fault = everywhere(None)
    polling.now += waits
    assert polling.poll() == 60
    assert polling.problems() == {}
    assert polling.mount().role("shop") is RoleState.ABSENT
    assert polling.mount().role("new").accounts
    assert polling.document().fetched_at == polling.now


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_one_role_leaves_it_as_it_was(bao, mount, proxy, controller, fault):
    polling = controller()
    polling.poll()
    bao.role(mount, "shop", audience="other")
    proxy.fault = on("/role/shop", FAULTS[fault][0](proxy))
    polling.poll()
    assert polling.mount().role("shop").audience == "vault"
    assert polling.document().fetched_at == polling.now  # the lists were read
    proxy.fault = everywhere(None)
    polling.now += 300
    polling.poll()
    assert polling.mount().role("shop").audience == "other"


def test_a_role_in_no_shape_of_vaults_is_unreadable_and_the_document_loads(proxy, controller):
    polling = controller()
    proxy.fault = on("/role/shop", proxy.says(200, b'{"data": {"bound_service_account_names": {"a": 1}}}'))
    polling.poll()
    assert polling.mount().role("shop") is RoleState.UNREADABLE
    assert any("bound_service_account_names" in str(fields) for _, fields in polling.log.lines)


def test_a_fault_of_one_mount_leaves_the_others_fresh(bao, mount, proxy, controller):
    bao.write(f"sys/auth/second{mount}", {"type": "kubernetes"})
    bao.role(f"second{mount}", "cart")
    polling = controller(control_mounts=f"auth/second{mount}")
    polling.poll()
    before = polling.now
    proxy.fault = on(f"/auth/{mount}/role", proxy.says(500, b'{"errors": ["storage"]}'))
    polling.poll()
    document = polling.document()
    assert document.fetched_at == before
    assert polling.mount().fetched_at == before
    assert polling.mount(f"second{mount}").fetched_at == polling.now
    bao.delete(f"sys/auth/second{mount}")


def test_the_pause_grows_to_five_minutes_and_falls_back(proxy, controller):
    polling = controller()
    polling.poll()
    proxy.fault = everywhere(proxy.cuts)
    assert [polling.poll() for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, 300]
    proxy.fault = everywhere(None)
    assert polling.poll() == 60


def test_a_start_without_vault_writes_nothing_and_then_everything(proxy, controller):
    polling = controller()
    proxy.fault = everywhere(proxy.cuts)
    polling.poll()
    assert not polling.path.exists()
    proxy.fault = everywhere(None)
    polling.poll()
    assert polling.mount().role("shop").audience == "vault"


def test_a_restart_goes_on_from_the_document(proxy, controller):
    polling = controller()
    polling.poll()
    proxy.fault = everywhere(proxy.cuts)
    known = bindings_file.read(polling.path.read_bytes())
    restarted = Controller(polling.flags, known=known)
    restarted.poll()
    assert bindings_file.of(known, polling.control) == bindings_file.of(polling.shared.known, polling.control)
    restarted.close()


def test_half_a_document_is_nothing_to_go_on_from(controller):
    polling = controller()
    polling.poll()
    content = polling.path.read_bytes()
    for part in (b"", b"[]", b"{}", content[: len(content) // 2], b'{"auth": [{}], "server": {"product": "vault"}}'):
        with pytest.raises(ValueError, match="no document of ours"):
            bindings_file.read(part)
