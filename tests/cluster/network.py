"""A network namespace per run: its ports and addresses meet nobody else's, so every run uses the same ones.

Processes enter with `Namespace.enter` (the network only: mounts stay shared, as the kubelet needs); Python code enters
with `Namespace.call`.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

NODE_ADDRESS = "10.250.0.1"
NODE_PREFIX = 24
GATEWAY = "10.250.0.254"  # nobody is there; kubelet and API server refuse to start without a default route
BRIDGE = "node0"
CLONE_NEWNET = 0x40000000  # linux/sched.h

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Namespace:
    """A named network namespace; the name is unique on the machine."""

    name: str

    @property
    def path(self) -> Path:
        """The file that stands for it and keeps it alive."""
        return Path("/run/netns") / self.name

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs inside; the process id stays the command's own."""
        return ("nsenter", f"--net={self.path}")

    def create(self) -> None:
        """Make it, with a node address on a bridge, a default route and forwarding.

        Raises:
            subprocess.CalledProcessError: `ip` failed, most likely for want of rights; its message has been shown.
        """
        _run("ip", "netns", "add", self.name)
        inside = ("ip", "-n", self.name)
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "link", "add", BRIDGE, "type", "bridge")
        _run(*inside, "address", "add", f"{NODE_ADDRESS}/{NODE_PREFIX}", "dev", BRIDGE)
        _run(*inside, "link", "set", BRIDGE, "up")
        _run(*inside, "route", "add", "default", "via", GATEWAY)
        _run(*self.enter, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def delete(self) -> None:
        """Delete it when it is there; what still runs inside keeps it alive unnamed."""
        if self.path.exists():
            _run("ip", "netns", "delete", self.name)

    def call(self, function: Callable[[], T]) -> T:
        """Return the function's result, run in a thread of its own inside; sockets it opens stay inside for ever.

        Raises:
            OSError: the namespace is gone or may not be entered; and whatever the function raises.
        """

        def inside() -> T:
            _join(self.path)
            return function()

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name) as thread:
            return thread.submit(inside).result()


def _join(namespace: Path) -> None:
    """Move the calling thread into the namespace; os.setns would do it from Python 3.12 on."""
    with namespace.open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)
