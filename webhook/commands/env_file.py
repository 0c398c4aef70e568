"""Settings as a file: NAME=value lines, or the ConfigMap of the chart as YAML or JSON."""

import json
import re
from collections.abc import Mapping

from webhook.commands import manifests

_CONFIG_MAP = re.compile(r"\A\s*\{|^kind:", re.MULTILINE)


class EnvFileError(ValueError):
    """The file cannot be used; the text names it and the line."""


def read(file: str) -> Mapping[str, str]:
    """Return the variables of a file.

    Raises:
        EnvFileError: the file cannot be read, or a line is neither empty, a comment nor NAME=value.
    """
    try:
        raw = manifests.read_text(file)
        text = raw.decode("utf-8-sig")
        if _CONFIG_MAP.search(text):
            return _of_config_map(file, manifests.load(file, raw))
    except manifests.ManifestError as error:
        raise EnvFileError(str(error)) from error
    except UnicodeDecodeError as error:
        raise EnvFileError(f"{file}: cannot be read: it is no UTF-8") from error
    return _of_lines(file, text)


def _of_lines(file: str, text: str) -> Mapping[str, str]:
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise EnvFileError(f"{file} line {number}: want NAME=value, a comment, or the YAML of a ConfigMap")
        variables[name.removeprefix("export ").strip()] = value
    return variables


def _of_config_map(file: str, documents: list[object]) -> Mapping[str, str]:
    data = next((d.get("data") for d in documents if isinstance(d, dict) and d.get("kind") == "ConfigMap"), None)
    if not isinstance(data, dict):
        raise EnvFileError(f"{file}: holds no ConfigMap with data")
    return {str(name): _text(file, str(name), value) for name, value in data.items()}


def _text(file: str, name: str, value: object) -> str:
    """Return a value as text: what an author left without quotes as it is written in JSON, null as nothing."""
    if isinstance(value, dict | list):
        raise EnvFileError(f"{file}: data.{name} is no text; a ConfigMap holds texts only")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
