"""The pinned programs of a node, as paths: taken where the user has them, else built once with Go into the cache.

Order: `KUBEBUILDER_ASSETS` (whatever version is there, the user chose it), PATH (only the pinned minor version), the
cache, a build. The versions are those of `tools/NAME/go.mod`; to change one, edit go.mod and run `go mod tidy` there.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cache import cache_home, content_key, entry
from tests.cluster.golang import find_go

TOOLS = Path(__file__).parent / "tools"
STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")  # packages that hold Kubernetes' version


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Programs built from one folder below tools/."""

    folder: str  # below tools/
    module: str  # the requirement in go.mod whose version is the programs' version
    packages: Mapping[str, str]  # program to the Go package it is built from
    stamped: tuple[str, ...] = ()  # packages that take the version from the linker
    minutes: int  # a cold build on two cores takes about this long


KUBERNETES = Tool(
    folder="kubernetes",
    module="k8s.io/kubernetes",
    packages={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        )
    },
    stamped=STAMPED,
    minutes=7,
)
ETCD = Tool(
    folder="etcd", module="go.etcd.io/etcd/server/v3", packages={"etcd": "go.etcd.io/etcd/server/v3"}, minutes=1
)


def node_binaries(say: Callable[[str], None]) -> dict[str, Path]:
    """Return every program of the node, name to path; what is missing is built first, and `say` is told so.

    Raises:
        subprocess.CalledProcessError: a build failed; the compiler's output has been shown.
    """
    return {name: path for tool in (ETCD, KUBERNETES) for name, path in tool_binaries(tool, say).items()}


def tool_binaries(tool: Tool, say: Callable[[str], None]) -> dict[str, Path]:
    """Return the programs of one tool, name to path; all are built when one has to be."""
    found = {name: find_installed(name, pinned_version(tool)) for name in tool.packages}
    if all(found.values()):
        return {name: path for name, path in found.items() if path}
    built = entry(
        cache_home() / "binaries" / f"{tool.folder}-{build_key(tool)}", lambda folder: build(tool, folder, say)
    )
    return {name: path or built / name for name, path in found.items()}


def find_installed(name: str, version: str) -> Path | None:
    """Return the user's own program: from `KUBEBUILDER_ASSETS` any version, from PATH the minor of `version`."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).is_file():
        return Path(assets) / name
    found = shutil.which(name)
    return Path(found) if found and same_minor(_version_text(found, name), version) else None


def same_minor(text: str, version: str) -> bool:
    """Tell whether the first version in a program's own words has the major and minor of `version` ("v1.36.1")."""
    said = re.search(r"\bv?(\d+\.\d+)\.\d+", text)
    return said is not None and version.removeprefix("v").startswith(said[1] + ".")


def pinned_version(tool: Tool) -> str:
    """Return the version go.mod requires, such as "v1.36.1".

    Raises:
        LookupError: go.mod does not require the tool's module.
    """
    required = re.search(
        rf"^\s*{re.escape(tool.module)} (v\S+)", (TOOLS / tool.folder / "go.mod").read_text(), re.MULTILINE
    )
    if required is None:
        raise LookupError(f"tools/{tool.folder}/go.mod does not require {tool.module}")
    return required[1]


def build_key(tool: Tool) -> str:
    """Return the cache key of the tool's programs: the pinned sources and the flags they are built with."""
    folder = TOOLS / tool.folder
    flags = " ".join([link_flags(tool), *tool.packages.values()])
    return content_key([(folder / "go.mod").read_bytes(), (folder / "go.sum").read_bytes(), flags.encode()])


def link_flags(tool: Tool) -> str:
    """Return the linker's flags: no debug data, and the version for the packages that cannot know it otherwise."""
    version = pinned_version(tool)
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(
        ["-s -w", *(f"-X {package}.{key}={value}" for package in tool.stamped for key, value in stamps.items())]
    )


def build(tool: Tool, folder: Path, say: Callable[[str], None]) -> None:
    """Build all programs of the tool into `folder`, made first."""
    go = find_go(say)
    folder.mkdir()
    say(f"building {tool.folder} {pinned_version(tool)} with Go: about {tool.minutes} min on two cores, only this once")
    settings = {"GOFLAGS": "-mod=readonly", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    for name, package in tool.packages.items():
        subprocess.run(
            [go, "build", "-trimpath", f"-ldflags={link_flags(tool)}", "-o", folder / name, package],
            cwd=TOOLS / tool.folder,
            env=os.environ | settings,
            check=True,
        )


def _version_text(program: str, name: str) -> str:
    argv = [program, "version", "--client"] if name == "kubectl" else [program, "--version"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return answer.stdout
