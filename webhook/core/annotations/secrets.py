"""The files a pod asks for: `agent-inject-secret-<name>` and the annotations that belong to it.

A secret is declared by a value that is not blank under `agent-inject-secret-`, `-template-` or `-template-file-`. Its other
annotations are found by the same name, case included.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from webhook.core.annotations import go_values
from webhook.core.annotations.intent import SecretRequest

_DECLARING = ("path", "template", "template_file")
DECLARATION = "agent-inject-secret-"
FILE_FIELD = "template_file"
INLINE_FIELD = "template"
PATH_MAX = (
    4_096  # characters of a secret's path, as the role check has it: no Vault storage keeps longer ones that people use
)
_AMBIGUOUS = "file-"  # agent-inject-template-file-x: the template file of x, or the inline template of file-x

SecretAnnotations = Mapping[str, Any]  # one secret's annotations, read: {"path": "secret/data/db", "perms": "0440"}


class SecretError(ValueError):
    """One secret's annotations do not fit; `stem` and `name` make the annotation's key."""

    def __init__(self, stem: str, name: str, problem: str, value: str | None = None) -> None:
        super().__init__(problem)
        self.stem, self.name, self.value = stem, name, value


def disambiguate(found: dict[str, dict[str, Any]]) -> None:
    """Give `agent-inject-template-file-x` its one meaning, in place.

    It is the inline template of `file-x` if `agent-inject-secret-file-x` exists and `agent-inject-secret-x` does not; else it is
    the template file of `x`.
    """
    for name in [n for n, fields in found.items() if FILE_FIELD in fields]:
        other = found.get(_AMBIGUOUS + name)
        if other is not None and "path" in other and "path" not in found[name]:
            other.setdefault(INLINE_FIELD, found[name].pop(FILE_FIELD))
            if not found[name]:
                del found[name]


def declared(fields: SecretAnnotations) -> bool:
    """Return whether these annotations declare a secret; otherwise they have no effect."""
    for field in _DECLARING:
        value = fields.get(field)
        if value and not value.isspace():
            return True
    return False


def requests(
    found: Mapping[str, SecretAnnotations], *, volume_path: str, preserve_case: bool
) -> Iterator[SecretRequest]:
    """Yield the declared secrets in byte order of their names as written.

    Args:
        found: name as written to its annotations, read.
        volume_path: mount path of secrets that name none.
        preserve_case: for secrets that do not say.

    Raises:
        SecretError: a path that is too long, a file outside its volume, or two files in one place.
    """
    taken: dict[str, str] = {}
    for name in sorted(found):
        fields = found[name]
        if not declared(fields):
            continue
        request = _request(name, fields, volume_path, preserve_case)
        if request.destination in taken:
            raise SecretError(
                DECLARATION,
                name,
                f"its file {request.destination} is also the file of secret {taken[request.destination]!r};"
                " give one of them another name or agent-inject-file",
            )
        taken[request.destination] = name
        yield request


def _request(raw_name: str, fields: SecretAnnotations, volume_path: str, preserve_case: bool) -> SecretRequest:  # noqa: FBT001 positional in one place
    get = fields.get
    path = get("path", "")
    if len(path) > PATH_MAX:
        raise SecretError(DECLARATION, raw_name, f"a path has at most {PATH_MAX} characters, not {len(path)}", path)
    name = raw_name if get("preserve_case", preserve_case) else raw_name.lower()
    mount_path = get("mount_path") or volume_path
    template = get("template", "")
    if template.isspace():
        template = ""
    return SecretRequest(
        key=DECLARATION + raw_name,
        name=name,
        path=path,
        template=template,
        template_file="" if template else get("template_file", "").strip(),
        mount_path=mount_path,
        destination=_destination(raw_name, mount_path, get("file"), name),
        perms=get("perms", ""),
        command=get("command", ""),
        left_delimiter=get("left_delimiter") or "{{",
        right_delimiter=get("right_delimiter") or "}}",
        error_on_missing_key=get("error_on_missing_key", False),
    )


def _destination(raw_name: str, mount_path: str, file: str | None, name: str) -> str:
    stem, relative = (DECLARATION, name) if file is None else ("agent-inject-file-", file)
    if file is None and "/" not in name and name not in (".", ".."):
        return f"{mount_path}/{name}"
    destination = go_values.clean_path(f"{mount_path}/{relative}")
    if not destination.startswith(mount_path + "/"):
        raise SecretError(
            stem, raw_name, f"want a file below {mount_path}; name one without '..'", value=file or raw_name
        )
    if "\0" in destination:
        raise SecretError(stem, raw_name, "a path holds no NUL", value=relative)
    return destination
