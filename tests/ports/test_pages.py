"""A page port in this process, and peers that stall on it."""

import http.client
import socket
import threading
import time
from dataclasses import replace

import pytest

from tests.eventually import eventually
from webhook.ports import pages
from webhook.ports.pages import PagePort
from webhook.settings.parsers import Address


def app(environ, start_response):
    body = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['REMOTE_ADDR']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def port():
    port = PagePort(Address("127.0.0.1", 0), app, limits=replace(pages.LIMITS, head=1))
    port.start()
    yield port
    port.close()


def get(port, path="/livez"):
    connection = http.client.HTTPConnection("127.0.0.1", port.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_a_page_is_answered(port):
    assert get(port, "/a%20b?c") == (200, "GET /a b 127.0.0.1")


def test_stalled_peers_hold_no_thread_and_stop_nobody(port):
    get(port)
    before = threading.active_count()
    stalled = [socket.create_connection(("127.0.0.1", port.port)) for _ in range(200)]
    for peer in stalled:
        peer.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
    assert get(port)[0] == 200
    assert threading.active_count() <= max(before, pages.THREADS + 2)
    for peer in stalled:
        peer.close()


def test_a_peer_that_drips_its_head_is_cut(port):
    peer = socket.create_connection(("127.0.0.1", port.port))
    peer.sendall(b"GET /livez HTTP/1.1\r\n")

    def dripped():
        peer.sendall(b"X-A: b\r\n")
        time.sleep(0.1)
        return False

    with pytest.raises(ConnectionError):
        eventually(dripped)
    peer.close()


def test_a_closed_port_listens_no_more(port):
    port.close()
    with pytest.raises(ConnectionError):
        get(port)


def test_an_address_that_is_taken_is_named(port):
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1 port {port.port}: "):
        PagePort(Address("127.0.0.1", port.port), app)
