"""Image archives: the layout containerd imports, made the same every time."""

import hashlib
import json
import struct
import tarfile
from pathlib import Path

import pytest

from tests.cluster.images import (
    FOLDERS,
    Image,
    NotStaticError,
    agent_image,
    archive,
    needs_loader,
    static_busybox,
    write_archive,
)
from tests.cluster.vault_program import VAULT, VaultProgram, bao, vault_program


@pytest.fixture
def image(tmp_path: Path) -> Image:
    program = tmp_path / "program"
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o600)
    return Image(
        name="docker.io/local/x:1", files={"bin/bao": program}, links={"bin/vault": "bao"}, entrypoint=["/bin/bao"]
    )


def test_the_archive_names_a_layer_that_has_its_digest(image: Image, tmp_path: Path) -> None:
    write_archive(image, tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as tar:
        content = {name: file.read() for name in tar.getnames() if (file := tar.extractfile(name))}
    (manifest,) = json.loads(content["manifest.json"])
    config = json.loads(content[manifest["Config"]])
    (layer,) = manifest["Layers"]
    assert manifest["RepoTags"] == ["docker.io/local/x:1"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content[layer]).hexdigest()}"]
    assert config["config"] == {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/bao"]}


def test_the_layer_holds_programs_links_folders_and_users(image: Image, tmp_path: Path) -> None:
    write_archive(image, tmp_path / "x.tar")
    with tarfile.open(tmp_path / "x.tar") as outer:
        name = next(name for name in outer.getnames() if name.endswith("layer.tar"))
        with tarfile.open(fileobj=outer.extractfile(name)) as layer:
            members = {member.name: member for member in layer}
            passwd = layer.extractfile("etc/passwd")
            users = passwd.read().decode() if passwd else ""
    assert (members["bin/bao"].mode, members["bin/bao"].uid) == (0o755, 0)
    assert (members["bin/vault"].issym(), members["bin/vault"].linkname) == (True, "bao")
    assert {name: members[name].mode for name in FOLDERS} == FOLDERS
    assert "vault:x:100:1000::/home/vault:/bin/sh\n" in users
    assert ":x:65532:65532:" in users


def test_the_same_image_gives_the_same_bytes(image: Image, tmp_path: Path) -> None:
    for name in ("1.tar", "2.tar"):
        write_archive(image, tmp_path / name)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.tar", "2.tar", "program"]


def test_a_changed_file_makes_a_new_archive(image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = archive(image)
    assert archive(image) == first
    image.files["bin/bao"].write_bytes(b"#!/bin/sh\nexit 1\n")
    assert archive(image) != first


def elf(*headers: int) -> bytes:
    """Return the head of a 64-bit little-endian program whose program headers have these types."""
    start = 64  # bytes of the file's own header
    size = 56  # bytes of one program header
    head = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q", start)
    head = head.ljust(54, b"\0") + struct.pack("<HH", size, len(headers))
    return head.ljust(start, b"\0") + b"".join(struct.pack("<I", kind).ljust(size, b"\0") for kind in headers)


LOAD, INTERPRETER = 1, 3  # elf(5)


@pytest.mark.parametrize(
    ("program", "needs"),
    [
        (elf(LOAD, LOAD), False),
        (elf(), False),
        (elf(LOAD, INTERPRETER, LOAD), True),
        (b"#!/bin/sh\n", True),
        (b"", True),
    ],
)
def test_a_program_with_an_interpreter_is_not_static(program: bytes, needs: bool) -> None:
    assert needs_loader(program) is needs


def test_a_busybox_that_needs_libraries_is_passed_over(tmp_path: Path) -> None:
    for name, content in (("dynamic", elf(INTERPRETER)), ("static", elf(LOAD))):
        (tmp_path / name).write_bytes(content)
    places = [tmp_path / name for name in ("absent", "dynamic", "static")]
    assert static_busybox(places) == tmp_path / "static"
    with pytest.raises(NotStaticError, match="busybox-static"):
        static_busybox(places[:2])


@pytest.mark.cluster
def test_the_package_has_a_static_busybox() -> None:
    assert not needs_loader(static_busybox().read_bytes())


class TestAgentImage:
    """Both names that an agent is called by are in it, whatever the program of the tests is."""

    @pytest.fixture
    def vault(self, tmp_path: Path) -> VaultProgram:
        path = tmp_path / "vault"
        path.write_bytes(elf(LOAD))
        return VaultProgram(path=path, product=VAULT, version="1.21.4")

    def test_openbao_has_both(self) -> None:
        image = agent_image({}, {"bin/ls": "busybox"}, vault_program({}))
        assert image.files == {"bin/bao": bao()}
        assert image.links == {"bin/ls": "busybox", "bin/vault": "bao"}

    def test_a_vault_of_the_users_is_there_beside_it(self, vault: VaultProgram) -> None:
        image = agent_image({}, {}, vault)
        assert (image.files, image.links) == ({"bin/bao": bao(), "bin/vault": vault.path}, {})

    def test_one_that_needs_libraries_is_refused(self, vault: VaultProgram) -> None:
        vault.path.write_bytes(elf(INTERPRETER))
        with pytest.raises(NotStaticError, match="needs libraries"):
            agent_image({}, {}, vault)
