"""A certificate authority: one self-signed P-256 certificate and its key."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLOCK_SKEW = timedelta(minutes=1)  # a peer whose clock is this far behind still accepts a new certificate


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its private key, both PEM; the key does not show in a repr."""

    certificate: bytes
    key: bytes = field(repr=False)


def new_authority(common_name: str, *, now: datetime, lifetime: timedelta) -> KeyPair:
    """Return a new self-signed CA, valid from a minute before `now` (aware, UTC) until `now + lifetime`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return to_pem(certificate, key)


def to_pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    """Return both as PEM, the key unencrypted PKCS #8."""
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
