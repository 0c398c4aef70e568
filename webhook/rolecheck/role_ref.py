"""Which role of which server: the one grammar of the paths that lead to a role.

A login posts to `NAMESPACE/auth/MOUNT`; the namespace is mostly absent. The first segment `auth` parts the two, and it alone:
`auth/auth/kubernetes` leads to the mount `auth/kubernetes`, another one than `kubernetes`. Slashes in excess count for nothing.
`.` and `..` are refused: a client may fold them away and log in at another mount than the one that was judged.
"""

from msgspec import Struct

AUTH = "auth"
ROOT = "root"
_DOTS = frozenset((".", ".."))


class RoleRef(Struct, frozen=True, array_like=True):
    """A role of a Vault server; over the socket of confirmations a list of its fields."""

    namespace: str  # Vault's, no slash at either end; "" is the root
    mount: str  # no `auth/` in front, no slash at either end; "" where `path` leads to no login
    role: str  # as written; Vault lowers the case
    server: str = ""  # the address that is used; "" where it is not known
    path: str = ""  # as written, where it leads to no login

    @classmethod
    def parse(cls, auth_path: str, vault_namespace: str = "", *, role: str = "", server: str = "") -> "RoleRef":
        """Return the role a login names; its mount is "" where no login can succeed at the path.

        Args:
            auth_path: such as `auth/kubernetes` or `team-a/auth/kubernetes`.
            vault_namespace: what the login says of its namespace besides.
            role: its name.
            server: the address of Vault.
        """
        namespace, segments = namespace_of(vault_namespace), _segments(auth_path)
        if AUTH not in segments[:-1] or has_dots(auth_path) or has_dots(namespace):
            return cls(namespace, "", role, server, auth_path)
        position = segments.index(AUTH)
        if position:
            namespace = "/".join(filter(None, (namespace, *segments[:position])))
        return cls(namespace, "/".join(segments[position + 1 :]), role, server)

    @property
    def name(self) -> str:
        """Return the role's name as Vault keeps it."""
        return self.role.lower()

    @property
    def auth_path(self) -> str:
        """Return the mount as Vault's commands take it, with `auth/`; the path as written where it leads to no login."""
        return f"{AUTH}/{self.mount}" if self.mount else self.path


def namespace_of(written: str) -> str:
    """Return a Vault namespace as it is sent with a request: no slash at either end; `root` is the root, which is ""."""
    namespace = written.strip("/")
    return "" if namespace == ROOT else namespace


def mount_path(written: str) -> str:
    """Return the path of a mount as documents and settings write it: with `auth/` in front, or without."""
    segments = _segments(written)
    return "/".join(segments[1:] if AUTH in segments[:-1][:1] else segments)


def has_dots(path: str) -> bool:
    """Tell whether a segment of the path is `.` or `..`."""
    return "." in path and not _DOTS.isdisjoint(path.split("/"))


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
