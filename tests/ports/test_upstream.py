"""What we rely on in the libraries we stand inside: as it was read, and as it behaves."""

import re
import socket

import pytest

from tests.eventually import eventually
from tests.ports.port import REQUEST, Port, ask, is_open
from webhook.ports.connections import HEADERS_MAX, PIPELINE_MAX
from webhook.ports.upstream import RELIED


@pytest.mark.parametrize("relied", RELIED, ids=lambda relied: relied.name.partition(":")[2])
def test_it_is_as_it_was_read(relied):
    assert relied.digest_now() == relied.digest, f"{relied.name} has changed: it must still be so that it {relied.what}"


@pytest.fixture
def port():
    with Port() as port:
        yield port


def received(peer):
    """Return all that comes until the other end closes."""
    return b"".join(iter(lambda: peer.recv(65_536), b""))


POST = b"POST / HTTP/1.1\r\nHost: x\r\n%bContent-Length: 4\r\n\r\n"


def test_a_peer_that_waits_to_be_asked_for_its_body_is_asked(port):
    peer = port.peer()
    peer.sendall(POST % b"Expect: 100-continue\r\n")
    assert peer.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    peer.sendall(b"body")
    assert peer.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_question_for_the_head_alone_gets_it_at_once(port):
    peer = port.peer()
    peer.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert peer.recv(65_536).endswith(b"content-length: 4\r\n\r\n")
    assert ask(peer) == (200, b"here")


@pytest.mark.parametrize(
    "flood",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"GET /held HTTP/1.1\r\nHost: x\r\n\r\nGET /held HTTP/1.1\r\n",
    ],
    ids=["trailers", "a head during an answer"],
)
def test_headers_without_end_are_cut_wherever_they_come(port, flood):
    peer = port.peer()
    peer.sendall(flood)
    sent = 0
    try:
        while sent < 16 << 20:
            peer.sendall(b"X: a\r\n" * 1_000)
            sent += 6_000
    except ConnectionError:
        pass
    assert sent < 16 << 20
    eventually(lambda: port.cuts["oversize", "127.0.0.1"] == 1)


def test_an_answer_is_one_piece(port):
    peer = port.asked()
    peer.sendall(REQUEST % b"")
    assert peer.recv(65_536).endswith(b"\r\n\r\nhere")


def test_requests_ahead_are_answered_in_turn_up_to_the_limit(port):
    peer = port.peer()
    peer.sendall(REQUEST % b"" * PIPELINE_MAX)
    answers = b""
    while answers.count(b"here") < PIPELINE_MAX:
        answers += peer.recv(65_536)
    assert is_open(peer)
    peer.sendall(REQUEST % b"held" * (PIPELINE_MAX + 2))
    assert b"400 Bad Request" in received(peer)


def test_after_a_farewell_nothing_is_read(port):
    peer = port.peer()
    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + REQUEST % b"")
    assert received(peer).count(b"HTTP/1.1 ") == 1


def test_a_wish_to_upgrade_is_answered_as_http(port):
    peer = port.peer()
    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
    assert peer.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("header", [b"X-A: b\r\n" * (HEADERS_MAX + 1), b"X: " + b"a" * (64 << 10) + b"\r\n"])
def test_too_much_of_a_head_is_refused(port, header):
    peer = port.peer()
    peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + header)
    try:
        peer.sendall(b"\r\n")
        assert b"HTTP/1.1 200" not in received(peer)
    except ConnectionError:
        pass
    assert ask(port.peer()) == (200, b"here")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 0x4\r\n",
        b"Content-Length : 4\r\n",
        b" Content-Length: 4\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: a\r\n\tb\r\nContent-Length: 4\r\nContent-Length: 4\r\n",
        b"X: a\x00b\r\n",
        b"X: a\nContent-Length: 4\r\n",
        b"\x0bX: a\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(port, head):
    peer = port.peer()
    peer.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\n" + REQUEST % b"second")
    said = received(peer)
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"400"]


@pytest.mark.parametrize(
    "chunks",
    [b"-1\r\n", b"0x4\r\nbody\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"4\nbody\n0\n\n", b"4\r\nbodyX\r\n", b"g\r\n"],
)
def test_chunks_that_are_none_are_refused(port, chunks):
    peer = port.peer()
    peer.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + REQUEST % b"second")
    said = received(peer)
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"400"]


def test_a_peer_that_is_gone_frees_its_place(port):
    peer = port.peer()
    peer.sendall(POST % b"" + b"bo")
    eventually(lambda: port.connections.in_flight == 1)
    peer.shutdown(socket.SHUT_WR)
    eventually(lambda: len(port.connections) == 0)
    eventually(lambda: port.connections.in_flight == 0)
