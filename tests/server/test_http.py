"""What the API server, or anybody else, may send, and what it is answered."""

import json
import socket

import pytest

from tests.eventually import eventually
from tests.server.process import JSON, is_cut, read_response, review
from webhook.server import state

LIMIT = 7 << 20
TEXT = {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "remedy"),
    [
        ("GET", "/mutate", {}, None, 405, "post an AdmissionReview"),
        ("PUT", "/mutate", JSON, b"{}", 405, "post an AdmissionReview"),
        ("POST", "/", JSON, b"{}", 404, "post an AdmissionReview to /mutate"),
        ("POST", "/mutate/", JSON, b"{}", 404, "post an AdmissionReview to /mutate"),
        ("GET", "/../etc/passwd", {}, None, 404, "post an AdmissionReview to /mutate"),
        ("POST", "/mutate", TEXT, b"{}", 415, "send Content-Type: application/json"),
        ("POST", "/mutate", {}, b"{}", 415, "send Content-Type: application/json"),
        ("POST", "/mutate", {"Content-Type": "application/jsonp"}, b"{}", 415, "send Content-Type: application/json"),
        ("POST", "/mutate", JSON, b"", 400, "send an AdmissionReview"),
        ("POST", "/mutate", JSON, b"x" * (LIMIT + 1), 413, f"send at most {LIMIT} bytes"),
        ("POST", "/mutate", JSON, b"x" * (10 << 20), 413, f"send at most {LIMIT} bytes"),
    ],
)
def test_what_is_no_review_is_answered_with_problem_and_remedy(server, method, path, headers, body, status, remedy):
    response, said = server.post(body, path, headers, method)
    assert (response.status, json.loads(said)["remedy"]) == (status, remedy)
    assert json.loads(said)["error"]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Location"] is None
    assert response.headers["Allow"] == ("POST" if status == 405 else None)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_a_review_is_answered_under_any_spelling_of_its_content_type(server, content_type):
    response, said = server.post(review(), "/mutate?timeout=5s", {"Content-Type": content_type})
    assert (response.status, json.loads(said)["uid"]) == (200, "u-1")
    assert response.headers["Content-Length"] == str(len(said))


def test_a_body_of_exactly_the_limit_arrives_whole(server):
    body = review().ljust(LIMIT)
    _, said = server.post(body)
    assert json.loads(said)["bytes"] == LIMIT


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 200), (8 << 20, 413)])
def test_a_body_without_a_length_is_taken_up_to_the_limit(server, size, status):
    filling = b" " * 65_536
    chunks = [review(), *[filling] * (size // len(filling))]
    connection = server.connect()
    connection.request("POST", "/mutate", body=iter(chunks), headers=JSON, encode_chunked=True)
    assert connection.getresponse().status == status
    connection.close()


def test_a_connection_outlives_a_refused_body(server):
    connection = server.connect()
    connection.request("POST", "/mutate", body=b"x" * (8 << 20), headers=JSON)
    response = connection.getresponse()
    assert (response.status, len(response.read()) > 0) == (413, True)
    connection.request("POST", "/mutate", body=review(), headers=JSON)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe{", b'{"uid": "\xff"}', b"[" * 1_000_000, b'{"a":' * 100_000, b"null", b"\x00"],
    ids=lambda body: body[:9],
)
def test_what_admission_cannot_read_is_its_to_answer(server, body):
    response, said = server.post(body)
    assert (response.status, json.loads(said)) == (400, {"error": "no review"})


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http:///%zz HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /mutate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /mutate HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /mutate HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=lambda sent: sent[:12],
)
def test_what_is_no_http_is_answered_once_and_closed(server, sent):
    connection = server.raw()
    connection.sendall(sent)
    status, headers, body = read_response(connection)
    assert (status, headers["Connection"], headers["Content-Type"]) == (400, "close", "application/json")
    assert json.loads(body)["remedy"]
    assert is_cut(connection)
    assert server.answers()


def test_a_flood_of_what_is_no_http_is_a_few_whole_lines(start):
    server = start()
    for _ in range(30):
        connection = server.raw()
        connection.sendall(b"\x00\r\n\r\n")
        read_response(connection)
    eventually(lambda: server.metric('vault_webhook_connections_cut_total{cause="malformed"}') == 30)
    server.stop()
    lines = [json.loads(line) for line in server.log_path.read_text().splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert 1 <= len([line for line in lines if line.get("logger") == "uvicorn.error"]) < 15


def test_a_wish_to_speak_something_else_is_answered_as_http(server):
    connection = server.raw()
    connection.sendall(b"GET /mutate HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert read_response(connection)[0] == 405
    connection.close()


def test_many_requests_share_a_connection(server):
    connection = server.connect()
    connection.connect()
    local = connection.sock.getsockname()
    for number in range(300):
        connection.request("POST", "/mutate", body=json.dumps({"uid": f"u-{number}"}).encode(), headers=JSON)
        response = connection.getresponse()
        assert (json.loads(response.read())["uid"], response.headers["Connection"]) == (f"u-{number}", None)
        assert connection.sock.getsockname() == local
    connection.close()


def test_one_request_ahead_is_answered_in_turn(server):
    connection = server.raw()
    body = review()
    one = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
    connection.sendall(one * 2)
    response = connection.makefile("rb")
    statuses = []
    for _ in range(2):
        statuses.append(response.readline().split()[1])
        length = 0
        while (line := response.readline().strip().lower()) != b"":
            length = int(line.split()[1]) if line.startswith(b"content-length") else length
        response.read(length)
    assert statuses == [b"200", b"200"]
    response.close()
    connection.close()


def test_a_flood_of_requests_ahead_is_cut(server):
    connection = server.raw()
    connection.sendall(b"GET /mutate HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000)
    received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 ") < 20
    assert server.answers()


@pytest.mark.parametrize("part", [b"X-Long: " + b"a" * 200_000, b"X-A: b\r\n" * 20_000])
def test_an_endless_head_is_cut(server, part):
    connection = server.raw()
    with pytest.raises(OSError, match=r".*"):  # noqa: PT012 - reset while sending, or closed while reading
        connection.sendall(b"POST /mutate HTTP/1.1\r\n" + part)
        while connection.recv(1):
            pass
        raise ConnectionError("closed")
    eventually(lambda: server.metric('vault_webhook_connections_cut_total{cause="oversize"}') >= 1)


def test_an_error_of_ours_is_answered_and_logged_without_the_body(server):
    response, said = server.post(review(note="explode, my canary"))
    assert (response.status, json.loads(said)["error"]) == (500, "the webhook failed on this request")
    line = eventually(lambda: [line for line in server.lines() if line["event"] == "failed on a request"])[0]
    assert (line["error"], "launch.py" in line["trace"]) == ("RuntimeError", True)
    assert "canary" not in server.log_path.read_text()
    assert server.answers()


@pytest.mark.parametrize("host", ["127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])])
def test_an_empty_host_listens_on_both_families(server, host):
    peer = socket.create_connection((host, server.port))
    with server.context.wrap_socket(peer, server_hostname="localhost") as connection:
        assert connection.version() == "TLSv1.3"


def test_a_decision_is_one_line_and_counted_once(start):
    server = start()
    server.post(review(namespace="blue"))
    server.post(review(namespace="blue", note="refuse"))
    server.post(review(namespace="green", note="refuse"))
    server.post(b"", path="/nowhere")
    name = "vault_agent_injector_injections_by_namespace_total"
    eventually(lambda: server.metric(f'{name}{{injection_type="init_and_sidecar",namespace="blue"}}') == 1)
    assert server.metric('vault_agent_injector_failed_injections_by_namespace_total{namespace="blue"}') == 1
    assert server.metric('vault_agent_injector_failed_injections_by_namespace_total{namespace="green"}') == 1
    assert server.metric('vault_webhook_decisions_total{decision="refused",reason="RoleNotFound"}') == 2
    assert server.metric('vault_webhook_findings_total{reason="WildcardBinding"}') == 2
    assert server.metric('vault_webhook_http_errors_total{status="404"}') == 1
    assert server.metric("vault_agent_injector_request_processing_duration_ms_count") == 4
    assert server.metric('vault_agent_injector_request_processing_duration_ms_bucket{le="10000.0"}') == 4
    decided = eventually(lambda: [line for line in server.lines() if line["event"] in ("injected", "refused")])
    assert [(line["event"], line["namespace"], line["reason"]) for line in decided] == [
        ("injected", "blue", "Injected"),
        ("refused", "blue", "RoleNotFound"),
        ("refused", "green", "RoleNotFound"),
    ]
    assert {"time", "level", "uid", "role", "mount", "findings", "dry_run", "took_us"} <= decided[0].keys()


def test_a_request_has_no_line_but_ours(start):
    server = start()
    server.post(review())
    server.post(b"", path="/nowhere")
    server.stop()
    assert [line["event"] for line in server.lines() if "logger" in line] == []


def test_connections_that_come_at_once_are_shared_by_the_workers(start):
    server = start(workers=2)
    peers = [server.plain() for _ in range(64)]

    def shares():
        held = [worker.connections for worker in state.read_all(server.run / "workers")]
        return held if sum(held) == len(peers) else []

    assert min(eventually(shares)) > 0
