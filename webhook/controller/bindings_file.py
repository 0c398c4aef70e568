"""Known to the bindings document and back, and its file: JSON for people, replaced in one step."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from webhook.controller.known import NEVER, Body, Key, Known, KnownMount, MountKey, Space, has_roles, policies_of
from webhook.rolecheck.bindings.load import API_VERSION, KIND
from webhook.rolecheck.bindings.vault_values import unix_time
from webhook.settings.control import Control

Json = dict[str, Any]
FILE_MODE = 0o644  # holds names and policies, no secret; the server may run as somebody else


def of(known: Known, control: Control) -> Json:
    """Return the document of all that is known."""
    return {
        **_head(known, control),
        "complete": {
            "auth": _knows_all_mounts(known, control),
            "policies": all(space.policies_are_known for space in _polled_spaces(known, control)),
            "mounts": all(space.secret_mounts is not None for space in _polled_spaces(known, control)),
        },
        "auth": [_mount(key, mount) for key, mount in sorted(known.mounts.items())],
        **(_policies_and_mounts(known.spaces) if control.wants_policies else {}),
        **(
            {"namespaces": {name: {"labels": labels} for name, labels in sorted(known.labels.items())}}
            if known.labels
            else {}
        ),
    }


def of_role(known: Known, control: Control, key: Key, kube_namespace: str, *, confirmed_at: float | None) -> Json:
    """Return the document of one role, its policies and one Kubernetes namespace: the answer to a question.

    Args:
        known: all that is known.
        control: the settings.
        key: of the role.
        kube_namespace: whose labels belong to the answer.
        confirmed_at: when Vault told of the role: then one that is not in the answer does not exist. None: it did not.
    """
    mount = known.mounts.get((key.namespace, key.mount))
    text = None if mount is None else mount.roles.get(key.name)
    names = set() if text is None or text.value is None else set(policies_of(text.value))
    space = known.space(key.namespace)
    one = Space(
        policies={name: text for name, text in space.policies.items() if name in names},
        policies_are_known=space.policies_are_known,
        secret_mounts=space.secret_mounts,
    )
    labels = known.labels.get(kube_namespace)
    return {
        **_head(known, control),
        "complete": {"auth": False, "policies": space.policies_are_known, "mounts": space.secret_mounts is not None},
        "auth": [] if mount is None else [_mount_of_role(key, mount, text, confirmed_at)],
        **(_policies_and_mounts({key.namespace: one}) if control.wants_policies else {}),
        **({"namespaces": {kube_namespace: {"labels": labels}}} if labels is not None else {}),
    }


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON with one member a line."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def read(content: bytes) -> Known:
    """Return what a document of ours tells, as if it had just been asked for; its age stays.

    Raises:
        ValueError: it is no document of ours.
    """
    try:
        return _known(msgspec.json.decode(content, type=dict[str, Any]))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no document of ours: {error}") from error


def write(path: Path, content: bytes) -> None:
    """Put the content at path: a reader, after a crash too, sees the old or the new one, never a part.

    Raises:
        OSError: there is no room, or we may not.
    """
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _head(known: Known, control: Control) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "server": {"product": known.product, "address": control.agents_address},
        "identityModel": control.identity_model,
        **({} if known.fetched_at is None else {"fetchedAt": _rfc3339(known.fetched_at)}),
    }


def _knows_all_mounts(known: Known, control: Control) -> bool:
    """Tell whether a mount that is not in the document exists nowhere: only then is it absent for sure."""
    polled = {namespace for namespace, _ in control.mounts}
    if known.fetched_at is None or "" not in polled:
        return False
    spaces = [(namespace, known.space(namespace)) for namespace in polled]
    return all(
        space.auth_is_known
        and space.children is not None
        and all("/".join(filter(None, (namespace, child))) in polled for child in space.children)
        for namespace, space in spaces
    )


def _polled_spaces(known: Known, control: Control) -> Iterator[Space]:
    for namespace in dict.fromkeys(namespace for namespace, _ in control.mounts):
        yield known.space(namespace)


def _mount(key: MountKey, mount: KnownMount) -> Json:
    """Return a mount; the roles of one that was never listed are not all there."""
    head = {"path": key[1], "namespace": key[0], "type": mount.type, "accessor": mount.accessor}
    if not has_roles(mount):
        return head
    return {
        **head,
        "complete": mount.fetched_at is not None,
        **({} if mount.fetched_at is None else {"fetchedAt": _rfc3339(mount.fetched_at)}),
        **({} if mount.config is None else {"config": mount.config}),
        "roles": {name: text.value for name, text in sorted(mount.roles.items())},
    }


def _mount_of_role(key: Key, mount: KnownMount, text: Body[Json] | None, confirmed_at: float | None) -> Json:
    one = replace(mount, roles={} if text is None else {key.name: text}, fetched_at=confirmed_at)
    return _mount((key.namespace, key.mount), one)


def _policies_and_mounts(by_namespace: Mapping[str, Space]) -> Json:
    spaces = sorted(by_namespace.items())
    policies = list(_policies(spaces))
    mounts = [{"namespace": namespace, **mount} for namespace, space in spaces for mount in space.secret_mounts or ()]
    knows_policies = any(space.policies_are_known for _, space in spaces)
    knows_mounts = any(space.secret_mounts is not None for _, space in spaces)
    return {
        **({"policies": policies} if policies or knows_policies else {}),
        **({"mounts": mounts} if knows_mounts else {}),
    }


def _policies(spaces: Iterable[tuple[str, Space]]) -> Iterator[Json]:
    for namespace, space in spaces:
        for name, text in sorted(space.policies.items()):
            head = {"name": name, "namespace": namespace}
            yield head if text.value is None else {**head, "hcl": text.value}


def _known(document: Json) -> Known:
    known = Known(
        fetched_at=unix_time(document.get("fetchedAt")),
        product=document["server"]["product"],
        labels={name: item["labels"] for name, item in document.get("namespaces", {}).items()},
    )
    for item in document["auth"]:
        known.mounts[item["namespace"], item["path"]] = KnownMount(
            type=item["type"],
            accessor=item["accessor"],
            fetched_at=unix_time(item.get("fetchedAt")),
            config=item.get("config"),
            roles={name: Body(value, NEVER) for name, value in item.get("roles", {}).items()},
        )
    for item in document.get("policies", ()):
        known.space(item["namespace"]).policies[item["name"]] = Body(item.get("hcl"), NEVER)
    complete = document["complete"]
    for namespace in {namespace for namespace, _ in known.mounts}:
        space = known.space(namespace)
        space.policies_are_known = complete["policies"] and "policies" in document
        if complete["auth"]:
            space.auth_is_known, space.children = True, ()
        if complete["mounts"] and "mounts" in document:
            own = (mount for mount in document["mounts"] if mount["namespace"] == namespace)
            space.secret_mounts = tuple({name: mount[name] for name in mount if name != "namespace"} for mount in own)
    return known


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
