"""Manifests as people write them: YAML documents in, the pods in them out, comments and key order kept.

Which kinds hold pods is kinds.py; what is found in all others is places.py.
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from webhook import yaml_text
from webhook.commands.kinds import Path as Steps
from webhook.commands.kinds import kind_of, path_of
from webhook.commands.places import Place, places
from webhook.one_line import clean
from webhook.yaml_text import YamlTextError

TEXT_BYTES_MAX = 64 << 20  # a large cluster's workloads as JSON; as YAML it takes minutes, and a device would never end
ENDINGS = (".yaml", ".yml", ".json")  # of a folder's manifests, as kubectl takes them
NAME_LENGTH = 253  # of a Kubernetes name: RFC 1123
WHY_LENGTH = 400  # of what is said of one object
PLACES_SHOWN = 3  # of an object that was not checked; the first ones tell what it is


class ManifestError(ValueError):
    """A manifest cannot be used; the text names the file and the place."""


@dataclass(frozen=True)
class Workload:
    """One template of pods, and the object that makes them."""

    source: str  # file, or "-" for standard input
    kind: str
    name: str
    namespace: str
    template: MutableMapping[str, Any]  # metadata and spec of its pods; part of the document, so changes show there
    warnings: tuple[str, ...] = ()  # about the object around the template

    @property
    def title(self) -> str:
        """Return how messages call it."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Unchecked:
    """One object, or a whole file, whose pods were not looked at."""

    source: str
    why: str
    kind: str = ""  # "": the file
    name: str = ""
    namespace: str = ""

    @property
    def title(self) -> str:
        """Return how messages call it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.kind else "whole file"


Found = Workload | Unchecked


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


def files_of(source: str) -> list[str]:
    """Return the manifests that a name stands for: those of a folder, not of folders in it, or the one file.

    Raises:
        ManifestError: the folder holds none.
    """
    folder = Path(source)
    if source == "-" or "\0" in source or not folder.is_dir():
        return [source]
    files = sorted(str(file) for file in folder.iterdir() if file.suffix in ENDINGS)
    if not files:
        raise ManifestError(f"{source}: a folder without manifests ({', '.join(ENDINGS)})")
    return files


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


def found(
    source: str, documents: Sequence[Any], *, namespace: str, template_paths: Sequence[str] = ()
) -> Iterator[Found]:
    """Yield every pod template, those inside Lists too, and what holds pods or annotations that we cannot read as such.

    Args:
        source: for messages.
        documents: as `load` returns them.
        namespace: of objects that name none.
        template_paths: dotted paths of pod templates in kinds we do not know, such as spec.template.

    Raises:
        ManifestError: an object is no Kubernetes object, or its template is missing.
    """
    paths = tuple(map(path_of, template_paths))
    nothing = True
    for document in _objects(source, documents):
        for item in _of_object(source, document, namespace, paths):
            nothing = False
            yield item
    if nothing:
        yield Unchecked(source, "holds no pod, so nothing was checked")


def _objects(source: str, documents: Sequence[Any], kind: str = "") -> Iterator[Any]:
    """Yield the objects, those of Lists one by one; a typed list's items may leave their kind out."""
    for document in documents:
        if isinstance(document, dict) and kind:
            document.setdefault("kind", kind)
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise ManifestError(f"{source}: a document is no Kubernetes object: it has no kind")
        if document["kind"].endswith("List") and "items" in document:
            items = document["items"]
            if not isinstance(items, list | None):
                raise ManifestError(f"{source}: {_name(document['kind'])}: items is no list")
            yield from _objects(source, items or [], document["kind"].removesuffix("List"))
        else:
            yield document


def _of_object(source: str, document: Any, namespace: str, paths: Sequence[Steps]) -> Iterator[Found]:
    kind, metadata = _name(document["kind"]), document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ManifestError(f"{source}: {kind}: metadata is no mapping")
    name = _name(metadata.get("name") or metadata.get("generateName") or "unnamed")
    about = {"source": source, "kind": kind, "name": name, "namespace": _name(metadata.get("namespace") or namespace)}
    row = kind_of(document.get("apiVersion"), kind)
    templates = [item for path in (row.templates if row else paths) for item in _templates(document, path)]
    if row and row.built_in and not templates:
        raise ManifestError(f"{source}: {kind} {name} has no {'.'.join(row.templates[0])}")
    left = [place for place in places(document) if not any(_is_within(place.path, path) for path, _ in templates)]
    for path, template in templates:
        yield Workload(**about, template=template, warnings=_misplaced(kind, left, path, template))
    unread = [place for place in left if not (place.keys and templates)]
    if unread and not (row and row.built_in):
        yield Unchecked(**about, why=_why(unread))


def _templates(node: Any, path: Steps, walked: Steps = ()) -> list[tuple[Steps, MutableMapping[str, Any]]]:
    """Return the templates that a path leads to, each with the path it has."""
    if not path:
        return [(walked, node)] if isinstance(node, dict) else []
    step, *rest = path
    if step == "*":
        items = node if isinstance(node, list) else list(node.values()) if isinstance(node, dict) else []
        return [found for item in items for found in _templates(item, tuple(rest), (*walked, step))]
    return _templates(node.get(step), tuple(rest), (*walked, step)) if isinstance(node, dict) else []


def _is_within(place: Steps, template: Steps) -> bool:
    """Tell whether a place belongs to a template's pods: its spec, or the annotations they get."""
    rest = place[len(template) :]
    same = all(step in (given, "*") for given, step in zip(place, template, strict=False))
    return same and len(place) > len(template) and (rest[0] == "spec" or rest == ("metadata", "annotations"))


def _misplaced(kind: str, left: Sequence[Place], path: Steps, template: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a warning for each place whose annotations never reach the pods; those the template repeats are fine."""
    metadata = template.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    right = ".".join((*path, "metadata", "annotations"))
    missing = [
        (place, [key for key in place.keys if not (isinstance(annotations, dict) and key in annotations)])
        for place in left
    ]
    return tuple(
        clean(
            f"{keys[0]}{f' and {len(keys) - 1} more' if keys[1:] else ''} at {place.text} of the {kind}"
            f" never reach its pods: move them to {right}",
            WHY_LENGTH,
        )
        for place, keys in missing
        if keys
    )


def _why(unread: Sequence[Place]) -> str:
    """Return what an object holds that was not looked at, and what to do about it."""
    held = [
        f"a text with annotations at {place.text}"
        if place.is_text
        else f"{place.keys[0]} at {place.text}"
        if place.keys
        else f"a pod's containers at {place.text}"
        for place in unread
    ]
    specs = [place.path[:-1] for place in unread if not place.keys and place.path[-1:] == ("spec",) and place.path[1:]]
    template = min(specs, key=len, default=None)
    remedy = (
        f"to check it, add --template-path {'.'.join(template)}"
        if template
        else "which pods come of it is not known here; to check one, write it as a manifest of kind Pod"
    )
    return clean(f"holds {_listed(held)}; {remedy}", WHY_LENGTH)


def _name(value: object) -> str:
    """Return a name for messages, on one line whatever its author wrote."""
    return clean(value, NAME_LENGTH)


def _listed(texts: Sequence[str]) -> str:
    shown = list(dict.fromkeys(texts))
    return ", ".join(shown[:PLACES_SHOWN]) + (f" and {len(shown) - PLACES_SHOWN} more" if shown[PLACES_SHOWN:] else "")
