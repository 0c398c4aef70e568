"""How an agent will log in: as the annotations say, or, where the author patched its container, as that container is.

A patched container is read as the kubelet and the agent will take it. Of two variables of one name the last counts; the script
reads its configuration from one variable and from no other; variables of the agent's own (`BAO_ADDR`, `BAO_NAMESPACE`) beat its
configuration. Whatever may change a login in a way that is not understood here makes it unknown: another command, variables
that others fill in, programs or files put over ours. The image is taken for an agent's, as `agent-image` is.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from webhook.core.annotations.intent import Intent
from webhook.core.inject import names, scripts
from webhook.core.inject.agent_config import AgentKind
from webhook.core.inject.login_token import TOKEN_PATH_MEMBER, LoginToken
from webhook.core.pod import Container, VolumeMount

_AGENTS_OWN = (
    "BAO_",
    "VAULT_",
)  # prefixes of the variables an agent reads; bao prefers the first, vault knows the second alone
_HARMLESS = frozenset(  # names behind these prefixes that change no login
    (
        *("LOG_LEVEL", "LOG_FORMAT", "MAX_RETRIES", "CLIENT_TIMEOUT", "RATE_LIMIT", "DISABLE_REDIRECTS", "CONFIG"),
        *("CACERT", "CACERT_BYTES", "CAPATH", "CLIENT_CERT", "CLIENT_KEY", "SKIP_VERIFY", "TLS_SERVER_NAME"),
    )
)
_OF_PROGRAMS = ("LD_", "BASH_")  # prefixes of variables that load other code
_OF_SHELLS = frozenset(("PATH", "ENV", "HOME", "IFS", "SHELLOPTS"))
# Folders of programs and of what they load, and the agent's home; then single places, "" is the root.
_FOLDERS = ("/bin", "/sbin", "/usr", "/lib", "/lib32", "/lib64", "/libx32", names.HOME)
_FILES = ("", "/etc", "/etc/ld.so.preload", "/etc/ld.so.cache")


class AgentLogin(Struct, frozen=True):
    """The part of an agent's configuration and surroundings that makes a login."""

    server: str
    auth_type: str
    auth_path: str
    namespace: str
    role: str
    token_file: str  # "" for the default
    token_is_ours: bool = True  # the token lies where it was put: nothing is mounted in its place

    @classmethod
    def of_intent(cls, intent: Intent) -> "AgentLogin":
        """Return the login that the annotations say."""
        token_file = intent.auth_config.get(TOKEN_PATH_MEMBER.get(intent.auth_type, ""), "")
        return cls(intent.address, intent.auth_type, intent.auth_path, intent.namespace, intent.login_role, token_file)

    @property
    def target(self) -> tuple[str, ...]:
        """Where it logs in and as which role, whatever its token."""
        return self.server, self.auth_type, self.auth_path, self.namespace, self.role


class _Container(Struct):
    """What decides how a container logs in."""

    command: list[str] = []
    args: list[str] = []
    env: list["_Variable"] = []
    envFrom: list[Any] = []  # noqa: N815 the API's name
    volumeMounts: list["_Mount"] = []  # noqa: N815 the API's name
    lifecycle: "_Lifecycle | None" = None
    startupProbe: "_Probe | None" = None  # noqa: N815 the API's name
    livenessProbe: "_Probe | None" = None  # noqa: N815 the API's name
    readinessProbe: "_Probe | None" = None  # noqa: N815 the API's name

    @property
    def probing(self) -> list[Any]:
        """What its probes run."""
        probes = (self.startupProbe, self.livenessProbe, self.readinessProbe)
        return [probe.exec for probe in probes if probe and probe.exec]


class _Variable(Struct):
    name: str
    value: str | None = None
    valueFrom: Any = None  # noqa: N815 the API's name


class _Mount(Struct):
    mountPath: str  # noqa: N815 the API's name
    name: str = ""


class _Lifecycle(Struct):
    postStart: Any = None  # noqa: N815 the API's name


class _Probe(Struct):
    exec: Any = None


_decode = msgspec.json.Decoder(_Container).decode
_decode_mounts = msgspec.json.Decoder(Container).decode


def of_container(container: bytes, intent: Intent, token: LoginToken) -> AgentLogin | None:
    """Return how a patched agent container will log in; None where that cannot be known.

    Args:
        container: as the pod will have it, JSON.
        intent: what its author asks for otherwise.
        token: what our agents log in with.
    """
    try:
        read = _decode(container)
        variables = _effective(read.env)
        if (
            not _runs_our_script(read, intent)
            or _is_led_elsewhere(variables, intent)
            or _hides_files(read.volumeMounts)
        ):
            return None
        return _of_config(_config(variables), variables, intent, token_is_ours=_mounts_token(read.volumeMounts, token))
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def mounts_of(container: bytes) -> Sequence[VolumeMount]:
    """Return the mounts of a container, JSON; none where they cannot be read."""
    try:
        return _decode_mounts(container).mounts
    except msgspec.DecodeError:
        return ()


def _effective(variables: Iterable[_Variable]) -> dict[str, str | None]:
    """Return the variables as the container gets them; None for a value that others fill in."""
    return {
        variable.name: None if variable.valueFrom or "$" in (variable.value or "") else variable.value or ""
        for variable in variables
    }


def _runs_our_script(container: _Container, intent: Intent) -> bool:
    """Tell whether the container runs one of our scripts and nothing beside it, with no variables from elsewhere."""
    if container.envFrom or (container.lifecycle and container.lifecycle.postStart):
        return False
    if any(run != {"command": list(scripts.probe(intent))} for run in container.probing):
        return False
    ours = (list(scripts.start(kind, intent)) for kind in AgentKind)
    return container.command == [*scripts.STARTING_SHELL] and container.args in ours


def _is_led_elsewhere(variables: Mapping[str, str | None], intent: Intent) -> bool:
    """Tell whether a variable may lead the agent, or its shell, to what is not judged here."""
    return any(
        name in _OF_SHELLS or name.startswith(_OF_PROGRAMS) or (_of_agent(name, intent) not in _UNDERSTOOD)
        for name in variables
    )


_UNDERSTOOD = _HARMLESS | {"", "ADDR", "NAMESPACE"}


def _of_agent(name: str, intent: Intent) -> str:
    """Return the name of a variable that the agent reads, without prefix; "" for others."""
    prefix = next((prefix for prefix in _AGENTS_OWN if name.startswith(prefix)), "")
    return name[len(prefix) :] or prefix if prefix in intent.family.variables else ""


def _own(variables: Mapping[str, str | None], name: str, intent: Intent) -> str | None:
    """Return the value that an agent takes of its own variable, None where there is none.

    Raises:
        ValueError: it is not known.
    """
    for prefix in (prefix for prefix in _AGENTS_OWN if prefix in intent.family.variables):
        if prefix + name in variables:
            return _known(variables[prefix + name])
    return None


def _known(value: str | None) -> str:
    if value is None:
        raise ValueError("filled in by others")
    return value


def _hides_files(mounts: Iterable[_Mount]) -> bool:
    """Tell whether something is mounted over or in the agent's home, or where programs and what they load lie."""
    return any(
        path in _FILES or any(_is_in(path, folder) for folder in _FOLDERS)
        for mount in mounts
        if (path := _clean(mount.mountPath)) != names.HOME or mount.name not in names.HOME_VOLUMES
    )


def _mounts_token(mounts: Iterable[_Mount], token: LoginToken) -> bool:
    """Tell whether the agent finds our token where its configuration says, and no other one."""
    places = (token.mount_path, names.API_TOKEN_PATH)
    paths = {_clean(mount.mountPath): mount.name for mount in mounts}
    there = {path: name for path, name in paths.items() if any(_is_in(path, place) for place in places)}
    return bool(there) and all(path in places and name == token.volume_name for path, name in there.items())


def _is_in(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder}/")


def _clean(path: str) -> str:
    """Return a path as the container's system sees it, "" for the root."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    return "".join(f"/{part}" for part in kept)


def _config(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the agent's configuration.

    Raises:
        ValueError: it is not known, or no JSON object without doubt: the agents' reader tells no upper case from lower case,
            and takes the last of two members of one name.
    """
    raw = base64.b64decode(_known(variables[names.CONFIG_VARIABLE]), validate=True)
    config = json.loads(raw, object_pairs_hook=_members)
    if not isinstance(config, dict):
        raise TypeError
    return config


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {name.lower(): value for name, value in pairs}
    if len(members) != len(pairs) or any(name != name.lower() for name, _ in pairs):
        raise ValueError("members of one name")
    return members


class _Method(Struct):
    """The member `method` of an agent's configuration."""

    type: str
    mount_path: str = ""  # auth/ and the type
    namespace: str = ""
    config: dict[str, Any] = {}


def _of_config(
    config: Mapping[str, Any], variables: Mapping[str, str | None], intent: Intent, *, token_is_ours: bool
) -> AgentLogin | None:
    method = msgspec.convert(config["auto_auth"]["method"], _Method)
    server = msgspec.convert(config["vault"], dict[str, Any])
    if server.get("namespace"):  # newer agents of HashiCorp's may take it, OpenBao's do not
        return None
    address, namespace = _own(variables, "ADDR", intent), _own(variables, "NAMESPACE", intent)
    inner = method.config
    return AgentLogin(
        msgspec.convert(server["address"] if address is None else address, str),
        method.type,
        method.mount_path or f"auth/{method.type}",
        namespace or method.namespace,
        msgspec.convert(inner.get("role", ""), str),
        msgspec.convert(inner.get(TOKEN_PATH_MEMBER.get(method.type, ""), ""), str),
        token_is_ours,
    )
