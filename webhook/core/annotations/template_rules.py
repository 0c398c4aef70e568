"""What a template may do where the agent is to be kept from its author: preset strict.

Two parts. The agent itself refuses DENIED_FUNCTIONS and files outside the secrets volume, however a template names them, template
files included: `agent_config.py` writes both into each template stanza. The agent cannot restrict which Vault paths a template
reads, and one of them, auth/token/lookup-self, is the agent's own token: `findings` looks for that before the pod is admitted.
It needs no understanding of the template: every call that reaches Vault must have its path as a literal right behind it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from webhook.core.agent_paths import CONFIGMAP_PATH, EXTRA_PATH
from webhook.core.annotations.go_values import clean_path

# Every function of the agents' template engines (OpenBao's, HashiCorp's, sprig's) that runs a program, or reads or writes
# anything but Vault and its own arguments. Engines differ; a name that one does not have is ignored there.
DENIED_FUNCTIONS = (
    "plugin",  # runs a program
    "writeToFile",
    *("env", "mustEnv", "envOrDefault", "sprig_env", "sprig_expandenv"),  # the agent's variables hold its configuration
    *("sockaddr", "sprig_getHostByName"),  # the node's network; a look-up tells a name server what was asked
    *("spew_dump", "spew_printf"),  # write to the agent's output, which becomes the pod's log
    # Consul's, at an address of the pod's own
    *("datacenters", "exportedServices", "key", "keyExists", "keyOrDefault", "ls", "safeLs", "tree", "safeTree"),
    *("node", "nodes", "partitions", "peerings", "service", "services", "connect", "caRoots", "caLeaf"),
    # Nomad's
    *("nomadServices", "nomadService", "nomadVar", "nomadVarExists", "nomadVarList", "nomadVarListSafe"),
)
_DENIED = frozenset(DENIED_FUNCTIONS)
TEMPLATE_FOLDERS = (
    EXTRA_PATH,
    CONFIGMAP_PATH,
)  # of the agent's mounts, those whose content an author brings; read-only
PATH_MAX = 4_096  # characters of a Vault path; longer ones Vault refuses
DELIMITERS_MAX = 4  # kinds of closing delimiters in one pod; each costs a pattern of its own
TEMPLATES_MAX = 98_304  # characters of all templates of a pod; an agent's configuration holds no more

_DELIMITER = re.compile(r"[!-/:-@\[-^`{-~]{1,16}")  # punctuation but `_`
# What begins a token inside an action, or stands within one: `:=`, `1e+5`, and the `-` that trims.
_NOT_IN_DELIMITERS = frozenset("\"'`.$()|=+-")
_CALLS = ("secret", "secrets", "pkiCert")  # the functions that reach Vault
_NAMES = "|".join(sorted((*_CALLS, *DENIED_FUNCTIONS), key=len, reverse=True))
_BLANKS = " \t\r\n"
_COMMENT = re.compile(rf"(?:-[{_BLANKS}])?/\*")  # one is all there is in its action
_COMMENT_END = "*/"
_UNREADABLE = "a template that cannot be read: an action is not closed"
_NOT_PLAIN = "a Vault path that is not written plainly"


class Findings(NamedTuple):
    """What a template holds that it may not."""

    problem: str  # why it could reach the agent's token through Vault, "" when it cannot
    disabled: frozenset[str]  # functions it names that the agent will not run


def file_problem(path: str) -> str:
    """Return what is wrong with a template file's path, "" when it lies below a mount where authors keep templates."""
    if path == clean_path(path) and path.startswith(tuple(f"{folder}/" for folder in TEMPLATE_FOLDERS)):
        return ""
    return f"a template file that is not below {' or '.join(TEMPLATE_FOLDERS)}"


def path_problem(path: str) -> str:
    """Return what is wrong with a Vault path, "" when it can only be one of a secrets engine's.

    Vault's client decodes `%`, resolves `..` and drops what looks like a scheme and a host, so none of these is taken.
    """
    bare = path.strip().partition("#")[0].partition("?")[0].strip("/")
    segments = [segment for segment in bare.split("/") if segment]
    if not bare or len(path) > PATH_MAX or set(segments) & {".", ".."} or not set("%\\\0").isdisjoint(bare):
        return _NOT_PLAIN
    if ":" in segments[0]:
        return _NOT_PLAIN
    if segments[0] in ("auth", "sys") or "/auth/token/" in f"/{'/'.join(segments)}":
        return "a path of Vault's auth/ or sys/, where the agent's own token can be had"
    return ""


def is_plain_delimiter(delimiter: str) -> bool:
    """Tell whether nothing inside an action could be taken for this delimiter, or it for something inside."""
    return bool(_DELIMITER.fullmatch(delimiter)) and _NOT_IN_DELIMITERS.isdisjoint(delimiter)


def findings(template: str, left: str, right: str) -> Findings:
    """Look through an inline template.

    Args:
        template: as the author wrote it.
        left: opens an action; a plain delimiter.
        right: closes it; a plain delimiter.
    """
    problem = ""
    words: set[str] = set()
    for name, literal in _names(template, left, right):
        words.add(name)
        if name in _CALLS and not problem:
            problem = _problem_of_call(name, literal)
        elif not name:
            problem = problem or _UNREADABLE
    return Findings(problem, _DENIED & words)


def _problem_of_call(name: str, literal: str) -> str:
    if not literal or "\\" in literal:
        return f"a call of {name} whose path is not written behind it as plain text"
    return path_problem(literal[1:-1])


def _names(template: str, left: str, right: str) -> Iterator[tuple[str, str]]:
    """Yield the functions of interest in all actions, each with the literal right behind it, "" where there is none.

    Actions are cut as Go's text/template cuts them. An action, comment or literal without end yields ("", "") as the last.
    """
    read = _inside(right).match
    position = template.find(left)
    while position >= 0:
        position += len(left)
        if _COMMENT.match(template, position):
            position = _end_of_comment(template, position, right)
        else:
            kind, called = "", ""
            while kind != "end" and position >= 0:
                token = read(template, position)
                kind = (token and token.lastgroup) or "open"
                if called and kind != "blank":
                    yield called, token[0] if token and kind == "literal" else ""
                    called = ""
                if kind == "name" and token:
                    called = token[0]
                position = token.end() if token and kind != "open" else -1
        if position < 0:
            yield "", ""
            return
        position = template.find(left, position)


def _end_of_comment(template: str, position: int, right: str) -> int:
    """Return where the action of a comment ends, -1 where it does not."""
    end = template.find(_COMMENT_END, position)
    if end < 0:
        return -1
    end += len(_COMMENT_END)
    if template[end : end + 1] in tuple(_BLANKS) and template[end + 1 : end + 2] == "-":
        end += 2
    return end + len(right) if template.startswith(right, end) else -1


@lru_cache(64)
def _inside(right: str) -> re.Pattern[str]:
    """Return the pattern of what is inside an action that this delimiter closes; what is of no interest is one token."""
    end = f"(?:[{_BLANKS}]-)?{re.escape(right)}"
    return re.compile(
        rf"(?P<end>{end})"
        rf"|(?P<blank>(?:(?!{end})\s)++)"
        rf"|(?P<name>(?:{_NAMES})\b)"
        r'|(?P<literal>"(?:[^"\\\n]|\\.)*+"|`[^`]*+`)'
        r"|(?P<character>'(?:[^'\\\n]|\\.)++')"
        r"|(?P<open>[\"'`])"
        # Fields and variables (.secret, $secret) are no calls, nor are longer words that begin with a name.
        rf"|(?P<rest>(?:(?!{end})(?:[.$]\w*+|(?!(?:{_NAMES})\b)\w++|[^\w\"'`]))++)",
        re.DOTALL,
    )
