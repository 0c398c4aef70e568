"""TLS: the context every connection starts with, and the certificate it is handed during its handshake.

The first context has protocol versions and ciphers but no certificate. Once the client's hello is read, OpenSSL asks
us for a context and takes the current certificate from there. So a new certificate is one reference swapped:
handshakes under way and open connections keep theirs, a key of another type leaves nothing of the old one behind
(loading a chain into a context in use keeps one certificate for each key type), and before the first certificate a
client gets an alert.

Where client certificates are wanted, the handshake asks for one and ends without it: who has none never reaches HTTP.
Whom they may be of is read with the serving certificate, and replaced with it.
"""

import ssl
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from webhook.settings.read import Settings

_VERSIONS = {
    "tls10": ssl.TLSVersion.TLSv1,
    "tls11": ssl.TLSVersion.TLSv1_1,
    "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}
# Names in RFCs (which the setting takes, as Go does) to OpenSSL's; those of TLS 1.3 are always on.
_CIPHERS = {
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256": "AES128-SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": "ECDHE-ECDSA-AES128-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
_ALWAYS_ON = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
_OLD_VERSIONS = frozenset({"tls10", "tls11"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate whose key matches, ready to be served; times are unix times."""

    context: ssl.SSLContext
    not_before: float
    not_after: float
    size_bytes: int  # of both files


class ServingTls:
    """Who we are to clients: `context` starts every connection, `certificate` may be replaced at any time."""

    def __init__(
        self, *, min_version: str, cipher_suites: str, asks_clients: bool = False, client_names: Sequence[str] = ()
    ) -> None:
        """Build the context.

        Args:
            min_version: tls10 to tls13.
            cipher_suites: names of suites for TLS up to 1.2 as in RFCs, with commas; empty for OpenSSL's choice.
            asks_clients: a client must have a certificate.
            client_names: of which it must have one, as common or DNS name, in any case; none: any certificate will do.

        Raises:
            ValueError: a version or suite we do not know.
        """
        self.certificate: Certificate | None = None
        self._min_version = min_version
        self._ciphers = _openssl_names(cipher_suites)
        self._asks_clients = asks_clients
        self._client_names = frozenset(name.lower() for name in client_names)
        self.context = self._new_context()
        self.context.sni_callback = self._hand_over

    def read(self, certificate_file: str, key_file: str, client_ca_file: str = "") -> Certificate:
        """Read a pair, and the CA of clients where they are asked; it is not served before it is assigned to `certificate`.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) they are no pair.
            ValueError: the file holds no certificate, or the key has a password; names the file where it is the CA's.
        """
        context = self._new_context()
        context.load_cert_chain(certificate_file, key_file, password=_no_password)
        if self._asks_clients:
            _trust(context, client_ca_file)
        chain = Path(certificate_file).read_bytes()
        leaf = x509.load_pem_x509_certificate(chain)
        return Certificate(
            context,
            leaf.not_valid_before_utc.timestamp(),
            leaf.not_valid_after_utc.timestamp(),
            len(chain) + Path(key_file).stat().st_size,
        )

    def admits(self, transport: Any) -> bool:
        """Tell whether the client at the other end, whose certificate is good, has a name that may ask."""
        if not self._client_names:
            return True
        return not self._client_names.isdisjoint(_names(transport.get_extra_info("peercert") or {}))

    def _new_context(self) -> ssl.SSLContext:
        """Return a context without certificate.

        Ciphers, ALPN and the CA of clients count in the one handed over, the rest in the first.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED if self._asks_clients else ssl.CERT_NONE
        _set_min_version(context, self._min_version)
        if self._ciphers:
            context.set_ciphers(":".join(self._ciphers))
        elif self._min_version in _OLD_VERSIONS:
            context.set_ciphers("DEFAULT@SECLEVEL=0")  # OpenSSL 3 has no signature left for them at its usual level
        context.set_alpn_protocols(["http/1.1"])
        # API servers never resume a session; tickets would let a client go on under a certificate we replaced.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        return context

    def _hand_over(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        if self.certificate is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self.certificate.context
        return None


def serving_tls(settings: Settings) -> ServingTls:
    """Return what the settings ask for.

    Raises:
        ValueError: a version or suite we do not know.
    """
    return ServingTls(
        min_version=settings.tls_min_version,
        cipher_suites=settings.tls_cipher_suites,
        asks_clients=bool(settings.client_ca_file),
        client_names=settings.client_allowed_names,
    )


def _trust(context: ssl.SSLContext, client_ca_file: str) -> None:
    try:
        context.load_verify_locations(client_ca_file)
    except (OSError, ValueError) as error:
        raise ValueError(f"the CA of clients, {client_ca_file}: {error}") from error
    if not context.cert_store_stats()["x509_ca"]:
        raise ValueError(f"the CA of clients, {client_ca_file}: holds no CA certificate")


def _names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the common and DNS names of a certificate as the ssl module has it, in lower case."""
    common = (value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName")
    others = (value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
    return frozenset(name.lower() for name in (*common, *others))


def _openssl_names(cipher_suites: str) -> Sequence[str]:
    names = [name.strip() for name in cipher_suites.split(",") if name.strip()]
    for name in names:
        if name not in _CIPHERS and name not in _ALWAYS_ON:
            raise ValueError(f"unsupported cipher {name!r}; known are {', '.join(sorted(_CIPHERS))}")
    return [_CIPHERS[name] for name in names if name in _CIPHERS]


def _set_min_version(context: ssl.SSLContext, min_version: str) -> None:
    if min_version not in _VERSIONS:
        raise ValueError(f"unsupported TLS version {min_version!r}; want one of {', '.join(_VERSIONS)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # whoever asks for 1.0 or 1.1 was told by the documentation
        context.minimum_version = _VERSIONS[min_version]


def _no_password() -> str:
    raise ValueError("the key has a password; want a key without")
