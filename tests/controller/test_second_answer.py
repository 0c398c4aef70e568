"""The server's side of a confirmation: over a real socket, with the real admission and a real OpenBao."""

import asyncio
import contextlib
import json
from time import perf_counter

import pytest

from webhook.admit import Admission
from webhook.controller.confirmation_server import ConfirmationServer
from webhook.server.confirmation_client import QUESTIONS_MAX, ConfirmationClient, timeout_s
from webhook.settings.read import read

pytestmark = pytest.mark.slow


def review(role, account="shop", **annotations):
    given = {
        "vault.hashicorp.com/agent-inject": "true",
        "vault.hashicorp.com/role": role,
        **{f"vault.hashicorp.com/{key.replace('_', '-')}": value for key, value in annotations.items()},
    }
    pod = {
        "metadata": {"name": "shop", "annotations": given},
        "spec": {"serviceAccountName": account, "containers": [{"name": "app", "image": "app"}]},
    }
    request = {"uid": "u-1", "namespace": "shop", "operation": "CREATE", "object": pod}
    request |= {
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


class Asking:
    """An admission whose worker may ask a controller that has polled once."""

    def __init__(self, polling, path, **flags):
        self.path = str(path)
        given = {**polling.flags, "confirm-socket": self.path, **{k.replace("_", "-"): v for k, v in flags.items()}}
        self.admission = Admission(read(given, {}))
        self.polling = polling
        self.snapshot = polling.document()
        self.answers = 0

    def first(self, body, snapshot=None):
        self.answers += 1
        return self.admission.answer(body, snapshot or self.snapshot, self.polling.now)

    async def second(self, body, confirmations=None, query=b"timeout=10s"):
        first = self.first(body)
        return await (confirmations or ConfirmationClient(self.path)).second(
            first, self.snapshot, lambda newer: self.first(body, newer), query=query, began=perf_counter()
        )

    def decide(self, body, **more):
        answer = asyncio.run(self.second(body, **more))
        return answer.decision, answer.reason


@pytest.fixture
def asking(controller, tmp_path):
    started = []

    def make(**flags):
        polling = controller(**flags)
        polling.poll()
        path = tmp_path / f"confirm-{len(started)}.sock"
        answerer = ConfirmationServer(str(path), polling.parts.confirmer)
        answerer.start()
        assert answerer.is_open.wait(10)
        assert answerer.problem == ""
        started.append(answerer)
        return Asking(polling, path, **flags)

    yield make
    for answerer in started:
        answerer.stop()
        assert not answerer.is_alive()


def test_a_role_created_just_now_is_accepted_at_once(bao, mount, asking):
    asks = asking()
    bao.role(mount, "cart", bound_service_account_names=["shop"], audience="vault")
    assert asks.first(review("cart")).reason == "RoleNotFound"
    assert asks.decide(review("cart")) == ("injected", "")


def test_what_is_still_refused_is_refused_by_the_newest_data(bao, mount, asking):
    asks = asking()
    bao.delete(f"auth/{mount}/role/shop")
    assert asks.first(review("shop", account="other")).reason == "ServiceAccountNotBound"
    assert asks.decide(review("shop", account="other")) == ("refused", "RoleNotFound")


def test_the_audience_a_new_role_pins_is_used_where_it_is_asked_for(bao, mount, asking):
    asks = asking(token_audience="auto")
    bao.role(mount, "cart", bound_service_account_names=["shop"], audience="pinned")
    assert asks.decide(review("cart")) == ("injected", "")


def test_policies_are_asked_for_where_they_refuse(bao, mount, asking):
    bao.write("sys/policies/acl/late", {"policy": 'path "secret/data/other" { capabilities = ["read"] }'})
    bao.role(mount, "shop", token_policies=["late"], audience="vault")
    asks = asking(policy_check="deny", control_identity_model="automatic")
    body = review("shop", agent_inject_secret_a="secret/data/a")
    assert asks.decide(body) == ("refused", "SecretPathNotGranted")
    bao.write("sys/policies/acl/late", {"policy": 'path "secret/data/a" { capabilities = ["read"] }'})
    asks.polling.now += 4
    assert asks.decide(body) == ("injected", "")


def test_what_is_allowed_never_asks_and_is_told_later(bao, mount, asking):
    asks = asking()
    bao.role(mount, "shop", audience="other", bound_service_account_names=["nobody"])

    async def admits():
        confirmations = ConfirmationClient(asks.path)
        answer = await asks.second(review("Shop"), confirmations)
        assert (answer.decision, asks.answers) == ("injected", 1)
        await confirmations.told()

    asyncio.run(admits())
    assert [key.name for key in asks.polling.shared.asked] == ["shop"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (review(""), "RoleMissing"),
        (review("shop", agent_run_as_user="x"), "AnnotationInvalid"),
        (review("shop", agent_inject_token="maybe"), "AnnotationInvalid"),
    ],
)
def test_refusals_that_roles_cannot_lift_do_not_ask(asking, proxy, body, reason):
    asks = asking()
    proxy.requests.clear()
    assert asks.decide(body) == ("refused", reason)
    assert (proxy.requests, asks.answers) == ([], 1)


def test_old_data_do_not_ask(asking, proxy):
    asks = asking(bindings_on_stale="closed")
    proxy.requests.clear()
    asks.polling.now += 10_000
    assert asks.decide(review("nope")) == ("refused", "BindingsStale")
    assert proxy.requests == []


def test_a_role_that_was_not_read_yet_is_read_before_it_is_refused_for_that(controller, asking):
    asks = asking(bindings_on_unavailable="closed")
    polling = controller(bindings_on_unavailable="closed")
    polling.loop.poll()
    polling.loop.write()
    asks.snapshot = polling.document()
    assert asks.first(review("shop")).reason == "RoleUnreadable"
    assert asks.decide(review("shop")) == ("injected", "")


def test_a_slow_vault_leaves_the_snapshots_verdict(proxy, asking):
    asks = asking()
    proxy.fault = lambda *_: proxy.stalls
    assert asks.decide(review("nope")) == ("refused", "RoleNotFound")
    assert asks.answers == 1


@pytest.mark.parametrize("path", ["/nowhere/confirm.sock", "/dev/null"])
def test_without_a_controller_the_snapshot_decides(asking, path):
    asks = asking()
    asks.path = path
    assert asks.decide(review("nope")) == ("refused", "RoleNotFound")


@pytest.mark.parametrize(
    "said", [b"", b"\n", b"{}\n", b'{"error": "busy"}\n', b'{"apiVersion"', b"<html>\n", b"[" * 70_000 + b"\n", None]
)
def test_whatever_the_socket_says_the_pod_gets_an_answer(asking, tmp_path, said):
    """None: it says nothing at all."""
    asks = asking()
    asks.path = str(tmp_path / "odd.sock")

    async def decides():
        gone = asyncio.Event()

        async def odd(reader, writer):
            await reader.readline()
            if said is None:
                await reader.read()  # until the peer gives up
            else:
                writer.write(said)
            writer.close()
            gone.set()

        async with await asyncio.start_unix_server(odd, asks.path):
            answer = await asks.second(review("nope"))
            await gone.wait()
            return answer

    answer = asyncio.run(decides())
    assert (answer.decision, answer.reason, asks.answers) == ("refused", "RoleNotFound", 1)


@pytest.mark.parametrize("query", [b"timeout=300ms", b"timeout=0s", b"a=b&timeout=100ms"])
def test_where_the_api_server_will_not_wait_nothing_is_asked(asking, proxy, query):
    asks = asking()
    proxy.requests.clear()
    assert asks.decide(review("nope"), query=query) == ("refused", "RoleNotFound")
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("query", "expected_s"),
    [
        (b"timeout=10s", 10),
        (b"timeout=1.5s&x=1", 1.5),
        (b"x=1&timeout=500ms", 0.5),
        (b"", float("inf")),
        (b"timeout=", float("inf")),
        (b"timeout=soon", float("inf")),
        (b"mytimeout=1s", float("inf")),
        (b"timeout=10s\xff", float("inf")),
    ],
)
def test_the_api_servers_timeout_is_read_from_the_query(query, expected_s):
    assert timeout_s(query) == expected_s


def test_many_refusals_at_once_are_answered_and_ask_within_bounds(asking, proxy):
    asks = asking()
    proxy.requests.clear()

    async def all_of_them():
        confirmations = ConfirmationClient(asks.path)
        return await asyncio.gather(
            *(asks.second(review(f"nope-{number % 10}"), confirmations) for number in range(QUESTIONS_MAX * 3))
        )

    answers = asyncio.run(all_of_them())
    assert {(answer.decision, answer.reason) for answer in answers} == {("refused", "RoleNotFound")}
    assert len(proxy.requests) <= 10


def test_a_socket_left_by_a_killed_process_is_replaced(asking, tmp_path):
    (tmp_path / "confirm-0.sock").touch()
    assert asking().decide(review("nope")) == ("refused", "RoleNotFound")


def test_a_line_without_end_and_a_peer_that_says_nothing_stop_nobody(asking):
    asks = asking()

    async def both():
        reader, writer = await asyncio.open_unix_connection(asks.path)
        writer.write(b"x" * 200_000)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        assert await reader.read() == b""
        _, silent = await asyncio.open_unix_connection(asks.path)
        answer = await asks.second(review("nope"))
        for each in (writer, silent):
            each.close()
        return answer

    assert asyncio.run(both()).reason == "RoleNotFound"
