"""Fuzz the loader of bindings documents: a Snapshot, or a BindingsError in one line; nothing else. Run by `make fuzz`."""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["webhook"]):
    from webhook import yaml_text
    from webhook.rolecheck.bindings.load import BindingsError, load

WHOLE = (Path(__file__).parents[2] / "examples" / "bindings.yaml").read_bytes()


def one_input(data: bytes) -> None:
    """Try the bytes as a document, and put into the middle of a good one."""
    middle = len(WHOLE) * (data[0] if data else 0) // 256
    for document in (data, WHOLE[:middle] + data[1:] + WHOLE[middle:]):
        try:
            snapshot = load(document, yaml_text.documents)
        except BindingsError as error:
            assert str(error).isprintable(), error
        else:
            for mount in snapshot.auth_mounts.values():
                for name in mount.texts:
                    mount.role(name)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
