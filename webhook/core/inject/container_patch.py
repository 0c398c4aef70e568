"""`agent-json-patch` and `agent-init-json-patch`: the author's own changes to an agent container.

The patch sees the container as the reference injector shows it. What the jsonpatch library refuses and the reference took is
rewritten first: `replace` of an absent member, negative list indices, `replace` of the whole container.

A few bytes of `copy` double a container each time. So what an operation brings in is weighed before it is brought in, and what it
takes out is not given back: the work is bounded by the limits below, whatever the operations are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from webhook.core.annotations.intent import Intent
from webhook.core.inject.agent_config import AgentKind
from webhook.core.refusal import refused
from webhook.reasons import Reason

Object = Mapping[str, Any]
BYTES_MAX = 262_144  # of a container and all that is added to it, as JSON: its configuration may have half; etcd takes 1.5 MiB a pod
DEPTH_MAX = 64  # of objects and lists in each other; the API's deepest member of a container lies at 8
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "image", "imagePullPolicy", "workingDir", "restartPolicy"), str),
    **dict.fromkeys(("terminationMessagePath", "terminationMessagePolicy"), str),
    **dict.fromkeys(("command", "args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"), list),
    **dict.fromkeys(("resources", "lifecycle", "securityContext"), dict),
    **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), dict),
    **dict.fromkeys(("stdin", "stdinOnce", "tty"), bool),
}
_EMPTY: tuple[object, ...] = (None, {}, [])
_encode, _decode = msgspec.json.encode, msgspec.json.decode
_DOES_NOT_APPLY = (
    jsonpatch.JsonPatchException,
    jsonpointer.JsonPointerException,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,
)


def apply(intent: Intent, kind: AgentKind, container: bytes) -> bytes:
    """Return the container, JSON in and out, with the author's patch for this kind of agent applied.

    Raises:
        Refused: an operation does not apply, makes the container too large or too deep, or the result is no container.
    """
    key = "agent-init-json-patch" if kind is AgentKind.INIT else "agent-json-patch"
    patch = intent.init_patch if kind is AgentKind.INIT else intent.sidecar_patch
    if not patch:
        return container
    document = _decode(container)
    if kind is not AgentKind.INIT:
        document.setdefault("lifecycle", {})
    patched = _Patched(document, len(container))
    try:
        for operation in patch:
            patched.apply(operation)
        _check(patched.document)
    except _DOES_NOT_APPLY as error:
        raise refused(
            Reason.CONTAINER_PATCH_FAILED,
            intent.annotation(key),
            f"operation {patched.number} does not apply to the agent container: {_what(error)}",
            "Correct the operation; paths are relative to the container",
        ) from error
    return _encode({member: value for member, value in patched.document.items() if value not in _EMPTY})


def _what(error: Exception) -> str:
    if isinstance(error, jsonpatch.JsonPatchTestFailed):
        return "the value tested is another"  # the library's words tell both values, which may be secret
    return str(error) if type(error) is ValueError else f"{type(error).__name__} {error}"


class _Patched:
    """A container on its way through a patch, and what it weighs."""

    def __init__(self, document: Any, weight: int) -> None:
        self.document = document
        self.number = 0  # of the last operation, the first is 1
        self._weight = weight

    def apply(self, operation: Object) -> None:
        self.number += 1
        kind, path = operation.get("op"), operation.get("path")
        if not isinstance(path, str):
            raise ValueError("it has no path")  # noqa: TRY004 one kind of error for what does not fit
        if kind == "replace" and path == "":
            self._weight = 0
            self.document = self._brought_in(operation["value"], path)
            return
        operation = {**operation, "path": _counted_from_start(self.document, path)}
        if kind in ("copy", "move"):
            operation["from"] = self._source(operation)
        if kind == "copy":
            operation = {**operation, "op": "add", "value": _resolved(self.document, operation["from"])}
        elif kind == "replace" and _is_absent_member(self.document, operation["path"]):
            operation["op"] = "add"
        if operation.get("op") in ("add", "replace"):
            operation["value"] = self._brought_in(operation["value"], operation["path"])
        elif kind == "test":
            _refuse_deep(operation["value"], path)
        self.document = jsonpatch.JsonPatch([operation]).apply(
            self.document, in_place=True
        )  # the document is ours alone

    def _source(self, operation: Object) -> str:
        source = operation["from"]
        if not isinstance(source, str):
            raise ValueError("`from` is no path")  # noqa: TRY004 one kind of error for what does not fit
        source = _counted_from_start(self.document, source)
        if f"{operation['path']}/".startswith(f"{source}/") and operation["path"] != source:
            raise ValueError("a value has no place inside itself")
        return source

    def _brought_in(self, value: Any, path: str) -> Any:
        """Return a value for the document alone; it may be the shared intent's, or the document's own."""
        _refuse_deep(value, path)
        encoded = _encode(value)
        self._weight += len(path) + len(encoded)
        if self._weight > BYTES_MAX:
            raise ValueError(f"the container and what is added to it would have more than {BYTES_MAX} bytes")
        return _decode(encoded)


def _refuse_deep(value: Any, path: str = "") -> None:
    """Refuse objects and lists in each other to a depth, that of their place included, that nothing after us would walk."""
    depth, level = path.count("/"), [value]
    while depth <= DEPTH_MAX and (level := [item for item in level if isinstance(item, dict | list)]):
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    if depth > DEPTH_MAX:
        raise ValueError(f"the container would be nested more than {DEPTH_MAX} deep")


def _resolved(document: Any, path: str) -> Any:
    return jsonpointer.JsonPointer(path).resolve(document)


def _counted_from_start(document: Any, path: str) -> str:
    """Return the path with negative list indices counted from the list's start."""
    if path.count("/") > DEPTH_MAX:
        raise ValueError(f"a path has more than {DEPTH_MAX} parts")
    parts = jsonpointer.JsonPointer(path).parts
    node = document
    for position, part in enumerate(parts):
        if isinstance(node, list):
            if part[:1] == "-" and part[1:].isdecimal():
                parts[position] = str(len(node) + int(part))
            node = (
                node[int(parts[position])] if parts[position].isdecimal() and int(parts[position]) < len(node) else None
            )
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return jsonpointer.JsonPointer.from_parts(parts).path


def _is_absent_member(document: Any, path: str) -> bool:
    *parents, last = jsonpointer.JsonPointer(path).parts
    parent = _resolved(document, jsonpointer.JsonPointer.from_parts(parents).path)
    return isinstance(parent, dict) and last not in parent


def _check(document: Any) -> None:
    _refuse_deep(document)
    if not isinstance(document, dict):
        raise ValueError("the result is no container")  # noqa: TRY004 one kind of error for what does not fit
    for member in ("name", "image"):
        if not document.get(member):
            raise ValueError(f"the result has no {member}")
    for member, value in document.items():
        expected = _TYPES.get(member)
        if expected is not None and value is not None and not isinstance(value, expected):
            raise ValueError(f"{member} of the result has the wrong type")
    _check_lists(document)


def _check_lists(document: Mapping[str, Any]) -> None:
    for member, item in (("command", str), ("args", str), ("env", dict), ("volumeMounts", dict)):
        items: Sequence[Any] = document.get(member) or ()
        if not all(isinstance(value, item) for value in items):
            raise ValueError(f"{member} of the result holds an item of the wrong type")
