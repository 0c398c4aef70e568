"""Settings as a file: NAME=value lines, or the ConfigMap of the chart as YAML."""

from collections.abc import Mapping
from pathlib import Path

from webhook.commands import manifests


class EnvFileError(ValueError):
    """The file cannot be used; the text names it and the line."""


def read(file: str) -> Mapping[str, str]:
    """Return the variables of a file.

    Raises:
        EnvFileError: the file cannot be read, or a line is neither empty, a comment nor NAME=value.
    """
    try:
        text = Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileError(f"{file}: cannot be read: {error}") from error
    if any(line.startswith("kind:") for line in text.splitlines()):
        return _of_config_map(file, text)
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise EnvFileError(f"{file} line {number}: want NAME=value, a comment, or the YAML of a ConfigMap")
        variables[name.removeprefix("export ").strip()] = value
    return variables


def _of_config_map(file: str, text: str) -> Mapping[str, str]:
    try:
        documents = manifests.load(file, text)
    except manifests.ManifestError as error:
        raise EnvFileError(str(error)) from error
    data = next((d.get("data") for d in documents if isinstance(d, dict) and d.get("kind") == "ConfigMap"), None)
    if not isinstance(data, dict):
        raise EnvFileError(f"{file}: holds no ConfigMap with data")
    return {str(name): str(value) for name, value in data.items()}
