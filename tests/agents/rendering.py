"""Render an admitted pod's templates with the real agent against a real server, all paths moved into a folder of the test's."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.cluster.vault_program import vault_program
from tests.core.asking import ask, pod_with

PATIENCE_S = 30
INIT = "vault-agent-init"
VARIABLE = "leak-of-a-variable"  # in the agent's environment


class Rendering:
    """What came of one run; `said` is the agent's output."""

    def __init__(self, folder, said):
        self._folder, self.said = folder, said

    def __getitem__(self, path):
        """Return the text of a file by the path it has in a pod, None where there is none."""
        file = Path(moved(path, self._folder))
        return file.read_text() if file.exists() else None

    def texts(self):
        """Return everything that is where the app can see it."""
        secrets = Path(moved("/vault/secrets", self._folder))
        return [file.read_text() for file in secrets.rglob("*") if file.is_file() and not file.is_symlink()]


def moved(text, folder):
    """Return a text with the pod's paths moved; one that is reached by `..` follows by itself."""
    return re.sub(r"(?<![.\w])(?=/(?:home/vault|vault/secrets|vault/custom)\b)", str(folder), text)


def render(server, token, folder, annotations, *, settings, files=None, links=None):
    """Admit a pod, and run its init agent as it would run there, logged in by a token file.

    Args:
        server: a running OpenBao.
        token: the token of its login.
        folder: empty, of this run alone.
        annotations: of the pod, keys without prefix; paths in them are moved too.
        settings: of the webhook.
        files: what is there before, path to text.
        links: symbolic links that are there before, path to target.
    """
    result = ask(pod_with(annotations), settings=settings)
    assert result.allowed, result.message
    config = json.loads(moved(json.dumps(result.config(INIT), ensure_ascii=False), folder))
    for place in ("/home/vault", "/vault/secrets", "/vault/custom"):
        Path(moved(place, folder)).mkdir(parents=True)
    for path, text in (files or {}).items():
        Path(moved(path, folder)).write_text(moved(text, folder))
    for path, target in (links or {}).items():
        Path(moved(path, folder)).symlink_to(moved(target, folder))
    (folder / "token").write_text(token)
    method = {"type": "token_file", "config": {"token_file_path": str(folder / "token")}}
    config["auto_auth"]["method"] = method
    config["vault"] = {"address": server.address}
    file = folder / "config.json"
    file.write_text(json.dumps(config, ensure_ascii=False))
    done = subprocess.run(
        [vault_program().path, "agent", f"-config={file}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "LEAK": VARIABLE},
        timeout=PATIENCE_S,
        check=False,
    )
    return Rendering(folder, done.stdout)
