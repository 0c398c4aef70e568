"""Where things that outlive a run are kept: one folder per user, outside the repository; entries appear whole.

An entry is a folder or file named after everything it was made from, so it never goes stale; it is only ever added.
To start anew, delete the folder that `cache_home` returns.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEY_LENGTH = 16  # hexadecimal digits: 64 bits, ample for a handful of entries


def cache_home() -> Path:
    """Return the project's cache folder: below `$XDG_CACHE_HOME` when that is an absolute path, else `~/.cache`."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = named if named.is_absolute() else Path.home() / ".cache"
    return base / "vault-webhook"


def content_key(parts: Iterable[bytes]) -> str:
    """Return the name of an entry made from these parts; order and boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:KEY_LENGTH]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, made when absent; wait for whoever holds it. Being killed frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(path: Path, make: Callable[[Path], None]) -> Path:
    """Return `path`, made first when absent; of two runs at once one makes it and the other waits.

    Args:
        path: the entry, below `cache_home`; nothing else may write there.
        make: writes the entry, a file or a folder, at the path it is given, which is aside: when it raises or is
            killed, no entry appears, and the next call begins again.
    """
    if path.exists():
        return path
    with locked(path.with_name(path.name + ".lock")):
        for left_over in path.parent.glob(f"{path.name}.part-*"):
            shutil.rmtree(left_over)
        if not path.exists():
            aside = Path(tempfile.mkdtemp(prefix=f"{path.name}.part-", dir=path.parent))
            make(aside / "made")
            (aside / "made").rename(path)
            aside.rmdir()
    return path
