"""A real OpenBao in development mode on a loopback port, and a proxy before it that does what networks do."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cluster.vault_program import vault_program
from tests.eventually import eventually

ROOT = "root"
PATIENCE_S = 30


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Bao:
    """Paths are those of the API without /v1/."""

    def __init__(self, log):
        self.port = free_port()
        argv = [vault_program().path, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}"]
        self.process = subprocess.Popen(
            [*argv, f"-dev-listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=subprocess.STDOUT
        )
        eventually(lambda: self.answers("secret/config"))

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path):
        assert self.process.poll() is None
        with contextlib.suppress(OSError):
            return self.ask("GET", path)[0] == 200
        return False

    def ask(self, method, path, body=None, *, token=ROOT, namespace=""):
        headers = {"X-Vault-Token": token, "X-Vault-Namespace": namespace}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            content = response.read()
        return response.status, json.loads(content) if content else None

    def write(self, path, body=None, *, namespace=""):
        status, answer = self.ask("POST", path, body or {}, namespace=namespace)
        assert status < 300, answer
        return answer

    def delete(self, path, *, namespace=""):
        assert self.ask("DELETE", path, namespace=namespace)[0] < 300

    def role(self, mount, name, *, namespace="", **fields):
        given = {"bound_service_account_names": [name], "bound_service_account_namespaces": ["shop"], **fields}
        self.write(f"auth/{mount}/role/{name}", given, namespace=namespace)

    def token(self, rules, **more):
        """Return a token with a policy of these rules: path to capabilities."""
        name = f"p{time.monotonic_ns()}"
        text = "\n".join(
            f'path "{path}" {{ capabilities = {json.dumps(capabilities)} }}' for path, capabilities in rules.items()
        )
        self.write(f"sys/policies/acl/{name}", {"policy": text})
        return self.write("auth/token/create", {"policies": [name], **more})["auth"]["client_token"]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Proxy:
    """Forwards to an OpenBao.

    Attributes:
        fault: told method and path, returns None to forward, or a function of the handler that answers in its own way.
        requests: method and path of each request, in order.
    """

    def __init__(self, bao):
        self.fault = lambda _method, _path: None
        self.requests = []
        self.released = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def forward(self):
                proxy.requests.append((self.command, self.path))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault(self.command, self.path)
                with contextlib.suppress(OSError):
                    if fault is not None:
                        fault(self)
                        return
                    connection = http.client.HTTPConnection("127.0.0.1", bao.port, timeout=PATIENCE_S)
                    with contextlib.closing(connection):
                        connection.request(self.command, self.path, body, dict(self.headers))
                        response = connection.getresponse()
                        self.say(response.status, response.read(), {"Content-Type": "application/json"})

            do_GET = do_LIST = do_POST = do_PUT = forward  # noqa: N815 the library's names

            def say(self, status, body, headers=None):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # faults, each a function of the handler

    def stalls(self, handler):
        self.released.wait(30)
        self.cuts(handler)

    @staticmethod
    def cuts(handler):
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def says(status, body, **headers):
        return lambda handler: handler.say(status, body, {k.replace("_", "-"): v for k, v in headers.items()})

    @staticmethod
    def says_half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"data": {"keys": ["sh')
        Proxy.cuts(handler)
