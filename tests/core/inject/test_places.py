"""One place has many spellings, and a mount at, above or below it covers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.inject.places import Places, is_system, parts_of


@pytest.mark.parametrize(
    "path",
    [
        "/var/run/secrets",
        "/run/secrets",
        "/var/run/secrets/",
        "//run//secrets",
        "///run/secrets",
        "/run/x/../secrets",
        "/./run/./secrets/.",
        "run/secrets",
        "../run/secrets",
        "/var/../var/run/secrets",
        "/var/x/../run/secrets",
    ],
)
def test_spellings_of_one_place(path):
    assert parts_of(path) == ("run", "secrets")


@pytest.mark.parametrize("path", ["", "/", "//", ".", "/..", "/a/.."])
def test_spellings_of_the_root(path):
    assert parts_of(path) == ()


@pytest.mark.parametrize(
    ("mount", "covers"),
    [
        ("/home/vault", True),
        ("/home/vault/x/y", True),
        ("/home", True),
        ("/", True),
        ("/home/vaulted", False),
        ("/home/other", False),
        ("/data", False),
        ("/a", True),
        ("/a/b/c/d", True),
        ("/a/c", False),
    ],
)
def test_what_covers_a_place(mount, covers):
    assert Places(["/home/vault", "/a/b/c"]).are_covered_by(parts_of(mount)) is covers


parts = st.lists(st.sampled_from("abc"), max_size=4).map(tuple)


@given(st.lists(parts, max_size=4), parts)
def test_covering_is_being_a_prefix_either_way(places, mount):
    expected = any(mount[: len(place)] == place or place[: len(mount)] == mount for place in places)
    assert Places(["/" + "/".join(place) for place in places]).are_covered_by(mount) is expected


SYSTEM = (
    "/ /bin /bin/vault /sbin/x /usr /usr/local/bin /lib /lib64/x /libx32 /proc/1 /dev/shm /sys/fs /etc /etc/hosts /opt/../bin"
    " /etc/ssl/certs/ca.crt /etc/pki/tls /etc/passwd /etc/ld.so.preload /etc/resolv.conf /etc/ld-musl-x86_64.path etc/hosts"
)


@pytest.mark.parametrize("path", SYSTEM.split())
def test_places_of_the_system(path):
    assert is_system(parts_of(path), whole_etc=False)


@pytest.mark.parametrize(
    ("path", "whole_etc"),
    [("/etc/templates", False), ("/data", True), ("/opt/bin", True), ("/var/lib/app", True), ("/binary", True)],
)
def test_places_of_the_author(path, whole_etc):
    assert not is_system(parts_of(path), whole_etc=whole_etc)


def test_all_of_etc_where_a_preset_is_to_hold():
    assert is_system(parts_of("/etc/templates"), whole_etc=True)
