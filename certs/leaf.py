"""Certificates an authority signs: for a server reached under names, or for a client known by its subject."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import CLOCK_SKEW, KeyPair, to_pem


@dataclass(frozen=True, slots=True)
class ServerOf:
    """A server: the DNS names and IP literals it answers to, at least one."""

    names: Sequence[str]
    common_name: str = "vault-webhook"
    organization: str = ""


@dataclass(frozen=True, slots=True)
class ClientOf:
    """A client: Kubernetes reads the common name as the user and the organization as its group."""

    common_name: str
    organization: str = ""


def issue(authority: KeyPair, to: ServerOf | ClientOf, *, now: datetime, lifetime: timedelta) -> KeyPair:
    """Return a new P-256 leaf signed by the authority, valid from a minute before `now` until `now + lifetime`.

    The certificate is the leaf alone; whoever serves it to clients that hold the authority needs no chain.

    Raises:
        ValueError: the authority is no PEM pair, or a server has no name.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"the authority's key is {type(issuer_key).__name__}; want an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    usage = ExtendedKeyUsageOID.SERVER_AUTH if isinstance(to, ServerOf) else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(to))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if isinstance(to, ServerOf):
        builder = builder.add_extension(_alternative_names(to.names), critical=False)
    return to_pem(builder.sign(issuer_key, hashes.SHA256()), key)


def _subject(to: ServerOf | ClientOf) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, to.common_name)]
    if to.organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, to.organization))
    return x509.Name(parts)


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    if not names:
        raise ValueError("a server certificate needs at least one DNS name or IP address")
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
