"""Image archives: the layout containerd imports, made the same every time."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from tests.cluster.images import FOLDERS, Image, NotStaticError, archive, needs_loader, static_busybox, write_archive


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


def test_a_program_with_an_interpreter_is_not_static(tmp_path: Path) -> None:
    dynamic = Path("/bin/ls").read_bytes()
    assert needs_loader(dynamic)
    assert not needs_loader(static_busybox().read_bytes())
    (tmp_path / "busybox").write_bytes(dynamic)
    with pytest.raises(NotStaticError, match="busybox-static"):
        static_busybox([tmp_path / "busybox", tmp_path / "absent"])
