"""Clients that must have a certificate: who may ask, who is refused, and how."""

import json
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from certs import ClientOf, ServerOf, issue, new_authority
from tests.eventually import eventually
from tests.server.process import AUTHORITY, JSON, read_response, review

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
CLIENTS = new_authority("clients", now=NOW, lifetime=HOUR)
OTHERS = new_authority("others", now=NOW, lifetime=HOUR)
API_SERVER = ClientOf("kube-apiserver")
HANDSHAKE = 'vault_webhook_connections_cut_total{cause="handshake"}'


@pytest.fixture
def as_client(tmp_path):
    """Return a TLS context that presents a certificate; None: none."""

    def as_client(authority, to=API_SERVER, now=None):
        context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
        if authority is not None:
            pair = issue(authority, to, now=now or datetime.now(UTC), lifetime=HOUR)
            path = tmp_path / "client.pem"
            path.write_bytes(pair.certificate + pair.key)
            context.load_cert_chain(path)
        return context

    return as_client


@pytest.fixture
def ca_file(tmp_path):
    path = tmp_path / "clients.crt"
    path.write_bytes(CLIENTS.certificate)
    return path


def ask(server, context):
    """Return the answer's status and body; a refused handshake is seen when reading at the latest."""
    body = review()
    with context.wrap_socket(server.plain(), server_hostname="localhost") as connection:
        head = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % len(body) + body)
        status, _, said = read_response(connection)
        return status, json.loads(said)


def refused(server, context):
    before = server.metric(HANDSHAKE)
    with pytest.raises((ssl.SSLError, ConnectionError, BrokenPipeError)):
        ask(server, context)
    eventually(lambda: server.metric(HANDSHAKE) == before + 1)
    return True


def test_without_a_certificate_that_is_good_no_request_is_read(start, ca_file, as_client):
    server = start(client_ca_file=ca_file)
    assert ask(server, as_client(CLIENTS))[0] == 200
    assert refused(server, as_client(None))
    assert refused(server, as_client(OTHERS))
    assert refused(server, as_client(CLIENTS, now=NOW - 2 * HOUR))
    assert refused(server, as_client(CLIENTS, ServerOf(["kube-apiserver"], common_name="kube-apiserver")))
    assert server.is_ready()

    def cuts():
        return [line for line in server.lines() if line["event"] == "connection cut: handshake"]

    eventually(cuts)  # the log is a file of its own, which may lag behind the metric
    lines = cuts()
    assert {line["peer"] for line in lines} == {"127.0.0.1"}
    assert all("certificate" in line["problem"].lower() for line in lines)


def test_a_name_that_is_not_allowed_is_told_so(start, ca_file, as_client):
    server = start(client_ca_file=ca_file, client_allowed_names="front-proxy, Kube-APIserver")
    assert ask(server, as_client(CLIENTS))[0] == 200
    status, said = ask(server, as_client(CLIENTS, ClientOf("kube-controller-manager")))
    assert (status, "CLIENT_ALLOWED_NAMES" in said["remedy"]) == (403, True)
    assert "front-proxy" not in json.dumps(said)


def test_the_ca_is_read_again_and_the_old_one_counts_no_more(start, ca_file, as_client):
    server = start(client_ca_file=ca_file)
    assert ask(server, as_client(CLIENTS))[0] == 200
    ca_file.write_bytes(OTHERS.certificate)
    eventually(lambda: server.metric('vault_webhook_file_loads_total{file="certificate"}') == 2)
    assert refused(server, as_client(CLIENTS))
    assert ask(server, as_client(OTHERS))[0] == 200


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_broken_ca_is_named_and_the_last_good_one_serves(start, ca_file, as_client, content):
    server = start(client_ca_file=ca_file)
    assert ask(server, as_client(CLIENTS))[0] == 200
    ca_file.write_bytes(content)
    degraded = eventually(lambda: server.readiness()["degraded"])
    assert str(ca_file) in degraded[0]
    assert ask(server, as_client(CLIENTS))[0] == 200
    assert refused(server, as_client(None))


def test_until_the_ca_is_there_nobody_may_ask(start, tmp_path, as_client):
    path = tmp_path / "late.crt"
    server = start(client_ca_file=path)
    assert refused(server, as_client(CLIENTS))
    path.write_bytes(CLIENTS.certificate)
    eventually(server.is_ready)
    assert ask(server, as_client(CLIENTS))[0] == 200


def test_without_the_setting_a_certificate_is_not_asked_for(start):
    server = start()
    response, _ = server.post(review(), headers=JSON)
    assert response.status == 200
