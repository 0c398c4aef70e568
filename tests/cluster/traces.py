"""What a run leaves on the machine beside its processes and its namespace: mounts, cgroups, files; and their removal.

Most of it is below the run's folder. The rest lies where other programs insist on putting it, and is known by the
run's name, a pod's random id or a link into the folder, so that nothing of anybody else is touched.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
POD_NETWORK_RESULTS = Path("/var/lib/cni/results")  # libcni's records of addresses: NETWORK-SANDBOX-INTERFACE
SANDBOXES = "containerd/root/io.containerd.grpc.v1.cri/sandboxes/*"  # in the run's folder; named by random id
CONTAINER_LOG_LINKS = Path("/var/log/containers")  # the kubelet's links into podLogsDir
SHIM_ADDRESSES = "containerd/state/io.containerd.runtime.v2.task/*/*/address"  # each holds unix:///PATH-OF-SOCKET


def remove_traces(folder: Path, cgroup: str) -> None:
    """Remove all traces of the run with this folder and cgroup; its processes have ended.

    Raises:
        OSError: something is still mounted below the folder; it may be anybody's data, so the folder is left alone.
    """
    for address in folder.glob(SHIM_ADDRESSES):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    mounts = mounts_below(folder)
    if mounts:
        subprocess.run(["umount", "--lazy", *reversed(mounts)], check=False)
    if still := mounts_below(folder):
        raise OSError(f"cannot remove {folder}: still mounted: {', '.join(map(str, still))}")
    remove_cgroup(cgroup)
    for sandbox in folder.glob(SANDBOXES):
        for result in POD_NETWORK_RESULTS.glob(f"*-{sandbox.name}-*"):
            result.unlink(missing_ok=True)
    for link in CONTAINER_LOG_LINKS.glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(folder):
            link.unlink(missing_ok=True)
    shutil.rmtree(folder)


def mounts_below(folder: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """Return the mount points below the folder in the order they were mounted."""
    points = [Path(_unescape(line.split(" ")[4])) for line in mountinfo.read_text().splitlines()]
    return [point for point in points if folder in point.parents]


def remove_cgroup(cgroup: str, timeout_s: float = 5) -> None:
    """Remove the cgroup ("/name") and those below it from every hierarchy; its processes have ended.

    Raises:
        OSError: the kernel still held one when the time was up.
    """
    deadline = time.monotonic() + timeout_s
    for root in [*CGROUPS.glob(f"*{cgroup}"), CGROUPS / cgroup.lstrip("/")]:
        for group in sorted([*root.glob("**/"), root], reverse=True) if root.exists() else []:
            _remove_group(group, deadline)


def _remove_group(group: Path, deadline: float) -> None:
    while group.exists():
        try:
            group.rmdir()
        except OSError:  # busy: a process that has just ended is still leaving
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _unescape(point: str) -> str:
    """Return a path of mountinfo as it is: blanks and such are octal there, "\\040"."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
