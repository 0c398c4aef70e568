"""Namespace labels from an API server: pages, partial rights, answers of another shape."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from webhook.controller.errors import DeniedError, MalformedError, SourceError, UnreachableError
from webhook.controller.kube import Kube
from webhook.settings.read import read

SELECTOR = '{"matchLabels": {"team": "shop"}}'


@pytest.fixture
def api(tmp_path):
    """Stands for an API server; `answers` is told path and query."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            status, body = server.answers(url.path, {key: values[0] for key, values in parse_qs(url.query).items()})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kube(tmp_path):
    return Kube(read({"vault-address": "http://v", "control-kubeconfig": str(tmp_path / "kubeconfig")}, {}).control)


def namespace(name, **labels):
    return {"metadata": {"name": name, **({"labels": labels} if labels else {})}}


def test_labels_are_read_page_by_page(api, kube):
    def answers(_path, query):
        if "continue" not in query:
            return 200, {"metadata": {"continue": "more"}, "items": [namespace("a", team="a")]}
        return 200, {"metadata": {}, "items": [namespace("b")]}

    api.answers = answers
    assert kube.labels() == {"a": {"team": "a"}, "b": {}}


def test_one_namespace(api, kube):
    api.answers = lambda path, _: (200, namespace("a", team="a")) if path.endswith("/a") else (404, {})
    assert kube.labels_of("a") == {"team": "a"}
    assert kube.labels_of("b") is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"reason": "Forbidden"}, DeniedError),
        (401, {}, DeniedError),
        (410, {"reason": "Expired"}, SourceError),
        (500, b"<html>", SourceError),
        (200, b"<html>", MalformedError),
        (200, b'{"items": [', MalformedError),
        (200, {"items": 1}, MalformedError),
        (200, [], MalformedError),
    ],
)
def test_no_usable_answer_is_an_error(api, kube, status, body, error):
    api.answers = lambda *_: (status, body)
    with pytest.raises(error):
        kube.labels()


def test_without_a_cluster_there_is_no_answer(kube, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for broken in (kube, Kube(read({"vault-address": "http://v"}, {}).control)):
        with pytest.raises(UnreachableError):
            broken.labels()


def test_labels_are_unknown_where_they_may_not_be_read_and_go_when_they_are_old(bao, mount, controller, api, kube):
    bao.role(mount, "shop", bound_service_account_namespaces=[], bound_service_account_namespace_selector=SELECTOR)
    api.answers = lambda *_: (200, {"metadata": {}, "items": [namespace("shop", team="shop")]})
    polling = controller()
    polling.parts.reader.kube = kube
    polling.poll()
    assert polling.document().namespaces == {"shop": {"team": "shop"}}
    api.answers = lambda *_: (500, {})
    polling.poll()
    assert polling.problems() == {"kubernetes/namespaces": "failed"}
    assert polling.document().namespaces == {"shop": {"team": "shop"}}
    polling.now += 1_000
    polling.poll()
    assert polling.document().namespaces == {}
    api.answers = lambda *_: (200, {"metadata": {}, "items": [namespace("shop", team="shop")]})
    polling.poll()
    assert (polling.document().namespaces, polling.problems()) == ({"shop": {"team": "shop"}}, {})
    api.answers = lambda *_: (403, {})
    polling.poll()
    assert (polling.document().namespaces, polling.problems()) == ({}, {"kubernetes/namespaces": "denied"})


def test_labels_are_not_read_where_no_role_needs_them(controller, api, kube):
    asked = []
    api.answers = lambda path, _: (asked.append(path), (500, {}))[1]
    polling = controller()
    polling.parts.reader.kube = kube
    polling.poll()
    assert (asked, polling.problems()) == ([], {})
