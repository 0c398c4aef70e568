"""From an annotation's value to the path the agent reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.rolecheck.acl.secret_path import Located, SecretPath, candidates, locate, read
from webhook.rolecheck.bindings.snapshot import SecretMount

MOUNTS = {
    mount.path: mount
    for mount in (
        SecretMount(path="secret", kv_version=2),
        SecretMount(path="secret/old", kv_version=1),
        SecretMount(path="legacy", kv_version=1),
        SecretMount(path="db", kv_version=0),
    )
}


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
