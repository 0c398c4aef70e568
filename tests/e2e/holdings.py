"""What OpenBao holds for these tests: one document, given to the server and, as bindings, to the webhook."""

from collections.abc import Mapping
from typing import Any

from tests.cluster import examples
from tests.cluster.openbao import OpenBao
from tests.e2e import roles
from tests.e2e.space import FOREVER

SPACES = "e2e-*"  # the namespaces of these tests
PASSWORD = "wise-raven"
SECRET = "secret/data/e2e/db"
# Annotations of a pod whose file /vault/secrets/db holds PASSWORD and nothing else.
ASKING = {
    "role": "e2e",
    "agent-inject-secret-db": SECRET,
    "agent-inject-template-db": f'{{{{ with secret "{SECRET}" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}',
}
# What such a pod does and prints. A container's line shows in its log once it has ended.
PRINT = f'echo "$(cat /vault/secrets/db)"; {FOREVER}'
PRINTED = f"{PASSWORD}\n"
READS_SECRET = {
    "name": "e2e-read",
    "hcl": 'path "secret/data/e2e/*" { capabilities = ["read"] }',
}
ROLE = {
    "bound_service_account_names": ["default", "shop"],
    "bound_service_account_namespaces": [SPACES],
    "audience": "vault",
    "token_policies": ["e2e-read"],
}
JWT_ROLE = {
    "role_type": "jwt",
    "user_claim": "sub",
    "bound_audiences": ["vault"],
    "bound_claims_type": "glob",
    "bound_claims": {"sub": f"system:serviceaccount:{SPACES}:default"},
    "token_policies": ["e2e-read"],
}
# Roles the webhook knows and OpenBao gets from a test, in its time: logins fail until then.
LATE = ("late-classic", "late-native")
# Mounts whose roles no webhook checks.
OTHER_MOUNTS = ("approle", "cert")


def document() -> dict[str, Any]:
    """Return the bindings: those of the examples, and ours."""
    bindings: dict[str, Any] = examples.read(examples.BINDINGS)
    (kubernetes,) = bindings["auth"]
    kubernetes["roles"] |= {"e2e": ROLE, **_named(roles.KUBERNETES)}
    bindings["auth"] += [{"path": "auth/jwt", "type": "jwt", "roles": {"e2e": JWT_ROLE, **_named(roles.JWT)}}]
    bindings["auth"] += [{"path": f"auth/{name}", "type": name} for name in OTHER_MOUNTS]
    bindings["policies"] += [READS_SECRET]
    bindings["namespaces"] = {name: {"labels": dict(labels)} for name, labels in roles.LABELS.items()}
    return bindings


def _named(made: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {f"agree-{name}": role for name, role in made.items()}


def known() -> dict[str, Any]:
    """Return the bindings as the webhook has them: `document`, and the roles that OpenBao lacks at first."""
    bindings = document()
    bindings["auth"][0]["roles"] |= dict.fromkeys(LATE, ROLE)
    return bindings


def fill(openbao: OpenBao) -> None:
    """Give the server all of it; the kubernetes auth method is there already."""
    openbao.set_up_jwt_auth()
    for name in OTHER_MOUNTS:
        openbao.write(f"sys/auth/{name}", {"type": name})
    examples.furnish(openbao)
    examples.grant(openbao, document())
    openbao.write(SECRET, {"data": {"user": "e2e", "password": PASSWORD}})
