"""What one peer may ask for: refusals with reasons, bodies that are no review, and places of a worker that is full."""

import contextlib
import http.client
import json
import os
import signal

import pytest

from tests.eventually import eventually
from tests.server.process import JSON, PATIENCE_S, review
from webhook.ports.peers import BURST_S
from webhook.server import state

OTHER = "127.0.0.2"
REFUSED = review(note="refuse")
MALFORMED = b"{}"


@pytest.fixture
def server(start):
    return start(refusals_per_second=1)


def client(server, source="127.0.0.1"):
    return contextlib.closing(
        http.client.HTTPSConnection(
            "localhost", server.port, context=server.context, timeout=PATIENCE_S, source_address=(source, 0)
        )
    )


def post(connection, body, path="/mutate"):
    connection.request("POST", path, body=body, headers=JSON)
    response = connection.getresponse()
    return response, json.loads(response.read())


def reason_of(said):
    return said.get("response", {}).get("status", {}).get("reason", "as ever")


def test_refusals_beyond_the_allowance_stay_refusals_and_say_no_reason(server):
    with client(server) as connection, client(server, OTHER) as other:
        said = [post(connection, REFUSED)[1] for _ in range(BURST_S * 4)]
        assert {reason_of(answer) for answer in said[:BURST_S]} == {"as ever"}
        withheld = [answer["response"] for answer in said if reason_of(answer) != "as ever"]
        assert len(withheld) >= BURST_S
        assert {(answer["allowed"], answer["uid"], answer["status"]["code"]) for answer in withheld} == {
            (False, "u-1", 403)
        }
        assert {answer["status"]["reason"] for answer in withheld} == {"RefusalsLimited"}
        assert {answer["auditAnnotations"]["reason"] for answer in withheld} == {"RefusalsLimited"}
        assert reason_of(post(other, REFUSED)[1]) == "as ever"
    eventually(lambda: server.metric("vault_webhook_refusals_withheld_total") == len(withheld))
    name = 'vault_webhook_decisions_total{decision="refused",reason="RoleNotFound"}'
    eventually(lambda: server.metric(name) == BURST_S * 4 + 1)


def test_what_is_admitted_is_never_limited(server):
    with client(server) as connection:
        for _ in range(BURST_S * 4):
            post(connection, REFUSED)
            post(connection, MALFORMED)
        assert {post(connection, review())[1]["uid"] for _ in range(BURST_S * 4)} == {"u-1"}


@pytest.mark.parametrize(("body", "path", "status"), [(MALFORMED, "/mutate", 400), (b"", "/odd", 404)])
def test_what_is_no_review_is_answered_429_beyond_the_allowance(server, body, path, status):
    with client(server) as connection, client(server, OTHER) as other:
        statuses = [post(connection, body, path)[0].status for _ in range(BURST_S * 4)]
        assert (statuses[:BURST_S], set(statuses)) == ([status] * BURST_S, {status, 429})
        response, said = post(connection, body, path)
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert said["remedy"]
        assert post(other, body, path)[0].status == status
        assert reason_of(post(connection, REFUSED)[1]) == "as ever"  # another allowance
    assert len([line for line in server.lines() if line["event"] == "no review"]) <= 2 * BURST_S


def test_without_a_limit_every_refusal_says_its_reason(start):
    server = start(refusals_per_second=0)
    with client(server) as connection:
        assert {reason_of(post(connection, REFUSED)[1]) for _ in range(1_200)} == {"as ever"}


def test_a_peer_with_every_place_makes_room_and_it_is_counted_and_logged(start):
    server = start(descriptors=128)  # leaves room for 64 connections
    crowd = [server.connect() for _ in range(80)]
    for connection in crowd:
        connection.request("POST", "/mutate", body=review(), headers=JSON)
        assert connection.getresponse().read()
    with client(server, OTHER) as newcomer:
        assert post(newcomer, review())[0].status == 200
    eventually(lambda: server.metric('vault_webhook_connections_cut_total{cause="crowd"}') == 80 - 64 + 1)
    lines = eventually(lambda: [line for line in server.lines() if line["event"] == "connection cut: crowd"])
    assert {(line["level"], line["peer"]) for line in lines} == {("warning", "127.0.0.1")}
    assert len(lines) < 80 - 64 + 1


@pytest.mark.slow
def test_a_full_worker_leaves_newcomers_to_one_with_places(start):
    server = start(descriptors=128, workers=2)
    one = server.workers()[0]
    os.kill(one, signal.SIGSTOP)
    held = [server.raw() for _ in range(64)]  # the other is full
    os.kill(one, signal.SIGCONT)
    held += [server.raw() for _ in range(48)]
    assert sum(worker.connections for worker in eventually(lambda: shares(server))) >= len(held) - 8
    assert server.metric('vault_webhook_connections_cut_total{cause="crowd"}') < 8


def shares(server):
    found = state.read_all(server.run / "workers")
    return found if min(worker.connections for worker in found) > 32 else []


def test_a_large_upload_of_one_peer_leaves_room_for_another_s(start):
    server = start(body_timeout_s=20)
    size = 6 << 20
    head = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    for _ in range(11):
        with contextlib.suppress(ConnectionError):
            server.raw().sendall(head % (size + 1) + b" " * size)
    with client(server, OTHER) as other:
        assert post(other, review().ljust(size))[0].status == 200
