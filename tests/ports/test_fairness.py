"""Who loses its place when all are taken."""

import pytest

from tests.eventually import eventually
from tests.ports.port import PLACES, REQUEST, Port, ask, is_open
from webhook.ports.connections import UNREAD_MAX_BYTES

CROWD, OTHER, THIRD = "127.0.0.66", "127.0.0.2", "127.0.0.3"


@pytest.fixture
def port():
    with Port() as port:
        yield port


def crowd(port, source=CROWD, number=PLACES):
    return [port.asked(source) for _ in range(number)]


def test_a_newcomer_takes_the_longest_idle_place_of_who_holds_most(port):
    held = crowd(port)
    ask(held[0])
    assert ask(port.peer(OTHER)) == (200, b"here")
    assert [is_open(peer) for peer in held] == [True, False, *[True] * (PLACES - 2)]
    assert port.cuts == {("crowd", CROWD): 1}


def test_a_crowd_that_comes_again_and_again_pushes_out_itself(port):
    known = port.asked(OTHER)
    for _ in range(4):
        crowd(port)
    assert ask(known) == (200, b"here")
    assert set(port.cuts) == {("crowd", CROWD)}


def test_half_open_connections_count_and_go_first(port):
    """A peer that has sent nothing is here what a handshake begun is over TLS: test_deadlines.py has those."""
    known = [port.asked(OTHER) for _ in range(4)]
    silent = [port.peer(CROWD) for _ in range(PLACES * 2)]
    assert ask(port.peer(THIRD)) == (200, b"here")
    assert all(is_open(peer) for peer in known)
    assert sum(is_open(peer) for peer in silent) <= PLACES - 4
    assert set(port.cuts) == {("crowd", CROWD)}


def test_those_who_hold_alike_are_all_left_something(port):
    sources = [f"127.0.1.{number}" for number in range(4)]
    held = {source: [] for source in sources}
    for _ in range(PLACES):
        for source in sources:
            held[source].append(port.asked(source))
    left = [sum(is_open(peer) for peer in peers) for peers in held.values()]
    assert (sum(left), min(left), max(left)) == (PLACES, PLACES // 4, PLACES // 4)


def test_requests_that_never_end_hold_no_place_against_others(port):
    busy = [port.peer(CROWD) for _ in range(PLACES)]
    for peer in busy:
        peer.sendall(REQUEST % b"held")
    eventually(lambda: port.connections.in_flight == PLACES)
    assert ask(port.peer(OTHER)) == (200, b"here")
    assert port.cuts == {("crowd", CROWD): 1}


def test_an_answer_being_made_is_not_lost_to_a_newcomer_of_the_same_peer(port):
    busy = [port.peer(CROWD) for _ in range(PLACES)]
    for peer in busy:
        peer.sendall(REQUEST % b"held")
    eventually(lambda: port.connections.in_flight == PLACES)
    assert not is_open_after_a_while(port.peer(CROWD))
    assert port.connections.in_flight == PLACES
    assert port.cuts == {("crowd", CROWD): 1}


def is_open_after_a_while(peer):
    try:
        return peer.recv(1) != b""
    except ConnectionError:
        return False


def test_a_peer_that_does_not_read_is_the_first_to_go():
    with Port(body=b"x" * (16 << 20)) as port:
        greedy = port.peer(CROWD, receive_bytes=4_096)
        greedy.sendall(REQUEST % b"")
        eventually(lambda: port.connections.in_flight == 0)
        held = [port.peer(CROWD) for _ in range(PLACES - 1)]
        eventually(lambda: len(port.connections) == PLACES)
        port.peer(OTHER)
        eventually(lambda: port.cuts == {("crowd", CROWD): 1})
        assert all(is_open(peer) for peer in held)


def test_an_answer_that_is_not_read_is_cut_after_a_while():
    with Port(body=b"x" * (16 << 20), unread=0.3) as port:
        greedy = port.peer(CROWD, receive_bytes=4_096)
        greedy.sendall(REQUEST % b"")
        eventually(lambda: port.cuts == {("unread", CROWD): 1})
        eventually(lambda: len(port.connections) == 0)


def test_an_answer_that_is_not_read_before_a_farewell_is_cut_too():
    with Port(body=b"x" * (16 << 20), unread=0.3) as port:
        greedy = port.peer(CROWD, receive_bytes=4_096)
        greedy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: port.cuts == {("unread", CROWD): 1})
        eventually(lambda: len(port.connections) == 0)


def test_answers_that_are_not_read_are_bounded_together():
    size = UNREAD_MAX_BYTES // 4
    with Port(body=b"x" * size) as port:
        for number in range(6):
            port.peer(f"127.0.1.{number}", receive_bytes=4_096).sendall(REQUEST % b"")
        eventually(lambda: port.cuts.total() == 2)
        assert {cause for cause, _ in port.cuts} == {"unread"}


def test_requests_whose_answers_nobody_reads_are_not_waited_for():
    with Port(body=b"x" * (16 << 20), answer=0.5) as port:
        greedy = port.peer(CROWD, receive_bytes=4_096)
        greedy.sendall(REQUEST % b"" * 3)
        eventually(lambda: port.cuts == {("answer", CROWD): 1})
        eventually(lambda: port.connections.in_flight == 0)
