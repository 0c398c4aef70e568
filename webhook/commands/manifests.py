"""Manifests as people write them: YAML documents in, the pods in them out, comments and key order kept.

To take another kind of workload: a line in TEMPLATES.
"""

import io
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

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


def load(source: str, text: str) -> list[Any]:
    """Return the documents of a YAML or JSON text, empty ones left out.

    Raises:
        ManifestError: the text is no YAML.
    """
    try:
        return [document for document in _yaml().load_all(text) if document is not None]
    except (YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ManifestError(f"{source}{line}: no YAML or JSON: {problem}") from error


def read(source: str, standard_input: Any = None) -> list[Any]:
    """Return the documents of a file, or of standard input for "-".

    Raises:
        ManifestError: the file cannot be read or is no YAML.
    """
    try:
        text = standard_input.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{source}: cannot be read: {error}") from error
    return load(source, text)


def dump(documents: Sequence[Any]) -> str:
    """Return documents as YAML."""
    stream = io.StringIO()
    _yaml().dump_all(documents, stream)
    return stream.getvalue()


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


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # no folding of lines that were whole
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
