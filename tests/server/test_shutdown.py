"""Leaving and dying: no request lost, nothing half alive."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.server.process import (
    LAUNCH,
    children,
    eventually,
    is_cut,
    is_running,
    read_response,
    review,
)

pytestmark = pytest.mark.slow

HEAD = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_and_the_exit_code_is_0(start, number):
    server = start()
    idle, busy = server.raw(), server.raw()
    body = review()
    busy.sendall(HEAD % len(body) + body[:10])
    eventually(lambda: server.metric("vault_agent_injector_request_queue_length") == 1)
    server.process.send_signal(number)
    assert is_cut(idle)  # so it has begun to leave
    busy.sendall(body[10:])
    status, headers, said = read_response(busy)
    assert (status, headers["Connection"], b'"u-1"' in said) == (200, "close", True)
    assert server.process.wait(timeout=10) == 0


def test_while_draining_it_answers_and_asks_to_go_elsewhere(start):
    server = start(drain_s=2)
    old = server.raw()
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: server.readiness()["reasons"] == ["stopping"])
    assert server.is_alive()
    new = server.raw()
    for connection in (old, new):
        body = review()
        connection.sendall(HEAD % len(body) + body)
        status, headers, _ = read_response(connection)
        assert (status, headers["Connection"]) == (200, "close")
        assert is_cut(connection)
    assert server.process.wait(timeout=10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_told_twice_it_leaves_at_once(start):
    server = start(drain_s=60)
    server.process.send_signal(signal.SIGINT)
    eventually(lambda: server.readiness()["reasons"] == ["stopping"])
    assert server.stop(signal.SIGINT) == 0


def test_a_killed_worker_is_replaced_and_its_counts_stay(start):
    server = start(workers=2)
    assert server.answers()
    counted = 'vault_webhook_decisions_total{decision="injected",reason="Injected"}'
    eventually(lambda: server.metric(counted) == 1)
    before = set(server.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(after := set(server.workers())) == 2 and not after & before)
    eventually(server.is_ready)
    assert server.answers()
    eventually(lambda: server.metric(counted) == 2)


def test_an_admin_side_that_dies_is_started_again(start):
    server = start()
    admin, admission = children(server.process.pid)
    os.kill(admin, signal.SIGKILL)
    eventually(server.is_alive)
    assert admission in children(server.process.pid)
    assert server.answers()


def test_an_admission_side_that_dies_ends_everything(start):
    server = start()
    sides = children(server.process.pid)
    below = [pid for side in sides for pid in children(side)]
    os.kill(sides[1], signal.SIGKILL)
    assert server.process.wait(timeout=15) == 1
    eventually(lambda: not any(map(is_running, [*sides, *below])))


def test_nothing_is_left_of_a_killed_supervisor(start):
    server = start()
    sides = children(server.process.pid)
    below = [pid for side in sides for pid in children(side)]
    server.process.kill()
    server.process.wait()
    eventually(lambda: not any(map(is_running, [*sides, *below])))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "192.0.2.1:0"}, "vault-webhook: cannot listen on 192.0.2.1 port 0: "),
        ({"tls_cipher_suites": "ROT13"}, "vault-webhook: unsupported cipher 'ROT13'"),
        ({"runtime_dir": "/dev/null/x"}, "vault-webhook: [Errno 20] Not a directory"),
    ],
)
def test_a_start_that_cannot_succeed_is_one_line_and_exit_code_1(settings, said):

    given = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "log_format": "json", **settings}
    ended = subprocess.run(
        [sys.executable, LAUNCH, json.dumps(given)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(said)
    assert ended.stderr.count("\n") == 1


def test_a_taken_port_is_named(start):
    server = start()
    given = f'{{"listen": "127.0.0.1:{server.port}", "admin_listen": "127.0.0.1:0"}}'
    ended = subprocess.run([sys.executable, LAUNCH, given], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"cannot listen on 127.0.0.1 port {server.port}" in ended.stderr
