"""Run the scripts of agent containers as a kubelet would, in the shells that images have, beside a stub of the agent's program.

The stub is a program called `vault` and `bao` on PATH that writes down how it was called. Folders of the container lie below a
folder of the test's own. Nothing else of the machine's environment is seen.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.eventually import eventually

CLASSIC, NATIVE = {}, {"AGENT_INJECT_SIDECAR_MODE": "native"}
# busybox is no part of every Debian: `make test` installs it.
SHELLS = ("dash", "bash", pytest.param("busybox", marks=pytest.mark.cluster))
STUB = """#!{python} -IS
import json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # before anyone can know that we run
call = {{"argv": sys.argv[1:], "env": dict(os.environ)}}
with open({calls!r}, "a") as file:
    file.write(json.dumps(call) + "\\n")
if sys.argv[1] == "agent":
    signal.pause()
"""


def kubelet(text, variables):
    """What the kubelet makes of one text of `command`, `args` or a probe (its third_party/forked/golang/expansion)."""
    made, rest = [], text
    while (at := rest.find("$")) >= 0 and at + 1 < len(rest):
        made.append(rest[:at])
        after = rest[at + 1 :]
        if after[0] == "(" and ")" in after:
            name, rest = after[1:].split(")", 1)
            made.append(variables.get(name, f"$({name})"))
        else:
            made.append("$" if after[0] == "$" else "$" + after[0])
            rest = after[1:]
    return "".join(made) + rest


@dataclass(frozen=True)
class Box:
    """One container's place to run: a shell, a folder for its files, and what the stub wrote down."""

    folder: Path
    shell: str

    @classmethod
    def make(cls, folder, shell):
        """Set up; `folder` is empty."""
        box = cls(folder, shell)
        for name in ("home/vault", "bin", "cwd"):
            (folder / name).mkdir(parents=True)
        stub = STUB.format(python=sys.executable, calls=str(folder / "calls"))
        for name in ("vault", "bao"):
            (folder / "bin" / name).write_text(stub)
            (folder / "bin" / name).chmod(0o755)
        return box

    def calls(self, *words):
        """The calls of the agent's program whose first arguments are these."""
        written = self.folder / "calls"
        lines = written.read_text().splitlines() if written.exists() else []
        return [call for line in lines if (call := json.loads(line))["argv"][: len(words)] == list(words)]

    def moved(self, text):
        """A script with the container's home in our folder; scripts name no other place that is written."""
        return text.replace("/home/vault", f"{self.folder}/home/vault")

    def popen(self, argv, env=None):
        """Start a command: a shell, its options, a script, arguments."""
        shell, option, script, *rest = argv
        assert shell == "/bin/sh"
        return subprocess.Popen(
            ["sh", option, self.moved(script), *rest],
            executable=shutil.which(self.shell),
            cwd=self.folder / "cwd",
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": "/", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, argv, env=None):
        """Run a command to its end; its exit status and what it printed."""
        process = self.popen(argv, env)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said

    def live(self, container):
        """Start an agent container, wait for its agent, and end it as the kubelet does; its exit status and what it printed."""
        variables = {v["name"]: kubelet(v.get("value", "10.0.0.1"), {}) for v in container["env"]}
        argv = [kubelet(text, variables) for text in (*container["command"], *container["args"])]
        process = self.popen(argv, variables)
        try:
            assert eventually(lambda: self.calls("agent") or process.poll() is not None)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
        return process.returncode, said

    def strays(self):
        """Files that a command of an author's text would have left where the scripts run."""
        return [path.name for path in (self.folder / "cwd").iterdir()]
