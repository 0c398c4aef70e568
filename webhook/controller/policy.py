"""The Vault policy the controller's own login needs: read-only, one block a namespace."""

from collections.abc import Iterator

from webhook.settings.control import Control, VaultAuth

RULE = 'path "{path}" {{ capabilities = ["{capability}"] }}'


def policy(control: Control) -> str:
    """Return the policy's text, for the namespace the controller logs in to; others' paths begin with their name."""
    return "\n".join(_lines(control)) + "\n"


def _lines(control: Control) -> Iterator[str]:
    where = f"namespace {control.vault_namespace}" if control.vault_namespace else "the root namespace"
    yield f"# What the controller of vault-webhook may read; write it in {where}."
    if control.vault_auth is VaultAuth.KUBERNETES:
        yield f"# Its login: role {control.vault_role} of auth/{control.vault_auth_path}."
    for namespace in dict.fromkeys(namespace for namespace, _ in control.mounts):
        below = _below(namespace, control.vault_namespace)
        yield ""
        if below is None:
            yield f"# Namespace {namespace or 'root'} is not below {where}: the login must be in a namespace above both."
            continue
        for path, capability in _grants([path for there, path in control.mounts if there == namespace], control):
            yield RULE.format(path=below + path, capability=capability)


def _grants(mounts: list[str], control: Control) -> Iterator[tuple[str, str]]:
    for mount in mounts:
        yield f"auth/{mount}/role", "list"
        yield f"auth/{mount}/role/*", "read"
        yield f"auth/{mount}/config", "read"
    yield "sys/auth", "read"
    yield "sys/namespaces", "list"
    if control.wants_policies:
        yield "sys/mounts", "read"
        yield "sys/policies/acl", "list"
        yield "sys/policies/acl/*", "read"


def _below(namespace: str, own: str) -> str | None:
    """Return what precedes paths of a namespace in a policy of ours; None where ours cannot reach it."""
    if namespace == own:
        return ""
    if own and not namespace.startswith(f"{own}/"):
        return None
    return f"{namespace.removeprefix(own).strip('/')}/"
