"""Container images made from files of this machine: no registry, no daemon, no root.

The shell is busybox. Its `wget` and `nslookup` end with a segmentation fault, since a static glibc wants libraries to
look up names: use `nc` with addresses. An archive is in the layout of `docker save`: a manifest, a configuration, one
layer; `ctr images import` takes it.
"""

import hashlib
import io
import json
import platform
import struct
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.cluster.cache import cache_home, content_key, entry
from tests.cluster.configs import PAUSE_IMAGE
from tests.cluster.vault_program import VaultProgram, vault_program

APP_IMAGE = "docker.io/local/app:1"  # a shell and busybox
AGENT_IMAGE = (
    "docker.io/local/agent:1"  # the same, with `bao` and `vault`: one program, or OpenBao and what VAULT_BINARY names
)
LAYOUT = "1"  # part of the cache key: raise it when the code below writes an image otherwise
FOLDERS: Mapping[str, int] = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}
USERS: Mapping[str, int] = {"root": 0, "vault": 100, "openbao": 65532}  # name to user id
GROUPS: Mapping[str, int] = {"root": 0, "vault": 1000, "openbao": 65532}
BUSYBOXES = (Path("/bin/busybox"), Path("/usr/bin/busybox"))  # by Debian's release
ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"  # elf(5), e_ident
PT_INTERP = 3  # elf(5): the header that names the dynamic loader
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as the kernel says it, as images do


class NotStaticError(Exception):
    """A program needs libraries, which an image made of it alone would lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image holds beside FOLDERS, users and home folders."""

    name: str  # with registry part and tag, as containerd will list it
    files: Mapping[str, Path]  # path in the image, without slash in front, to the file it is a copy of, mode 0755
    links: Mapping[str, str] = field(default_factory=dict)  # path in the image to the link's target
    entrypoint: Sequence[str] = ()


def node_archives() -> list[Path]:
    """Return the archives every cluster starts with: pause, app and agent; made once, then from the cache.

    Raises:
        NotStaticError: see there.
    """
    return [archive(image) for image in node_images(static_busybox(), vault_program())]


def node_images(busybox: Path, agent: VaultProgram) -> list[Image]:
    """Return the three images, from a static busybox and the program that is the agent.

    Raises:
        NotStaticError: the agent is not static.
    """
    shell = {"bin/busybox": busybox}
    applets = {f"bin/{name}": "busybox" for name in _applets(busybox) if name != "busybox"}
    return [
        Image(name=PAUSE_IMAGE, files=shell, links=applets, entrypoint=["/bin/sleep", "infinity"]),
        Image(name=APP_IMAGE, files=shell, links=applets),
        agent_image(shell, applets, agent),
    ]


def agent_image(shell: Mapping[str, Path], applets: Mapping[str, str], agent: VaultProgram) -> Image:
    """Return the agent's image: what it needs of a shell, and both names an agent is called by.

    Raises:
        NotStaticError: the agent is not static.
    """
    programs = agent.image_files
    for program in programs.values():
        if needs_loader(program.read_bytes()):
            raise NotStaticError(
                f"{program} needs libraries, and the image has none; the vendors' own builds are static"
            )
    links = applets if "bin/vault" in programs else {**applets, "bin/vault": "bao"}
    return Image(name=AGENT_IMAGE, files={**shell, **programs}, links=links)


def shell_image(name: str) -> Image:
    """Return the app image under a name of your own, such as "docker.io/library/busybox:1.36".

    Raises:
        NotStaticError: see there.
    """
    app = next(image for image in node_images(static_busybox(), vault_program()) if image.name == APP_IMAGE)
    return replace(app, name=name)


def archive(image: Image) -> Path:
    """Return the image's archive in the cache, written first when it or one of its files is new."""
    sources = [f"{path}={file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for path, file in image.files.items()]
    parts = [LAYOUT, image.name, *sources, json.dumps([dict(image.links), list(image.entrypoint)])]
    key = content_key(part.encode() for part in parts)
    short_name = image.name.rpartition("/")[2].replace(":", "-")
    return entry(cache_home() / "images" / f"{short_name}-{key}.tar", lambda path: write_archive(image, path))


def write_archive(image: Image, path: Path) -> None:
    """Write the image as an archive; the same image gives the same bytes."""
    layer = path.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        _add_system(tar)
        for name, source in image.files.items():
            tar.add(source, name, filter=_plain)
        for name, target in image.links.items():
            tar.addfile(_member(name, tarfile.SYMTYPE, 0o777, linkname=target))
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    config = json.dumps(_config(image, digest)).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [image.name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        _add_bytes(tar, config_name, config)
        tar.add(layer, f"{digest}/layer.tar", filter=_plain)
        _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()


def static_busybox(candidates: Sequence[Path] = BUSYBOXES) -> Path:
    """Return a busybox that runs without libraries.

    Raises:
        NotStaticError: there is none, or the dynamic one of the package `busybox`.
    """
    for candidate in candidates:
        if candidate.exists() and not needs_loader(candidate.read_bytes()):
            return candidate
    raise NotStaticError("no static busybox; install the Debian package busybox-static")


def needs_loader(program: bytes) -> bool:
    """Tell whether a program needs more than itself: an ELF with a PT_INTERP header, or no ELF of 64 bits at all."""
    if program[:6] != ELF_64_LITTLE_ENDIAN:
        return True
    table, size, count = *struct.unpack_from("<Q", program, 32), *struct.unpack_from("<HH", program, 54)
    return any(struct.unpack_from("<I", program, table + size * row)[0] == PT_INTERP for row in range(count))


def _applets(busybox: Path) -> list[str]:
    return subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()


def _config(image: Image, layer_digest: str) -> dict[str, object]:
    return {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Entrypoint": list(image.entrypoint)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{}],
    }


def _add_system(tar: tarfile.TarFile) -> None:
    for name, mode in FOLDERS.items():
        tar.addfile(_member(name, tarfile.DIRTYPE, mode))
    tar.addfile(_member("home", tarfile.DIRTYPE, 0o755))
    tar.addfile(_member("home/vault", tarfile.DIRTYPE, 0o777))  # whatever user a pod runs the agent as
    users = [f"{name}:x:{uid}:{GROUPS[name]}::{_home(name)}:/bin/sh\n" for name, uid in USERS.items()]
    groups = [f"{name}:x:{gid}:\n" for name, gid in GROUPS.items()]
    _add_bytes(tar, "etc/passwd", "".join(users).encode())
    _add_bytes(tar, "etc/group", "".join(groups).encode())


def _home(user: str) -> str:
    return "/" if user == "root" else "/home/vault"


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = _member(name, tarfile.REGTYPE, 0o644)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _member(name: str, kind: bytes, mode: int, *, linkname: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname = kind, mode, linkname
    return member


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Make a file's entry depend on its content alone."""
    member.mode, member.mtime, member.uid, member.gid, member.uname, member.gname = 0o755, 0, 0, 0, "", ""
    return member
