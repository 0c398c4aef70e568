"""Peers that stall are cut; others do not notice."""

import select
import socket

import pytest

from tests.eventually import eventually
from tests.server.process import JSON, PATIENCE_S, Server, is_cut, read_response, review

pytestmark = pytest.mark.slow

HEAD = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(
        tmp_path_factory.mktemp("server"),
        handshake_timeout_s=1,
        header_timeout_s=1,
        body_timeout_s=1,
        keep_alive_s=2,
        connection_max_age_s=1,
    )
    yield server
    server.close()


def stall_in_handshake(server):
    connection = server.plain()
    connection.sendall(b"\x16\x03\x01\x02\x00")  # the first bytes of a client's hello
    return connection


def stall_before_handshake(server):
    return server.plain()


def stall_in_head(server):
    connection = server.raw()
    connection.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\n")
    return connection


def stall_in_body(server):
    connection = server.raw()
    connection.sendall(HEAD % 100 + b"{")
    return connection


def stall_between_chunks(server):
    connection = server.raw()
    head = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"1\r\n{\r\n")
    return connection


def stall_after_refusal(server):
    connection = server.raw()
    connection.sendall(HEAD % (1 << 30) + b"{")
    assert read_response(connection)[0] == 413
    return connection


def stay_idle(server):
    return server.raw()


@pytest.mark.parametrize(
    ("stall", "cause"),
    [
        (stall_before_handshake, "handshake"),
        (stall_in_handshake, "handshake"),
        (stall_in_head, "head"),
        (stall_in_body, "body"),
        (stall_between_chunks, "body"),
        (stall_after_refusal, "body"),
        (stay_idle, "idle"),
    ],
)
def test_fifty_stalled_peers_are_cut_and_others_answered(server, stall, cause):
    series = f'vault_webhook_connections_cut_total{{cause="{cause}"}}'
    before = server.metric(series)
    stalled = [stall(server) for _ in range(50)]
    assert server.answers()
    assert all(is_cut(connection) for connection in stalled)
    eventually(lambda: server.metric(series) == before + 50)


def test_a_slow_but_moving_head_has_one_deadline(server):
    connection = server.raw()
    connection.settimeout(0.2)
    connection.sendall(b"POST /mutate HTTP/1.1\r\n")
    sent = 0
    with pytest.raises(ConnectionError):  # noqa: PT012 - a byte at a time until it is cut
        while sent < 100:
            connection.sendall(b"X")
            sent += 1
            try:
                if connection.recv(1) == b"":
                    raise ConnectionResetError
            except TimeoutError:
                pass
    assert sent < 50
    connection.close()


def test_an_old_connection_is_closed_with_its_answer(server):
    connection = server.raw()
    body = review()
    connection.sendall(HEAD % len(body) + body)
    assert read_response(connection)[1]["Connection"] is None
    connection.settimeout(1.3)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(10)
    connection.sendall(HEAD % len(body) + body)
    assert read_response(connection)[1]["Connection"] == "close"
    assert is_cut(connection)


def test_stalled_peers_do_not_stop_the_probes(server):
    stalled = [socket.create_connection(("127.0.0.1", server.admin_port)) for _ in range(40)]
    for connection in stalled:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
    assert server.is_alive()
    for connection in stalled:
        connection.close()


def test_a_crowd_pushes_out_itself_and_not_who_was_answered(start):
    server = start(descriptors=128)  # leaves room for 64 connections
    known = server.connect()
    known.request("POST", "/mutate", body=review(), headers=JSON)
    known.getresponse().read()
    crowd = [server.raw() for _ in range(100)] + [server.plain() for _ in range(100)]
    assert server.answers()
    known.request("POST", "/mutate", body=review(), headers=JSON)
    assert known.getresponse().status == 200
    series = 'vault_webhook_connections_cut_total{cause="crowd"}'
    eventually(lambda: server.metric(series) >= len(crowd) - 64)


def test_large_bodies_together_are_bounded(start):
    server = start(body_timeout_s=20)
    size = 6 << 20
    part = HEAD % (size + 1) + b" " * size
    uploads = [server.raw() for _ in range(14)]
    for connection in uploads:
        connection.sendall(part)
    waiting = set(uploads)
    while len(waiting) > 5:  # as many as fit into half of 64 MiB
        answered, _, _ = select.select(waiting, [], [], PATIENCE_S)
        assert [read_response(connection)[0] for connection in answered] == [503] * len(answered) != []
        waiting -= set(answered)
    assert server.answers()
    for connection in waiting:
        connection.sendall(b" ")
        assert read_response(connection)[0] == 400  # whole, and no review
