"""A real server process for tests: started, spoken to, stopped."""

import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs import ServerOf, issue, new_authority
from tests.eventually import eventually

LAUNCH = Path(__file__).with_name("launch.py")
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 15
AUTHORITY = new_authority("tests", now=datetime.now(UTC), lifetime=timedelta(days=1))


def review(**more):
    return json.dumps({"kind": "AdmissionReview", "request": {"uid": "u-1", **more}}).encode()


def write_pair(folder, *, common_name="vault-webhook", lifetime=timedelta(hours=1), now=None):
    """Put a new certificate and its key at folder/tls.crt and folder/tls.key, as a Secret's mount does: by symlink."""
    pair = issue(
        AUTHORITY,
        ServerOf(["localhost", "127.0.0.1", "::1"], common_name=common_name),
        now=now or datetime.now(UTC),
        lifetime=lifetime,
    )
    swap(folder, {"tls.crt": pair.certificate, "tls.key": pair.key})
    return pair


def swap(folder, files):
    """Replace the files of a folder at once: names link to ..data/NAME, and ..data to a new folder each time."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for name, content in files.items():
        (version / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    aside = folder / "..data_tmp"
    aside.symlink_to(version.name)
    aside.replace(folder / "..data")


class Server:
    def __init__(self, folder, **settings):
        self.folder = folder
        self._opened = contextlib.ExitStack()
        self.run = folder / "run"
        self.tls = folder / "tls"
        self.log_path = folder / "log"
        if settings.pop("with_certificate", True):
            write_pair(self.tls)
        descriptors = settings.pop("descriptors", None)
        given = {
            "listen": "127.0.0.1:0",
            "admin_listen": "127.0.0.1:0",
            "tls_cert_file": str(self.tls / "tls.crt"),
            "tls_key_file": str(self.tls / "tls.key"),
            "runtime_dir": str(self.run),
            "workers": 1,
            "log_format": "json",
            "drain_s": 0,
            **settings,
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, LAUNCH, json.dumps(given, default=str)], stdout=log, stderr=subprocess.STDOUT
            )
        if descriptors:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        addresses = json.loads(eventually(self._addresses))
        self.port = addresses["admission"]["port"]
        self.admin_port = addresses["admin"]["port"]
        self.context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
        eventually(self.is_alive)

    def _addresses(self):
        assert self.process.poll() is None, self.log_path.read_text()
        path = self.run / "addresses.json"
        return path.read_bytes() if path.exists() else b""

    def is_alive(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.page("/livez")[0] == 200
        return False

    def is_ready(self):
        return self.page("/readyz")[0] == 200

    # admin side

    def page(self, path, host="localhost"):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def readiness(self):
        return json.loads(self.page("/readyz")[1])

    def metric(self, series):
        """Return the value of a series as it is written in the exposition, 0 when it is not there."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.page("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else 0.0

    def workers(self):
        return [int(path.stem.removeprefix("worker-")) for path in (self.run / "workers").glob("worker-*.json")]

    def lines(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]

    # admission side

    def connect(self):
        return self._opened.enter_context(
            contextlib.closing(
                http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=PATIENCE_S)
            )
        )

    def raw(self):
        """Return a socket after the handshake."""
        return self._opened.enter_context(self.context.wrap_socket(self.plain(), server_hostname="localhost"))

    def plain(self):
        """Return a socket before it."""
        peer = self._opened.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as the API server does
        return peer

    def post(self, body, path="/mutate", headers=JSON, method="POST"):
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def answers(self):
        response, body = self.post(review())
        return response.status == 200 and json.loads(body)["uid"] == "u-1"

    # its end

    def stop(self, number=signal.SIGTERM):
        """Return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def close(self):
        """End it without ceremony: what a stop does is the matter of test_shutdown.py."""
        self._opened.close()
        sides = children(self.process.pid)
        for pid in [self.process.pid, *sides, *(worker for side in sides for worker in children(side))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def children(pid):
    """Return the processes whose parent is pid."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(folder.name))
    return sorted(found)


def is_running(pid):
    try:
        os.kill(pid, 0)
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def read_response(connection):
    """Return status, headers and body of what a raw socket sends next."""
    with contextlib.closing(http.client.HTTPResponse(connection)) as response:
        response.begin()
        return response.status, response.headers, response.read()


def is_cut(connection):
    """Tell whether the peer ended the connection, waiting for it."""
    try:
        return connection.recv(1) == b""
    except (ConnectionError, ssl.SSLError):
        return True
