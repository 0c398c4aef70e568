"""What each worker says about itself, once a second, in a small JSON file: the only word between workers and the pages.

`beat` is moved by the event loop and the file is written by another thread, so a fresh file proves a loop that turns,
and a slow disk does not stop it.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

BEAT_S = 1.0
STALE_AFTER_S = 10.0  # a loop that stood still for so long is not alive


class FileState(Struct, frozen=True, kw_only=True):
    """One watched file, or pair of files.

    `loaded_at` is None until a version was good; `problem` is what is wrong with the newest one, empty when it is used.
    """

    source: str = ""
    loaded_at: float | None = None
    problem: str = ""
    size_bytes: int = 0


class BindingsState(FileState, frozen=True, kw_only=True):
    """The bindings document in use; `fetched_at` is the unix time it speaks of, where it tells."""

    fetched_at: float | None = None
    roles: int = 0
    mounts: int = 0


class CertificateState(FileState, frozen=True, kw_only=True):
    """The certificate in use, unix times."""

    not_before: float = 0.0
    not_after: float = 0.0


class WorkerState(Struct, frozen=True, kw_only=True):
    """One worker. `beat` is on the machine's monotonic clock, which all processes share."""

    pid: int
    beat: float
    started_at: float
    draining: bool
    in_flight: int
    connections: int
    bindings: BindingsState
    certificate: CertificateState


_decode = msgspec.json.Decoder(WorkerState).decode
_encode = msgspec.json.Encoder().encode


def write_whole(path: Path, content: bytes) -> None:
    """Put content at path so that a reader sees the old or the new one, never a part."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content)
    aside.replace(path)


def write(folder: Path, state: WorkerState) -> None:
    """Replace the worker's file."""
    write_whole(_path(folder, state.pid), _encode(state))


def forget(folder: Path, pid: int) -> None:
    """Remove the file of a worker that is gone."""
    _path(folder, pid).unlink(missing_ok=True)


def read_all(folder: Path) -> Sequence[WorkerState]:
    """Return what the workers said last, by pid; a file that is no state (or just went) is passed over."""
    states = []
    for path in folder.glob("worker-*.json"):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            states.append(_decode(path.read_bytes()))
    return sorted(states, key=lambda state: state.pid)


def _path(folder: Path, pid: int) -> Path:
    return folder / f"worker-{pid}.json"
