"""The JSON Schema of the bindings document, made from the shapes that the loader reads it with."""

import json
from typing import Any

import msgspec

from webhook.rolecheck.bindings.load import API_VERSION, KIND
from webhook.rolecheck.bindings.roles import RoleShape
from webhook.rolecheck.bindings.shapes import (
    DocumentShape,
    MountShape,
    NamespaceShape,
    PolicyShape,
    RoleNameShape,
    SecretMountShape,
)

AUTH_PATH = (
    "with or without one `auth/` in front: `auth/auth/x` is the mount `auth/x`, `auth/x` and `x` are the mount `x`"
)
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARTS = (DocumentShape, MountShape, RoleShape, RoleNameShape, PolicyShape, SecretMountShape, NamespaceShape)


def bindings() -> str:
    """Return docs/bindings.schema.json; members the loader reads one by one are put in their places."""
    _, parts = msgspec.json.schema_components([_without_raw(part) for part in _PARTS], ref_template="#/$defs/{name}")
    whole = parts.pop("DocumentShape")
    members = whole["properties"]
    members["apiVersion"], members["kind"] = {"const": API_VERSION}, {"const": KIND}
    members["auth"] = _list_of("MountShape")
    members["policies"] = _list_of("PolicyShape")
    members["mounts"] = _list_of("SecretMountShape")
    members["namespaces"] = {"anyOf": [_mapping_to(_part("NamespaceShape")), {"type": "null"}]}
    role = {"anyOf": [_part("RoleShape"), {"type": "null", "description": "exists, and could not be read"}]}
    listed = {"type": "array", "items": {"allOf": [_part("RoleShape"), _part("RoleNameShape")]}}
    parts["MountShape"]["properties"]["roles"] = {"anyOf": [_mapping_to(role), listed, {"type": "null"}]}
    parts["MountShape"]["required"] = ["path", "type"]
    parts["MountShape"]["properties"]["path"]["description"] = AUTH_PATH
    parts["RoleShape"]["properties"]["data"] = {
        **_part("RoleShape"),
        "description": "as `vault read -format=json` wraps a role",
    }
    head = {"$schema": DIALECT, "title": "Vault role bindings", "required": ["apiVersion", "kind"]}
    return json.dumps({**whole, **head, "$defs": parts}, indent=2) + "\n"


def _without_raw(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return the shape with members that are read later as ones of any type; msgspec has no schema for raw ones."""
    fields = msgspec.structs.fields(shape)
    plain = [(field.name, Any if field.type is msgspec.Raw else field.type, None) for field in fields]
    made: type[msgspec.Struct] = msgspec.defstruct(shape.__name__, plain)
    made.__doc__ = shape.__doc__
    return made


def _part(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list_of(name: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "array", "items": _part(name)}, {"type": "null"}]}


def _mapping_to(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}
