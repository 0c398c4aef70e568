"""From an annotation's value to the path the agent reads."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.annotations import secrets
from webhook.rolecheck.acl.secret_path import (
    MOUNT_DEPTH_MAX,
    PATH_MAX,
    Located,
    SecretPath,
    Surroundings,
    candidates,
    locate,
    read,
)
from webhook.rolecheck.bindings.load import load
from webhook.yaml_text import documents


def kv(path: str, version: int = 2, **more: str) -> dict[str, Any]:
    return {"path": path, "type": "kv", "version": version, **more}


def seen_from(namespace: str, *mounts: dict[str, Any], policies: tuple[str, ...] = ()) -> Surroundings:
    head = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "mounts": mounts}
    named = [{"name": "p", "namespace": other} for other in policies]
    return Surroundings(load(json.dumps({**head, "policies": named}).encode(), documents), namespace)


MOUNTS = seen_from("", kv("secret"), kv("secret/old", 1), kv("legacy", 1), {"path": "db", "type": "database"})
TEAMS = (
    kv("secret", namespace=""),
    kv("secret", namespace="team1"),
    kv("old", 1, namespace="team1"),
    kv("kv/x", namespace="team1/sub"),
    {"path": "db", "type": "database", "namespace": "team1/sub"},
)


@pytest.mark.parametrize(
    ("value", "path", "parameters"),
    [
        ("secret/db", "secret/db", {}),
        (" /secret/db/ ", "secret/db", {}),
        ("secret//db", "secret/db", {}),
        ("secret/a%20b", "secret/a b", {}),
        ("secret/a%2520b", "secret/a%20b", {}),
        ("secret/db?version=2", "secret/db", {"version": "2"}),
        ("secret/db?Version=2&x=", "secret/db", {"version": "2", "x": ""}),
        ("secret/db?a=1&a=2", "secret/db", {"a": ["1", "2"]}),
        ("secret/db#part?x=1", "secret/db", {}),
        ("secret/ä", "secret/ä", {}),
        ("secret/...", "secret/...", {}),
    ],
)
def test_a_value_is_taken_apart(value: str, path: str, parameters: dict[str, object]) -> None:
    assert read(value) == SecretPath(path, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " / ",
        "?version=1",
        "#x",
        "a/../b",
        "a/./b",
        "a/%2e%2e/b",
        "a/%zz",
        "a/%4",
        "a/%ff",
        "a/%00",
        "a\nb",
        "a\x7f",
    ],
)
def test_a_value_that_names_no_path(value: str) -> None:
    assert read(value) is None


@given(value=st.text(max_size=30))
def test_no_value_is_too_odd(value: str) -> None:
    found = read(value)
    assert found is None or ("//" not in found.path and found.path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("secret/db", Located("secret/data/db", "secret/db", 2)),
        ("secret/data/db", Located("secret/data/db", "secret/db", 2)),
        ("secret/metadata/db", Located("secret/metadata/db", "", 2)),
        ("secret/subkeys/db", Located("secret/subkeys/db", "", 2)),
        ("secret/database/x", Located("secret/data/database/x", "secret/database/x", 2)),
        ("secret/old/db", Located("secret/old/db", "", 1)),
        ("secret/older/db", Located("secret/data/older/db", "secret/older/db", 2)),
        ("legacy/data/db", Located("legacy/data/db", "legacy/db", 1)),
        ("legacy/db", Located("legacy/db", "", 1)),
        ("db/creds/x", Located("db/creds/x", "", 0)),
        ("db/data/x", Located("db/data/x", "", 0)),
        ("cubbyhole/x", Located("cubbyhole/x", "", 0)),
        ("sys/mounts", Located("sys/mounts", "", 0)),
    ],
)
def test_the_agent_inserts_data_below_kv_version_2(path: str, expected: Located) -> None:
    assert locate(path, MOUNTS) == expected


def test_a_path_equal_to_the_mount_belongs_to_it() -> None:
    found = locate("secret", MOUNTS)
    assert found is not None
    assert found.path == "secret/data"


@pytest.mark.parametrize("path", ["secrets/db", "se/cret", "other"])
def test_a_path_of_no_mount(path: str) -> None:
    assert locate(path, MOUNTS) is None


@pytest.mark.parametrize(
    ("namespace", "path", "expected"),
    [
        ("", "secret/x", Located("secret/data/x", "secret/x", 2)),
        ("", "team1/secret/x", Located("team1/secret/data/x", "team1/secret/x", 2)),
        ("", "team1/secret/data/x", Located("team1/secret/data/x", "team1/secret/x", 2)),
        ("", "team1/old/x", Located("team1/old/x", "", 1)),
        ("", "team1/sub/kv/x/y", Located("team1/sub/kv/x/data/y", "team1/sub/kv/x/y", 2)),
        ("", "team1/sub/kv/x", Located("team1/sub/kv/x/data", "team1/sub/kv/x/", 2)),
        ("", "team1/sub/db/creds/a", Located("team1/sub/db/creds/a", "", 0)),
        ("", "team1/sub/cubbyhole/a", Located("team1/sub/cubbyhole/a", "", 0)),
        ("", "team1/sys/mounts", Located("team1/sys/mounts", "", 0)),
        ("", "team2/secret/x", None),
        ("", "team1/team1/secret/x", None),
        ("", "team1", None),
        # the agent asks in the namespace: a mount right there is as ever, one further below is hidden from it
        ("team1", "secret/x", Located("secret/data/x", "secret/x", 2)),
        ("team1", "sub/kv/x/y", Located("sub/kv/x/data/y", "sub/kv/x/y", 2, is_hidden=True)),
        ("team1", "sub/kv/x/data/y", Located("sub/kv/x/data/y", "sub/kv/x/y", 2)),
        ("team1", "sub/db/creds/a", Located("sub/db/creds/a", "", 0)),
        ("team1", "team1/secret/x", None),
        ("team1/sub", "kv/x/y", Located("kv/x/data/y", "kv/x/y", 2)),
        ("elsewhere", "secret/x", None),
    ],
)
def test_leading_segments_that_name_a_vault_namespace_lead_there(
    namespace: str, path: str, expected: Located | None
) -> None:
    assert locate(path, seen_from(namespace, *TEAMS)) == expected


def test_a_namespace_is_known_by_any_part_of_the_document() -> None:
    anywhere = seen_from("", kv("secret"), policies=("a/b",))
    assert locate("a/b/secret/x", anywhere) == Located("a/b/secret/data/x", "a/b/secret/x", 2)
    assert locate("a/secret/x", anywhere) == Located("a/secret/data/x", "a/secret/x", 2)
    assert locate("b/secret/x", anywhere) is None


def test_a_mount_listed_by_its_path_from_the_root_is_found() -> None:
    around = seen_from("", kv("team1/secret", namespace=""), policies=("team1",))
    assert locate("team1/secret/x", around) == Located("team1/secret/data/x", "team1/secret/x", 2)


@given(path=st.lists(st.sampled_from(["a", "b", "data", "x"]), min_size=1, max_size=14).map("/".join))
def test_the_longest_mount_of_the_innermost_namespace_holds_a_path(path: str) -> None:
    mounts = {"": ("a", "x/a/b"), "a2": ("a",), "b": ("a", "a/b/x"), "b/b": ("data",)}
    around = seen_from("", *(kv(mount, 1, namespace=space) for space, listed in mounts.items() for mount in listed))
    full = {f"{space}/{mount}".strip("/") for space, listed in mounts.items() for mount in listed}
    holds = any(path == mount or path.startswith(f"{mount}/") for mount in full)
    assert (locate(path, around) is not None) is holds


@pytest.mark.parametrize("odd", ["/", "x/", "%2f", "//", "data/", "a", "?x=1&", "#", "."])
def test_a_path_has_a_limit(odd: str) -> None:
    longest = "x" + odd * (PATH_MAX // len(odd) + 1)
    assert read(longest[:PATH_MAX].rstrip("%2")) is not None
    assert read(longest[: PATH_MAX + 1]) is None


def test_both_sides_have_the_same_limit() -> None:
    assert secrets.PATH_MAX == PATH_MAX


def test_where_mounts_are_unknown_few_segments_are_tried() -> None:
    inserted, _ = candidates("x/" * (PATH_MAX // 2))
    assert len(inserted) == MOUNT_DEPTH_MAX


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("secret/a/b", (("secret/data/a/b", "secret/a/data/b"), False)),
        ("secret/data/b", (("secret/data/data/b",), True)),
        ("a/metadata/b", (("a/metadata/data/b",), True)),
        ("a/data/", (("a/data/data/", "a/data/data/"), False)),
        ("a", ((), False)),
    ],
)
def test_where_mounts_are_unknown_every_slash_may_end_one(path: str, expected: object) -> None:
    found, is_prefixed = candidates(path)
    assert (tuple(sorted(found)), is_prefixed) == (tuple(sorted(expected[0])), expected[1])
