"""What the shells of the agent containers run: start, startup probe, preStop hook, revocation at the end.

No text of an author or operator ever stands inside shell text: scripts are ours alone, and what they work with is given to them
as arguments. The kubelet expands `$(NAME)` in what it starts and probes, so there arguments go through `literal`.
"""

import re
from collections.abc import Sequence

from webhook.core.annotations.intent import Intent
from webhook.core.inject import names
from webhook.core.inject.agent_config import AgentKind

_SHELL = ("/bin/sh", "-c")
STARTING_SHELL = ("/bin/sh", "-ec")  # the `command` of the agent containers
# What the kubelet would change: `$$` into `$`; `$(NAME)` of a variable, whose names here are in capitals: ours, AWS's and those
# of Services; older ones also a `$` before a letter that is not ASCII.
_DOLLAR = r"\$(?=[$\x80-\U0010ffff])"
_REFERENCE = re.compile(rf"\$\((?P<name>[^)]*)\)|{_DOLLAR}")
_LONE_DOLLAR = re.compile(_DOLLAR)
_VARIABLE = re.compile(r"[A-Z0-9_]+")
# `f` of each file; on failure the event says which is missing, and the agent's last error.
_PROBE = (
    'for f; do test -f "$f" || { printf "not rendered yet: %s | %s\\n" "$f"'
    f" \"$(grep -E '\\* |\\[ERROR\\]|error' {names.LOG_FILE} 2>/dev/null | tail -n 1 | sed 's/^[ |]*//')\"; exit 1; }}; done"
)


def start(kind: AgentKind, intent: Intent) -> Sequence[str]:
    """Return the `args` of an agent container whose `command` is STARTING_SHELL: the script, its name, its arguments."""
    binary = intent.family.binary
    if not intent.configmap:
        prepare = f"echo ${{{names.CONFIG_VARIABLE}?}} | base64 -d > {names.CONFIG_FILE}"
        run = f"{binary} agent -config={names.CONFIG_FILE}"
    else:
        prepare = f"touch {names.TOKEN_SINK}"  # the CLI fails without, before the agent has written one
        file = "config-init.hcl" if kind is AgentKind.INIT else "config.hcl"
        run = f"{binary} agent -config={names.CONFIGMAP_PATH}/{file}"
    if kind is not AgentKind.NATIVE:
        return (f"{prepare} && {run}",)
    if not intent.revoke:
        return (f"{prepare} && exec {run}",)
    script = f"{prepare}\ntrap 'kill $! || :; wait $! || :; {_revocation(intent)} || :; exit 0' TERM\n{run} &\nwait $!"
    return (script, names.SIDECAR, *map(literal, _flags(intent)))


def pre_stop(intent: Intent) -> Sequence[str]:
    """Return the command of the hook that revokes a classic sidecar's token; the kubelet expands nothing in it."""
    script = f"/bin/sleep {intent.revoke_grace_s} && {_revocation(intent)}"
    return (*_SHELL, script, names.SIDECAR, *_flags(intent))


def probe(intent: Intent) -> Sequence[str]:
    """Return the command of the startup probe: it succeeds when every file is there, and else says what is missing and why."""
    files = [secret.destination for secret in intent.secrets] or [names.TOKEN_SINK]
    return (*_SHELL, _PROBE, names.SIDECAR, *map(literal, files))


def literal(text: str) -> str:
    """Return the text that the kubelet, which expands `$(NAME)`, makes this one of."""
    end = text.rfind(")") + 1  # beyond it no reference ends; looking for one again and again would take long
    return _REFERENCE.sub(_escaped, text[:end]) + _LONE_DOLLAR.sub("$$", text[end:])


def _escaped(found: re.Match[str]) -> str:
    name = found["name"]
    return found[0] if name is not None and not _VARIABLE.fullmatch(name) else f"${found[0]}"


def _revocation(intent: Intent) -> str:
    """Return what revokes the agent's own token; the script's arguments are the flags of the connection.

    A native sidecar revokes when it is told to end, which is after the app; a preStop hook would run while the app still needs its
    secrets.
    """
    return f'HOME={names.HOME} {intent.family.binary} token revoke "$@" -self'


def _flags(intent: Intent) -> list[str]:
    flags = [f"-address={intent.address}"]
    for flag, value in (
        ("namespace", intent.namespace),
        ("ca-cert", intent.ca_cert),
        ("ca-path", intent.ca_path),
        ("client-cert", intent.client_cert),
        ("client-key", intent.client_key),
        ("tls-server-name", intent.tls_server_name),
    ):
        if value:
            flags.append(f"-{flag}={value}")
    if intent.tls_skip_verify:
        flags.append("-tls-skip-verify")
    return flags
