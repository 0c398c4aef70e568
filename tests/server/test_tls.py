"""Handshakes in memory: versions, ciphers, and a certificate swapped for one of another kind."""

import contextlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.server.process import write_pair
from webhook.server.tls import ServingTls

OLD = ssl.TLSVersion.TLSv1_2


def shake(identity, *, host="localhost", ciphers="ALL", **limits):
    """Return the client's end of a handshake; what the server refuses is raised."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    client_context.set_ciphers(ciphers)
    for name, value in limits.items():
        setattr(client_context, name, value)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = identity.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return client


@pytest.fixture
def identity():
    return ServingTls(min_version="tls12", cipher_suites="")


@pytest.fixture
def pair(tmp_path):
    write_pair(tmp_path / "tls")
    return str(tmp_path / "tls/tls.crt"), str(tmp_path / "tls/tls.key")


def rsa_pair(folder):
    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rsa")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem, nothing = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "rsa.crt").write_bytes(signed.public_bytes(pem))
    (folder / "rsa.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, nothing))
    return str(folder / "rsa.crt"), str(folder / "rsa.key")


@pytest.mark.parametrize("host", ["localhost", None, "vault-webhook.vault.svc"])
def test_any_name_or_none_is_served(identity, pair, host):
    identity.certificate = identity.read(*pair)
    client = shake(identity, host=host)
    assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


def test_before_its_certificate_a_client_gets_an_alert(identity):
    with pytest.raises(ssl.SSLError):
        shake(identity)


def test_a_key_of_another_type_leaves_nothing_of_the_old_one(identity, pair, tmp_path):
    identity.certificate = identity.read(*rsa_pair(tmp_path))
    client = shake(identity, maximum_version=OLD)
    assert client.cipher()[0].startswith("ECDHE-RSA")
    identity.certificate = identity.read(*pair)
    client = shake(identity, maximum_version=OLD)
    assert client.cipher()[0].startswith("ECDHE-ECDSA")
    assert client.getpeercert(binary_form=True) != b""
    with pytest.raises(ssl.SSLError):
        shake(identity, ciphers="ECDHE-RSA-AES128-GCM-SHA256", maximum_version=OLD)


def test_an_older_version_than_the_lowest_is_refused(pair):
    identity = ServingTls(min_version="tls13", cipher_suites="")
    identity.certificate = identity.read(*pair)
    with pytest.raises(ssl.SSLError, match="PROTOCOL"):
        shake(identity, maximum_version=OLD)


def test_suites_are_given_by_their_names_in_rfcs(pair):
    suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256"
    identity = ServingTls(min_version="tls12", cipher_suites=suites)
    identity.certificate = identity.read(*pair)
    assert shake(identity, maximum_version=OLD).cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    with pytest.raises(ssl.SSLError):
        shake(identity, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384", maximum_version=OLD)


@pytest.mark.parametrize(
    ("min_version", "suites", "named"),
    [("tls12", "TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_RC4_128_SHA"), ("ssl3", "", "ssl3")],
)
def test_what_we_do_not_know_is_named(min_version, suites, named):
    with pytest.raises(ValueError, match=named):
        ServingTls(min_version=min_version, cipher_suites=suites)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(identity, tmp_path):
    pair = write_pair(tmp_path / "tls")
    key = serialization.load_pem_private_key(pair.key, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    with pytest.raises(ValueError, match="password"):
        identity.read(str(tmp_path / "tls/tls.crt"), str(tmp_path / "locked.key"))
