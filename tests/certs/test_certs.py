import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from certs import ClientOf, KeyPair, ServerOf, issue, new_authority

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return new_authority("test-ca", now=NOW, lifetime=10 * DAY)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Run a TLS handshake in memory; raises ssl.SSLError when either side refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def contexts(tmp_path: Path, authority: KeyPair, leaf: KeyPair) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    (tmp_path / "crt").write_bytes(leaf.certificate)
    (tmp_path / "key").write_bytes(leaf.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    return server, ssl.create_default_context(cadata=authority.certificate.decode())


def live(lifetime: timedelta = DAY) -> tuple[KeyPair, KeyPair]:
    now = datetime.now(UTC)
    authority = new_authority("test-ca", now=now, lifetime=10 * DAY)
    return authority, issue(authority, ServerOf(["localhost", "127.0.0.1", "::1"]), now=now, lifetime=lifetime)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_holds_the_authority_accepts_the_server_under_each_name(tmp_path: Path, name: str) -> None:
    authority, leaf = live()
    handshake(*contexts(tmp_path, authority, leaf), name)


@pytest.mark.parametrize("name", ["example.com", "127.0.0.2"])
def test_another_name_is_refused(tmp_path: Path, name: str) -> None:
    authority, leaf = live()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(*contexts(tmp_path, authority, leaf), name)


def test_another_authority_is_refused(tmp_path: Path) -> None:
    _, leaf = live()
    stranger, _ = live()
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(*contexts(tmp_path, stranger, leaf), "localhost")


def test_an_expired_leaf_is_refused(tmp_path: Path) -> None:
    authority, leaf = live(lifetime=timedelta(seconds=-1))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(*contexts(tmp_path, authority, leaf), "localhost")


def test_a_client_certificate_names_user_and_group(authority: KeyPair) -> None:
    to = ClientOf("system:node:n1", "system:nodes")
    leaf = x509.load_pem_x509_certificate(issue(authority, to, now=NOW, lifetime=DAY).certificate)
    assert leaf.subject.rfc4514_string() == "CN=system:node:n1,O=system:nodes"


def test_validity_starts_a_minute_early_and_lasts_as_asked(authority: KeyPair) -> None:
    leaf = x509.load_pem_x509_certificate(issue(authority, ClientOf("a"), now=NOW, lifetime=DAY).certificate)
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (NOW - timedelta(minutes=1), NOW + DAY)


def test_a_server_without_a_name_is_an_error(authority: KeyPair) -> None:
    with pytest.raises(ValueError, match="at least one"):
        issue(authority, ServerOf([]), now=NOW, lifetime=DAY)


def test_the_key_does_not_show(authority: KeyPair) -> None:
    assert b"PRIVATE" in authority.key
    assert "PRIVATE" not in repr(authority)
