"""Where an object of any kind holds pods or annotations of ours: what keeps `check` from passing what it never looked at."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from webhook.commands.kinds import Path
from webhook.core.annotations.family import FAMILIES, SWITCH

PREFIXES = tuple(family.prefix for family in FAMILIES)
_CONTAINERS = ("containers", "initContainers", "container", "script", "steps", "sidecars")  # Argo's and Tekton's too
_NO_WORKLOADS = ("admissionregistration.k8s.io/",)  # whose conditions name annotations, and annotate nothing


class Place(Struct, frozen=True):
    """A place in an object; a list's items are `*` in the path."""

    path: Path
    keys: tuple[str, ...] = ()  # of our annotations that stand there; none: a pod, or containers of one
    is_text: bool = False  # the annotations are in a text that somebody else will read

    @property
    def text(self) -> str:
        """Return the path as people write it."""
        return ".".join(self.path) or "its top"


def places(document: Any) -> Iterator[Place]:
    """Yield every place of an object as `yaml_text` reads it, outer ones first."""
    if not str(document.get("apiVersion", "")).startswith(_NO_WORKLOADS):
        yield from _places(document, ())


def _places(node: Any, path: Path) -> Iterator[Place]:
    if isinstance(node, dict):
        if any(_holds_image(node.get(name)) for name in _CONTAINERS):
            yield Place(path)
        if keys := tuple(str(key) for key in node if str(key).startswith(PREFIXES)):
            yield Place(path, keys)
        for key, value in node.items():
            yield from _places(value, (*path, str(key)))
    elif isinstance(node, list):
        for item in node:
            yield from _places(item, (*path, "*"))
    elif isinstance(node, str) and path[:1] != ("metadata",) and _annotates(node):
        yield Place(path, is_text=True)


def _holds_image(containers: Any) -> bool:
    items: Sequence[Any] = containers if isinstance(containers, list) else [containers]
    return any(isinstance(item, dict) and isinstance(item.get("image"), str) for item in items)


def _annotates(text: str) -> bool:
    """Tell whether a text of several lines, such as a manifest in a ConfigMap, holds the annotation that asks for an agent."""
    return "\n" in text and any(prefix + SWITCH in text for prefix in PREFIXES)
