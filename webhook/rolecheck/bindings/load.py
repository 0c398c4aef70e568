"""The bindings document: bytes in, one Snapshot out, or a BindingsError that names the place and how to mend it.

Every role is read and checked here, in one pass, role by role: a document that loads never fails later.
An error names the item it is about (section, index, role), so that whoever made the document can leave that item out.
To add a field: a member of its shape in shapes.py or roles.py, and of the value in snapshot.py that it ends in.
"""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter

import msgspec

from webhook.one_line import clean
from webhook.rolecheck.bindings.roles import FLAG_FIELDS, NUMBER_FIELDS, RoleShape
from webhook.rolecheck.bindings.selector import ParseYaml
from webhook.rolecheck.bindings.selector import parse as parse_selector
from webhook.rolecheck.bindings.shapes import (
    BindingsError,
    CompleteShape,
    ConfigShape,
    DocumentShape,
    MountShape,
    NamespaceShape,
    PolicyShape,
    RoleNameShape,
    SecretMountShape,
    ServerShape,
    decode,
)
from webhook.rolecheck.bindings.snapshot import AuthConfig, AuthMount, PolicyEntry, SecretMount, SecretMounts, Snapshot
from webhook.rolecheck.bindings.vault_values import Flag, Number, flag, seconds, unix_time
from webhook.rolecheck.role_ref import mount_path, namespace_of

__all__ = ["BindingsError", "Snapshot", "load", "load_json"]

API_VERSION = "vault-bindings/v1"
KIND = "BindingSnapshot"
KV_VERSIONS = (1, 2)
_AUTH_PATHS = "Keep one of them; `x` and `auth/x` name the same mount, `auth/auth/x` names the mount `auth/x`."

_DOCUMENT = msgspec.json.Decoder(DocumentShape)
_MOUNT = msgspec.json.Decoder(MountShape)
_ROLE = msgspec.json.Decoder(RoleShape)
_ROLE_NAME = msgspec.json.Decoder(RoleNameShape)
_POLICY = msgspec.json.Decoder(PolicyShape)
_SECRET_MOUNT = msgspec.json.Decoder(SecretMountShape)
_NAMESPACE = msgspec.json.Decoder(NamespaceShape)
_NUMBERS = attrgetter(*NUMBER_FIELDS)
_FLAGS = attrgetter(*FLAG_FIELDS)
_PLAIN_NUMBERS = frozenset((int, type(None)))  # what needs no second look, unless negative
_PLAIN_FLAGS = frozenset((True, False, None))
_ROLES_BY_NAME = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROLES_LISTED = msgspec.json.Decoder(list[msgspec.Raw])


def load(document: bytes, parse_yaml: ParseYaml) -> Snapshot:
    """Return the snapshot the document describes.

    Args:
        document: JSON or YAML text of kind BindingSnapshot; unknown fields are ignored.
        parse_yaml: yields the documents of a YAML text, and raises ValueError where it is none.

    Raises:
        BindingsError: the document cannot be used; the message names the place and the remedy.
    """
    return _snapshot(_json(document, parse_yaml), parse_yaml)


def load_json(document: bytes, parse_yaml: ParseYaml | None = None) -> Snapshot:
    """Return the snapshot of a document that a program wrote.

    Args:
        document: JSON text, never YAML.
        parse_yaml: for the selectors of roles, which people write; None where nobody is judged by the snapshot.

    Raises:
        BindingsError: as `load`.
    """
    return _snapshot(document, parse_yaml or _no_yaml)


def _no_yaml(_: bytes) -> Iterator[object]:
    raise ValueError("no YAML is read here")


def _snapshot(document: bytes, parse_yaml: ParseYaml) -> Snapshot:
    text = decode(document, _DOCUMENT, "")
    _check_kind(text)
    server, complete = text.server or ServerShape(), text.complete or CompleteShape()
    return Snapshot(
        product=_choice(server.product or "vault", ("vault", "openbao"), "server.product"),
        server_address=server.address or "",
        fetched_at=_time(text.fetchedAt, "fetchedAt"),
        identity_is_managed=_choice(text.identityModel or "automatic", ("automatic", "managed"), "identityModel")
        == "managed",
        auth_is_complete=_flag(complete.auth, "complete.auth", default=True),
        policies_are_complete=_flag(complete.policies, "complete.policies", default=True),
        mounts_are_complete=_flag(complete.mounts, "complete.mounts", default=True),
        auth_mounts=_auth_mounts(text.auth or (), parse_yaml),
        policies=None if text.policies is None else _policies(text.policies),
        secret_mounts=None if text.mounts is None else _secret_mounts(text.mounts),
        namespaces=_namespaces(text.namespaces or {}),
    )


def _json(document: bytes, parse_yaml: ParseYaml) -> bytes:
    """Return the document as JSON text; YAML is turned into it, so that there is one way to read both."""
    try:
        msgspec.json.decode(document, type=msgspec.Raw)
    except msgspec.DecodeError:
        return _yaml_as_json(document, parse_yaml)
    except RecursionError as error:  # what is nested so deep up to here is JSON; as YAML it would only take longer
        raise BindingsError("document", "nested too deep", "Write what the format asks for.") from error
    return document


def _yaml_as_json(document: bytes, parse_yaml: ParseYaml) -> bytes:
    try:
        documents = list(parse_yaml(document))
        encoded = msgspec.json.encode(documents[0] if documents else None)
    except (ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise BindingsError("document", clean(error, 150), "Write one JSON or YAML document.") from error
    if len(documents) != 1:
        raise BindingsError("document", f"{len(documents)} YAML documents", "Write exactly one in a file.")
    return encoded


def _check_kind(text: DocumentShape) -> None:
    for place, value, wanted in (("apiVersion", text.apiVersion, API_VERSION), ("kind", text.kind, KIND)):
        if value != wanted:
            raise BindingsError(place, f"{clean(value)} is not {wanted}", f"Write `{place}: {wanted}`.")


def _auth_mounts(raws: Iterable[msgspec.Raw], parse_yaml: ParseYaml) -> dict[tuple[str, str], AuthMount]:
    mounts: dict[tuple[str, str], AuthMount] = {}
    for index, raw in enumerate(raws):
        with _item("auth", index) as place:
            mount = _auth_mount(decode(raw, _MOUNT, place), place, parse_yaml)
            if (mount.namespace, mount.path) in mounts:
                raise _duplicate(f"{place}.path", f"auth mount auth/{clean(mount.path)}", _AUTH_PATHS)
        mounts[mount.namespace, mount.path] = mount
    return mounts


@contextmanager
def _item(section: str, index: int) -> Iterator[str]:
    """Yield the place of an item; an error that is raised inside is about this item."""
    try:
        yield f"{section}[{index}]"
    except BindingsError as error:
        error.section, error.index = section, index
        raise


def _auth_mount(text: MountShape, place: str, parse_yaml: ParseYaml) -> AuthMount:
    path = mount_path(text.path or "")
    if not path or not text.type:
        raise BindingsError(place, "a mount needs a path and a type", "Take both from `vault auth list`.")
    texts = dict(_roles(text.roles, f"{place}.roles"))
    return AuthMount(
        path=path,
        namespace=namespace_of(text.namespace or ""),
        type=text.type,
        accessor=text.accessor or "",
        complete=_flag(text.complete, f"{place}.complete", default=True),
        fetched_at=_time(text.fetchedAt, f"{place}.fetchedAt"),
        config=_config(text.config, f"{place}.config"),
        texts=texts,
        selectors={selector: parse_selector(selector, parse_yaml) for selector in _selectors(texts.values())},
    )


def _selectors(texts: Iterable[RoleShape | None]) -> set[str]:
    return {
        text.bound_service_account_namespace_selector
        for text in texts
        if text is not None and text.bound_service_account_namespace_selector
    }


def _config(text: ConfigShape | None, place: str) -> AuthConfig:
    if text is None:
        return AuthConfig()
    validates = not _flag(text.disable_iss_validation, f"{place}.disable_iss_validation", default=True)
    reviewer = _flag(text.token_reviewer_jwt_set, f"{place}.token_reviewer_jwt_set", default=True)
    metadata = f"{place}.use_annotations_as_alias_metadata"
    return AuthConfig(
        is_known=True,
        issuer=(text.issuer or "") if validates else "",
        reviewer_is_missing=not reviewer and _flag(text.disable_local_ca_jwt, f"{place}.disable_local_ca_jwt"),
        has_annotation_metadata=_flag(text.use_annotations_as_alias_metadata, metadata),
        bound_issuer=text.bound_issuer or "",
    )


def _roles(raw: msgspec.Raw, place: str) -> Iterator[tuple[str, RoleShape | None]]:
    """Yield the roles of one mount by lower-case name, each checked."""
    seen: set[str] = set()
    for name, role_place, role in _named_roles(raw, place):
        try:
            if name in seen:
                raise _duplicate(role_place, f"role {clean(name)}", "Keep one of them; case does not tell names apart.")
            text = _role_text(role, role_place)
        except BindingsError as error:
            error.role = name
            raise
        seen.add(name)
        yield name, text


def _named_roles(raw: msgspec.Raw, place: str) -> Iterator[tuple[str, str, msgspec.Raw]]:
    first = bytes(memoryview(raw)[:1])
    if first == b"{":
        for name, role in _ROLES_BY_NAME.decode(raw).items():
            yield name.lower(), f"{place}.{name}", role
    elif first == b"[":
        for index, role in enumerate(_ROLES_LISTED.decode(raw)):
            yield _role_name(role, f"{place}[{index}]"), f"{place}[{index}]", role
    elif first != b"n":
        raise BindingsError(place, "neither mapping nor list", "Write a mapping of names to roles.")


def _role_name(raw: msgspec.Raw, place: str) -> str:
    text = decode(raw, _ROLE_NAME, place)
    name = text.role_name or text.name
    if not name:
        raise BindingsError(place, "a role in a list needs a name", "Write `role_name`, or use a mapping of names.")
    return name.lower()


def _role_text(raw: msgspec.Raw, place: str) -> RoleShape | None:
    if _is_null(raw):
        return None
    text = decode(raw, _ROLE, place)
    if text.data and text.bound_service_account_names is None and text.user_claim is None:
        if _is_null(text.data):
            return None
        place = f"{place}.data"
        text = decode(text.data, _ROLE, place)  # once, as the command wraps it
    text.data = msgspec.Raw()
    numbers, flags = _NUMBERS(text), _FLAGS(text)
    if not _PLAIN_NUMBERS.issuperset(map(type, numbers)) or min(filter(None, numbers), default=0) < 0:
        _check_numbers(numbers, place)
    if not _PLAIN_FLAGS.issuperset(flags):
        for name, value in zip(FLAG_FIELDS, flags, strict=True):
            _flag(value, f"{place}.{name}")
    return text


def _is_null(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"n"


def _check_numbers(numbers: Iterable[Number], place: str) -> None:
    for name, value in zip(NUMBER_FIELDS, numbers, strict=True):
        try:
            seconds(value)
        except ValueError as error:
            remedy = "Write seconds, or a duration such as 1h30m."
            raise BindingsError(f"{place}.{name}", f"{error} is no duration", remedy) from error


def _policies(raws: Iterable[msgspec.Raw]) -> dict[tuple[str, str], PolicyEntry]:
    policies: dict[tuple[str, str], PolicyEntry] = {}
    for index, raw in enumerate(raws):
        with _item("policies", index) as place:
            text = decode(raw, _POLICY, place)
            policy = _policy(text, place)
            key = namespace_of(text.namespace or ""), policy.name
            if key in policies:
                raise _duplicate(
                    f"{place}.name", f"policy {clean(policy.name)}", "Keep one; case does not tell them apart."
                )
            policies[key] = policy
    return policies


def _policy(text: PolicyShape, place: str) -> PolicyEntry:
    name = (text.name or "").strip().lower()
    if not name:
        raise BindingsError(f"{place}.name", "a policy needs a name", "Take it from `vault policy list`.")
    slashes = f"{place}.allow_slashes_in_identity_templates"
    return PolicyEntry(
        name=name,
        text=text.hcl if text.hcl is not None else text.policy,
        allows_slashes=_flag(text.allow_slashes_in_identity_templates, slashes),
    )


def _secret_mounts(raws: Iterable[msgspec.Raw]) -> SecretMounts:
    mounts: dict[str | None, dict[str, SecretMount]] = {}
    for index, raw in enumerate(raws):
        with _item("mounts", index) as place:
            text = decode(raw, _SECRET_MOUNT, place)
            path = (text.path or "").strip("/")
            if not path:
                raise BindingsError(f"{place}.path", "a mount needs a path", "Take it from `vault secrets list`.")
            siblings = mounts.setdefault(None if text.namespace is None else namespace_of(text.namespace), {})
            if path in siblings:
                raise _duplicate(f"{place}.path", f"secrets mount {clean(path)}", "Keep one of them.")
            siblings[path] = SecretMount(path=path, kv_version=_kv_version(text, place))
    anywhere = mounts.setdefault(None, {})
    return {namespace: own if namespace is None else ChainMap(own, anywhere) for namespace, own in mounts.items()}


def _kv_version(text: SecretMountShape, place: str) -> int:
    if text.type == "generic":
        return 1
    if text.type != "kv":
        return 0
    stated = text.options.version if text.options is not None and text.options.version else text.version
    version = str(stated or 1).strip()
    if version not in map(str, KV_VERSIONS):
        raise BindingsError(f"{place}.options.version", f"{clean(version)} is no KV version", 'Write "1" or "2".')
    return int(version)


def _namespaces(raws: Mapping[str, msgspec.Raw]) -> dict[str, Mapping[str, str]]:
    """Return the labels by namespace; one whose labels are not given stays unknown."""
    labels: dict[str, Mapping[str, str]] = {}
    for name, raw in raws.items():
        if _is_null(raw):
            continue
        text = decode(raw, _NAMESPACE, f"namespaces.{name}")
        if text.labels is not None:
            labels[name] = text.labels
    return labels


def _duplicate(place: str, what: str, remedy: str) -> BindingsError:
    return BindingsError(place, f"{what} is given twice", remedy)


def _flag(value: Flag, place: str, *, default: bool = False) -> bool:
    try:
        return flag(value, default=default)
    except ValueError as error:
        raise BindingsError(place, f"{error} is no truth value", "Write true or false.") from error


def _time(value: str | None, place: str) -> float | None:
    try:
        return unix_time(value)
    except ValueError as error:
        raise BindingsError(place, f"{error} is no time", "Write RFC 3339, such as 2026-02-03T10:00:00Z.") from error


def _choice(value: str, choices: tuple[str, ...], place: str) -> str:
    if value not in choices:
        raise BindingsError(place, f"{clean(value)} is none of {', '.join(choices)}", "Write one of them.")
    return value
