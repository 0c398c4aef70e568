"""The shapes of a bindings document's JSON, and how one of them is read so that a wrong value is named by its place.

To add a field: a member of the shape it belongs to; unknown fields are ignored.
"""

from typing import Any, TypeVar, get_args

import msgspec

from webhook.one_line import clean
from webhook.rolecheck.bindings.vault_values import Flag, Names, Number

Shape = TypeVar("Shape", bound=msgspec.Struct)

_WANTED: dict[object, str] = {
    Names: "Write a list of strings, or one string with commas.",
    Number: "Write seconds, or a duration such as 1h30m.",
    Flag: "Write true or false.",
    str | None: "Write a string, in quotes where it looks like a number.",
    dict[str, str] | None: "Write a mapping of strings to strings.",
    int | str | None: "Write a whole number.",
    list[msgspec.Raw] | None: "Write a list.",
}
_WANTED_ELSE = "Write a mapping."


class BindingsError(ValueError):
    """The document cannot be used; the last good one stays in force.

    Attributes:
        place: where in the document, for people: `auth[0].roles.web.audience`.
        section: the list that holds the item in question: `auth`, `policies` or `mounts`; "": the document is wrong as a whole.
        index: of that item, from 0; None where there is no section.
        role: the role of that auth mount, in lower case; "": the item itself.
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        self.place = place or "document"
        self.section = ""
        self.index: int | None = None
        self.role = ""
        super().__init__(f"{clean(self.place, 200)}: {problem}. {remedy}")


class ServerShape(msgspec.Struct):
    """Which server the document speaks of."""

    product: str | None = None
    address: str | None = None


class CompleteShape(msgspec.Struct):
    """What of the document is exhaustive; each absent member counts as true."""

    auth: Flag = None
    policies: Flag = None
    mounts: Flag = None


class NamespaceShape(msgspec.Struct):
    """A Kubernetes namespace."""

    labels: dict[str, str] | None = None


class ConfigShape(msgspec.Struct):
    """An auth mount's configuration: the fields the check needs."""

    issuer: str | None = None
    disable_iss_validation: Flag = None
    disable_local_ca_jwt: Flag = None
    token_reviewer_jwt_set: Flag = None
    use_annotations_as_alias_metadata: Flag = None
    bound_issuer: str | None = None


class MountShape(msgspec.Struct):
    """One auth mount; its roles are read one by one."""

    path: str | None = None
    namespace: str | None = None
    type: str | None = None
    accessor: str | None = None
    complete: Flag = None
    fetchedAt: str | None = None  # noqa: N815 the document's spelling
    config: ConfigShape | None = None
    roles: msgspec.Raw = msgspec.Raw(b"null")


class PolicyShape(msgspec.Struct):
    """One ACL policy."""

    name: str | None = None
    namespace: str | None = None
    hcl: str | None = None
    policy: str | None = None
    allow_slashes_in_identity_templates: Flag = None


class OptionsShape(msgspec.Struct):
    """A secrets mount's options."""

    version: int | str | None = None


class SecretMountShape(msgspec.Struct):
    """One secrets mount."""

    path: str | None = None
    namespace: str | None = None
    type: str | None = None
    version: int | str | None = None
    options: OptionsShape | None = None


class DocumentShape(msgspec.Struct):
    """The whole."""

    apiVersion: str | None = None  # noqa: N815 the document's spelling
    kind: str | None = None
    server: ServerShape | None = None
    fetchedAt: str | None = None  # noqa: N815 the document's spelling
    complete: CompleteShape | None = None
    identityModel: str | None = None  # noqa: N815 the document's spelling
    auth: list[msgspec.Raw] | None = None
    policies: list[msgspec.Raw] | None = None
    mounts: list[msgspec.Raw] | None = None
    namespaces: dict[str, msgspec.Raw] | None = None


class RoleNameShape(msgspec.Struct):
    """What names a role that stands in a list."""

    role_name: str | None = None  # Terraform's
    name: str | None = None


def decode(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Shape], place: str) -> Shape:
    """Return the value in the decoder's shape.

    Raises:
        BindingsError: the value or one of its members has another type; the message names it.
    """
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _named(raw, decoder.type, place, error) from error


def _named(raw: bytes | msgspec.Raw, shape: Any, place: str, error: Exception) -> BindingsError:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return BindingsError(place, clean(error, 120), "Write UTF-8 text, nested no deeper than the format asks for.")
    place, value, wanted = _first_wrong(place, value, shape)
    return BindingsError(place, f"{clean(value)} is not what belongs here", wanted)


def _first_wrong(place: str, value: object, shape: Any) -> tuple[str, object, str]:
    """Return the place and value of the first member that does not fit the shape, and what to write instead."""
    if not isinstance(value, dict):
        return place, value, _WANTED_ELSE
    for field in msgspec.structs.fields(shape):
        member = value.get(field.encode_name)
        if not _fits(member, field.type):
            inside = f"{place}.{field.encode_name}".lstrip(".")
            nested = next((kind for kind in get_args(field.type) if _is_shape(kind)), None)
            if nested is not None:
                return _first_wrong(inside, member, nested)
            return inside, member, _WANTED.get(field.type, _WANTED_ELSE)
    return place, value, _WANTED_ELSE


def _is_shape(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fits(value: object, kind: Any) -> bool:
    if kind is msgspec.Raw:
        return True
    if kind == list[msgspec.Raw] | None:
        return value is None or isinstance(value, list)
    if kind == dict[str, msgspec.Raw] | None:
        return value is None or isinstance(value, dict)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
