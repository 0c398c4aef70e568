"""Fuzz what reads YAML: only the documented errors come out, in one printable line. Run by `make fuzz`.

The text is read in both ways, as a manifest, as a file of settings and as bindings; what is taken is JSON, survives being
written and read again, and is answered as `check` and `inject` do.
"""

import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["webhook"]):
    from webhook import yaml_text
    from webhook.admit import Admission
    from webhook.commands import asking, check, env_file, inject, manifests
    from webhook.rolecheck.bindings.load import BindingsError, load
    from webhook.settings.read import read
    from webhook.yaml_text import YamlTextError

ADMISSION = Admission(read({}, {"AGENT_INJECT_VAULT_ADDR": "https://vault:8200"}))
WHOLE = b"""kind: Deployment
metadata: {name: &n a}
spec:
  template: # why
    metadata:
      annotations:
        vault.hashicorp.com/agent-inject: "true"
        vault.hashicorp.com/role: *n
    spec:
      containers: [{name: *n, image: b}]
---
kind: ConfigMap
data: {AGENT_INJECT_VAULT_IMAGE: x}
"""
# What texts are made of, so that few bytes reach far: a byte picks one. The file has a JSON string a line.
TOKENS = [
    *map(chr, range(32, 127)),
    *map(json.loads, Path(__file__).with_name("yaml_tokens.txt").read_text().splitlines()),
]
FILE = Path(tempfile.mkdtemp()) / "settings"


def one_input(data: bytes) -> None:
    """Try the bytes, the text they pick, and that text in the middle of a good manifest."""
    middle = len(WHOLE) * (data[0] if data else 0) // 256
    picked = "".join(TOKENS[byte % len(TOKENS)] for byte in data[1:]).encode()
    for text in (data, picked, WHOLE[:middle] + picked + WHOLE[middle:]):
        try_plain(text)
        try_manifest(text)
        try_settings(text)
        try_bindings(text)


def try_plain(text: bytes) -> None:
    """Read the text as values."""
    with documented(YamlTextError):
        for document in yaml_text.documents(text):
            json.dumps(document, allow_nan=False, default=None)


def try_manifest(text: bytes) -> None:
    """Do what `check` and `inject` do."""
    with documented(manifests.ManifestError):
        documents = manifests.load("f", text)
        before = yaml_text.plain(documents)
        if all(isinstance(document, dict) for document in documents):  # nothing else is ever written
            again = yaml_text.kept_documents(yaml_text.write(documents).encode())
            assert yaml_text.plain(again) == before, (before, again)
        judged = list(asking.replies([("f", documents)], ask, namespace="default", template_paths=["a.b", "spec.*"]))
        for output in check.OUTPUTS:
            check.render([check.line_of(one) for one in judged], output).encode()
        injected = inject.Injected(documents, judged)
        for output in inject.OUTPUTS:
            injected.render(output).encode()


def ask(review: bytes) -> bytes:
    """Answer as the server would; a fault of ours ends the run."""
    answer = ADMISSION.answer(review, None, 0.0)
    if answer.error is not None:
        raise answer.error
    return answer.body


def try_settings(text: bytes) -> None:
    """Read the text as --env-file does."""
    FILE.write_bytes(text)
    with documented(env_file.EnvFileError):
        assert all(isinstance(value, str) for value in env_file.read(str(FILE)).values())


def try_bindings(text: bytes) -> None:
    """Read the text as --bindings does, and look an error's line up."""
    with documented(BindingsError):
        try:
            load(text, yaml_text.documents)
        except BindingsError as error:
            yaml_text.line_of(text, error.place)
            raise


class documented(suppress):  # noqa: N801 used as a word
    """Let one kind of error pass, once it is seen to be one printable line."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """See to it."""
        passes = bool(super().__exit__(kind, error, trace))
        assert not passes or str(error).isprintable(), error
        return passes


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
