"""The two families of annotations: the same keys under HashiCorp's prefix and under OpenBao's."""

from msgspec import Struct

SWITCH = "agent-inject"  # the annotation that asks for injection, without prefix
STATUS = "agent-inject-status"  # the one that says it is done
STATUS_INJECTED = "injected"  # its value then


class Family(Struct, frozen=True):
    """One prefix and what follows from it; container, volume and path names are the same in both."""

    prefix: str  # with its slash
    binary: str  # found by PATH in the agent's image
    variables: tuple[str, ...]  # prefixes under which the agent's environment is given


VAULT = Family(prefix="vault.hashicorp.com/", binary="vault", variables=("VAULT_",))
OPENBAO = Family(prefix="openbao.org/", binary="bao", variables=("VAULT_", "BAO_"))
FAMILIES = (VAULT, OPENBAO)
