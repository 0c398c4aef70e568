"""The families of annotations: the same keys under HashiCorp's prefix and under OpenBao's, which has had others before."""

from msgspec import Struct

SWITCH = "agent-inject"  # the annotation that asks for injection, without prefix
STATUS = "agent-inject-status"  # the one that says it is done
STATUS_INJECTED = "injected"  # its value then


class Family(Struct, frozen=True):
    """One prefix and what follows from it; container, volume and path names are the same in all."""

    prefix: str  # with its slash, as the author writes it
    binary: str  # found by PATH in the agent's image
    variables: tuple[str, ...]  # prefixes under which the agent's environment is given
    read_as: str = ""  # the prefix to use instead of this one, "" when it is the one to use

    @property
    def own_prefix(self) -> str:
        """Return the prefix that the webhook writes itself."""
        return self.read_as or self.prefix

    @property
    def is_openbao(self) -> bool:
        """Tell whether the agent is OpenBao's."""
        return self.own_prefix == OPENBAO.prefix


VAULT = Family(prefix="vault.hashicorp.com/", binary="vault", variables=("VAULT_",))
OPENBAO = Family(prefix="openbao.org/", binary="bao", variables=("VAULT_", "BAO_"))
# OpenBao's documentation and the first versions of its injector had these.
FORMER = tuple(
    Family(prefix=prefix, binary=OPENBAO.binary, variables=OPENBAO.variables, read_as=OPENBAO.prefix)
    for prefix in ("openbao.openbao.org/", "bao.openbao.org/")
)
FAMILIES = (VAULT, OPENBAO, *FORMER)


def without_prefix(key: str) -> str:
    """Return a key without its family's prefix; one that has none stays as it is."""
    prefix = next((family.prefix for family in FAMILIES if key.startswith(family.prefix)), "")
    return key[len(prefix) :]
