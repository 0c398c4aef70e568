"""Manifests as people write them: YAML documents in, the pods in them out, comments and key order kept.

To take another kind of workload: a line in TEMPLATES.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from webhook import yaml_text
from webhook.yaml_text import YamlTextError

TEXT_BYTES_MAX = 64 << 20  # a large cluster's workloads as JSON; as YAML it takes minutes, and a device would never end

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"), ("spec", "template")
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


class ManifestError(ValueError):
    """A manifest cannot be used; the text names the file and the place."""


@dataclass(frozen=True)
class Workload:
    """One object that makes pods."""

    source: str  # file, or "-" for standard input
    kind: str
    name: str
    namespace: str
    template: MutableMapping[str, Any]  # metadata and spec of its pods; part of the document, so changes show there

    @property
    def title(self) -> str:
        """Return how messages call it."""
        return f"{self.kind} {self.namespace}/{self.name}"


def load(source: str, text: bytes) -> list[Any]:
    """Return the documents of a YAML or JSON text, empty ones left out.

    Raises:
        ManifestError: the text is neither, or one of what `yaml_text` refuses.
    """
    try:
        return yaml_text.kept_documents(text)
    except YamlTextError as error:
        line = f" line {error.line}" if error.line else ""
        raise ManifestError(f"{source}{line}: no YAML or JSON: {error.problem}") from error


def read(source: str, standard_input: BinaryIO | None = None) -> list[Any]:
    """Return the documents of a file, or of standard input for "-".

    Raises:
        ManifestError: the file cannot be read, is too large, or is no YAML.
    """
    return load(source, read_text(source, standard_input))


def read_text(source: str, standard_input: BinaryIO | None = None) -> bytes:
    """Return what a file holds, or standard input for "-".

    Raises:
        ManifestError: the file cannot be read, or is too large.
    """
    try:
        with nullcontext(standard_input) if source == "-" and standard_input else Path(source).open("rb") as file:
            text = file.read(TEXT_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise ManifestError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(text) > TEXT_BYTES_MAX:
        raise ManifestError(f"{source}: larger than {TEXT_BYTES_MAX >> 20} MiB; give it in parts")
    return text


def workloads(source: str, documents: Sequence[Any], *, namespace: str, template_path: str = "") -> Iterator[Workload]:
    """Yield every workload, those inside Lists too; other kinds are passed over.

    Args:
        source: for messages.
        documents: as `load` returns them.
        namespace: of objects that name none.
        template_path: dotted path of the pod template in kinds we do not know, such as spec.template.

    Raises:
        ManifestError: an object is no Kubernetes object, or its template is missing.
    """
    for document in documents:
        if not isinstance(document, dict) or not isinstance(kind := document.get("kind"), str):
            raise ManifestError(f"{source}: a document is no Kubernetes object: it has no kind")
        if kind == "List" or (kind.endswith("List") and "items" in document):
            items = document.get("items") or []
            yield from workloads(source, items, namespace=namespace, template_path=template_path)
            continue
        path = TEMPLATES.get(kind)
        if path is None and template_path:
            path = tuple(template_path.split("."))
        if path is None:
            continue
        metadata = document.get("metadata") or {}
        name = str(metadata.get("name") or metadata.get("generateName") or "unnamed")
        template = _descend(document, path)
        if template is None:
            if kind in TEMPLATES:
                raise ManifestError(f"{source}: {kind} {name} has no {'.'.join(path)}")
            continue
        yield Workload(source, kind, name, str(metadata.get("namespace") or namespace), template)


def _descend(document: Any, path: Sequence[str]) -> MutableMapping[str, Any] | None:
    node = document
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None
