"""TLS to Vault: the configured authority is trusted and no other, and a token never leaves TLS."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from certs import ServerOf, issue, new_authority
from webhook.controller.bucket import Bucket
from webhook.controller.errors import UnreachableError
from webhook.controller.session import Session
from webhook.settings.read import read

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
OURS, OTHER = (new_authority(name, now=NOW, lifetime=timedelta(days=1)) for name in ("ours", "other"))


@pytest.fixture
def vault(tmp_path):
    """A server that says where to go, or that there are no policies."""
    pair = issue(OURS, ServerOf(["127.0.0.1"], common_name="vault"), now=NOW, lifetime=timedelta(hours=1))
    (tmp_path / "crt").write_bytes(pair.certificate)
    (tmp_path / "key").write_bytes(pair.key)

    class Handler(BaseHTTPRequestHandler):
        def do_LIST(self):
            server.tokens.append(self.headers["X-Vault-Token"])
            self.send_response(307 if server.location else 404)
            self.send_header("Location", server.location)
            body = b"" if server.location else b'{"errors": []}'
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.location, server.tokens = "", []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def session(vault, tmp_path):
    made = []

    def make(**flags):
        (tmp_path / "token").write_text("t")
        given = {
            "vault-address": f"https://127.0.0.1:{vault.server_address[1]}",
            "control-vault-auth": "token_file",
            "control-token-file": str(tmp_path / "token"),
            **{name.replace("_", "-"): str(value) for name, value in flags.items()},
        }
        session = Session(read(given, {}).control, Bucket(1_000, now=lambda: 0, sleep=lambda _: None))
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


def policies(session):
    return session.ask(lambda vault: vault.policy_names(""))


def test_the_authority_is_a_file_or_the_agents(session, tmp_path, vault):
    (tmp_path / "ca.pem").write_bytes(OURS.certificate)
    assert policies(session(vault_cacert_bytes=OURS.certificate.decode())) == []
    assert policies(session(control_vault_ca_file=tmp_path / "ca.pem")) == []
    assert (
        policies(session(control_vault_ca_file=tmp_path / "ca.pem", vault_cacert_bytes=OTHER.certificate.decode()))
        == []
    )
    assert vault.tokens == ["t", "t", "t"]


@pytest.mark.parametrize(
    "flags", [{}, {"vault_cacert_bytes": OTHER.certificate.decode()}, {"control_vault_ca_file": "/no"}]
)
def test_no_other_authority_is_trusted(session, vault, flags):
    with pytest.raises(UnreachableError):
        policies(session(**flags))
    assert vault.tokens == []


def test_a_redirect_is_followed_within_tls_only(session, vault):
    own = session(vault_cacert_bytes=OURS.certificate.decode())
    vault.location = "http://127.0.0.1:1/v1/sys/policies/acl"
    with pytest.raises(UnreachableError, match="redirect from https to http"):
        policies(own)
    vault.location = f"https://127.0.0.1:{vault.server_address[1]}/v1/sys/policies/acl"
    with pytest.raises(UnreachableError, match="redirects"):
        policies(own)
    assert len(vault.tokens) == 4
