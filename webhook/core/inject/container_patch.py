"""`agent-json-patch` and `agent-init-json-patch`: the author's own changes to an agent container.

The patch sees the container as the reference injector shows it. What the jsonpatch library refuses and the reference took is
rewritten first: `replace` of an absent member, negative list indices, `replace` of the whole container.
"""

import base64
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from webhook.core.annotations.intent import Intent
from webhook.core.inject.agent_config import AgentKind
from webhook.core.refusal import refused
from webhook.reasons import Reason

Object = Mapping[str, Any]
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "image", "imagePullPolicy", "workingDir", "restartPolicy"), str),
    **dict.fromkeys(("terminationMessagePath", "terminationMessagePolicy"), str),
    **dict.fromkeys(("command", "args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices"), list),
    **dict.fromkeys(("resources", "lifecycle", "securityContext"), dict),
    **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), dict),
    **dict.fromkeys(("stdin", "stdinOnce", "tty"), bool),
}
_EMPTY: tuple[object, ...] = (None, {}, [])


def apply(intent: Intent, kind: AgentKind, container: bytes) -> bytes:
    """Return the container, JSON in and out, with the author's patch for this kind of agent applied.

    Raises:
        Refused: an operation does not apply, or the result is no container.
    """
    key = "agent-init-json-patch" if kind is AgentKind.INIT else "agent-json-patch"
    patch = intent.init_patch if kind is AgentKind.INIT else intent.sidecar_patch
    if not patch:
        return container
    document = msgspec.json.decode(container)
    if kind is not AgentKind.INIT:
        document.setdefault("lifecycle", {})
    try:
        for operation in deepcopy(patch):  # shared by pods that ask alike; what it adds becomes the document's
            document = _step(document, operation)
        _check(document)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, KeyError, TypeError, ValueError) as error:
        raise refused(
            Reason.CONTAINER_PATCH_FAILED,
            intent.annotation(key),
            f"does not apply to the agent container: {type(error).__name__} {error}",
            "Correct the operation; paths are relative to the container",
        ) from error
    return msgspec.json.encode({member: value for member, value in document.items() if value not in _EMPTY})


def config_of(container: bytes) -> Mapping[str, Any] | None:
    """Return the agent configuration a container, as JSON, is given; None when it has none we can read."""
    for variable in msgspec.json.decode(container).get("env") or ():
        if variable.get("name") in ("VAULT_CONFIG", "BAO_CONFIG"):
            value = variable.get("value")
            try:
                config = msgspec.json.decode(base64.b64decode(value or ""))
            except (ValueError, TypeError):
                return None
            return config if isinstance(config, dict) else None
    return None


def _step(document: Any, operation: Object) -> Any:
    kind, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise ValueError(f"operation {kind!r} has no path")  # noqa: TRY004 one kind of error for what does not fit
    if kind == "replace" and path == "":
        return operation["value"]
    operation = {**operation, "path": _counted_from_start(document, path)}
    if isinstance(source := operation.get("from"), str):
        operation["from"] = _counted_from_start(document, source)
    if kind == "replace" and _is_absent_member(document, operation["path"]):
        operation["op"] = "add"
    return jsonpatch.JsonPatch([operation]).apply(document, in_place=True)  # the document is ours alone


def _counted_from_start(document: Any, path: str) -> str:
    """Return the path with negative list indices counted from the list's start."""
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
    parent = jsonpointer.JsonPointer.from_parts(parents).resolve(document)
    return isinstance(parent, dict) and last not in parent


def _check(document: Any) -> None:
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
