"""Debian packages the node needs: found, installed when we are root, or named in an error."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

CNI_PLUGINS = Path("/usr/lib/cni")  # where Debian's containernetworking-plugins puts them
NEEDED: Mapping[str, tuple[str, ...]] = {  # package to what we use of it: programs, or files by full path
    "busybox-static": ("busybox",),
    "containerd": ("containerd", "ctr"),
    "containernetworking-plugins": (f"{CNI_PLUGINS}/bridge", f"{CNI_PLUGINS}/host-local", f"{CNI_PLUGINS}/loopback"),
    "iproute2": ("ip",),
    "nftables": ("nft",),
    "runc": ("runc",),
    "util-linux": ("nsenter",),
}


class PackagesMissingError(Exception):
    """Programs of the distribution are missing and we may not install them."""

    def __init__(self, packages: list[str]) -> None:
        super().__init__(
            f"the cluster needs these Debian packages: {' '.join(packages)}. Install them as root: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )
        self.packages = packages


def ensure_packages(say: Callable[[str], None]) -> None:
    """See to it that all of NEEDED is there; as root, install what is missing and `say` so.

    Raises:
        PackagesMissingError: something is missing, and we are not root or the machine has no apt-get.
        subprocess.CalledProcessError: apt-get failed; its output has been shown.
    """
    missing = missing_packages()
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PackagesMissingError(missing)
    say(f"installing Debian packages: {' '.join(missing)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", "--quiet", "--quiet", *argv], env=quiet, check=True)


def missing_packages(needed: Mapping[str, tuple[str, ...]] = NEEDED) -> list[str]:
    """Return the packages of which a program is not on PATH or a file does not exist, sorted."""
    return sorted(package for package, parts in needed.items() if not all(shutil.which(part) for part in parts))
