"""Paths that lead to a role: one grammar."""

import msgspec
import pytest

from webhook.rolecheck.role_ref import RoleRef, mount_path


@pytest.mark.parametrize(
    ("path", "namespace", "expected"),
    [
        ("auth/kubernetes", "", ("", "kubernetes")),
        ("/auth/k8s/prod/", "", ("", "k8s/prod")),
        ("//auth//kubernetes//", "", ("", "kubernetes")),
        ("a/b/auth/k8s", "/root-ns/", ("root-ns/a/b", "k8s")),
        ("auth/auth/k8s", "", ("", "auth/k8s")),
        ("a/auth/auth/auth", "", ("a", "auth/auth")),
        ("auth/k8s", "team..a", ("team..a", "k8s")),
        ("auth/.k8s/a.b", "", ("", ".k8s/a.b")),
    ],
)
def test_the_first_auth_parts_namespace_and_mount(path: str, namespace: str, expected: tuple[str, str]) -> None:
    ref = RoleRef.parse(path, namespace, role="Shop", server="https://vault:8200")
    assert (ref.namespace, ref.mount) == expected
    assert (ref.role, ref.name, ref.server) == ("Shop", "shop", "https://vault:8200")
    assert ref.auth_path == f"auth/{ref.mount}"


@pytest.mark.parametrize(
    ("path", "namespace"),
    [
        *[
            (path, "")
            for path in ("", "/", "auth", "auth/", "a/auth", "kubernetes", "Auth/kubernetes", "authx/kubernetes")
        ],
        *[(path, "") for path in ("auth/x/../kubernetes", "auth/.", "auth/..", "./auth/k", "x/../auth/k", "auth/k/.")],
        *[("auth/kubernetes", namespace) for namespace in (".", "..", "a/..", "./a", "a/./b")],
    ],
)
def test_what_leads_to_no_login_keeps_its_path(path: str, namespace: str) -> None:
    ref = RoleRef.parse(path, namespace, role="shop")
    assert (ref.mount, ref.auth_path) == ("", path)


def test_spellings_of_one_role_are_equal() -> None:
    assert RoleRef.parse("auth/k8s", "root/", role="x") == RoleRef.parse("auth/k8s", role="x")  # the root's other name
    assert RoleRef.parse("/a//auth/k8s/", role="x") == RoleRef.parse("auth/k8s", "a/", role="x")
    assert len({RoleRef.parse("auth/k8s", role="x"), RoleRef.parse("auth//k8s", role="x")}) == 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("kubernetes", "kubernetes"),
        ("auth/kubernetes/", "kubernetes"),
        ("/auth//k8s/prod/", "k8s/prod"),
        ("auth/auth/kubernetes", "auth/kubernetes"),
        ("auth", "auth"),
        ("auth/", "auth"),
        ("/", ""),
        ("", ""),
        ("authentic/x", "authentic/x"),
    ],
)
def test_exactly_one_auth_in_front_of_a_mount_counts(written: str, expected: str) -> None:
    assert mount_path(written) == expected


def test_it_goes_over_a_socket_as_a_short_list() -> None:
    assert msgspec.json.decode(b'["", "kubernetes", "shop"]', type=RoleRef) == RoleRef("", "kubernetes", "shop")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'["", "kubernetes"]', type=RoleRef)
