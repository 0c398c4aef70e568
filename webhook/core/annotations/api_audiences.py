"""Which token audiences the API server accepts: those the operator named, and those it goes by where nobody chose."""

import re
from collections.abc import Iterable

# Issuers are audiences too unless --api-audiences says otherwise. The first is what kubeadm and most distributions use, with the
# cluster's domain behind it; k3s and rke2 add their own names.
_DEFAULT = re.compile(r"kubernetes(\.default(\.svc(\..*)?)?)?|k3s|rke2", re.DOTALL)
_AROUND = re.compile(r"(?:https?://)?(?P<name>.*?)(?::[0-9]{0,5})?/*", re.DOTALL)
LONGEST = 1_024  # characters of an audience worth comparing


def is_api_servers(audience: str, known: Iterable[str]) -> bool:
    """Tell whether a token of this audience may be one for the API server; scheme, port, letter case and slashes aside.

    Args:
        audience: of the token.
        known: the API server's audiences and issuer, as the operator gave them; empty ones are passed over.
    """
    name = _name(audience)
    return bool(_DEFAULT.fullmatch(name)) or any(name == _name(other) for other in known if other)


def _name(audience: str) -> str:
    found = _AROUND.fullmatch(audience[:LONGEST].strip().lower())
    return found["name"] if found else audience
