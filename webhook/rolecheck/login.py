"""May this identity log in to this role? A login request, a snapshot and the rules in, one Verdict out.

What is found is a Problem, put into words only then: an allowed login builds no text.
To add a check: a function in kubernetes.py or jwt.py, and its Reason with a row of reasons.py in the order of the checks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from webhook.reasons import CATALOGUE, RANK, Reason
from webhook.rolecheck import jwt, kubernetes
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.roles import JwtRole, Role
from webhook.rolecheck.bindings.snapshot import ROLE_TYPES, AuthMount, RoleState, Snapshot
from webhook.rolecheck.login_request import Disclosure, Lapse, LoginRequest, Mode, Rules
from webhook.rolecheck.role_ref import RoleRef, has_dots
from webhook.rolecheck.verdict import Level, Problem, Verdict, softened, verdict
from webhook.rolecheck.wording import finding, withheld

ALLOWED = Verdict(Level.ALLOW, Reason.ALLOWED)
NOT_CHECKED = Verdict(Level.ALLOW, Reason.AUTH_TYPE_NOT_CHECKED)
NOT_INSPECTED = Verdict(Level.ALLOW, Reason.AGENT_CONFIG_NOT_INSPECTED)

TOKEN_FILE_TYPES = ("token_file", "token-file")  # the agent logs in nowhere
TOKEN_TYPES = ("kubernetes", "jwt")  # the agent sends the pod's service account token

_LAPSE_LEVEL = {Lapse.OPEN: Level.WARN, Lapse.CLOSED: Level.DENY}
_ADDRESS_MAX = 2_048  # characters; the library keeps what it parsed, and no address of a server is longer
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Target(Struct, frozen=True):
    """The role a login names, found."""

    mount: AuthMount
    role: Role


Resolution = Target | Problem | Verdict


def check(request: LoginRequest, snapshot: Snapshot | None, rules: Rules, now: float | None) -> Verdict:
    """Judge one login.

    Args:
        request: who asks for which role.
        snapshot: what is known of the server; None: nothing yet.
        rules: the settings.
        now: Unix seconds; None: the age of the data does not count.
    """
    return judge(find(request, snapshot, rules, now), request, snapshot, rules)


def find(request: LoginRequest, snapshot: Snapshot | None, rules: Rules, now: float | None) -> Resolution:
    """Return the role to judge a login by; or the one problem, or the verdict, that ends the check before it is read."""
    if rules.mode is Mode.OFF:
        return ALLOWED
    if not request.config_inspected:
        return NOT_INSPECTED
    return resolve(request, snapshot, rules, now)


def judge(found: Resolution, request: LoginRequest, snapshot: Snapshot | None, rules: Rules) -> Verdict:
    """Judge one login by what `find` found."""
    if isinstance(found, Verdict):
        return found
    if isinstance(found, Problem):
        return _judged((found,), request, rules)
    problems = _problems(found, request, snapshot, rules)
    if not problems:
        return ALLOWED
    return _judged(problems, request, rules)


def _problems(target: Target, request: LoginRequest, snapshot: Snapshot | None, rules: Rules) -> list[Problem]:
    attempt = Attempt(request, target.mount, rules, _labels(request, snapshot))
    role = target.role
    return jwt.problems(role, attempt) if isinstance(role, JwtRole) else kubernetes.problems(role, attempt)


def _shows_unbound(problems: Iterable[Problem]) -> bool:
    return any(problem.level is Level.DENY and CATALOGUE[problem.reason].unbound for problem in problems)


def resolve(request: LoginRequest, snapshot: Snapshot | None, rules: Rules, now: float | None) -> Resolution:
    """Find the role, whatever the mode."""
    if snapshot is None:
        return Problem(_LAPSE_LEVEL[rules.on_unavailable], Reason.BINDINGS_UNAVAILABLE)
    ref = request.ref
    mount = snapshot.auth_mount(ref.namespace, ref.mount)
    is_covered = _is_covered(ref.server, snapshot.server_address)
    stale = _staleness(snapshot, mount, rules, now) if is_covered else None
    if stale is not None:
        return stale
    if request.auth_type in TOKEN_FILE_TYPES:
        return NOT_CHECKED
    if request.auth_type in TOKEN_TYPES and not request.has_token:
        return Problem(Level.DENY, Reason.TOKEN_VOLUME_MISSING)
    if not is_covered:
        return Problem(Level.WARN, Reason.SERVER_NOT_COVERED)
    return _resolve_mount(request, mount, rules, is_partial=bool(ref.mount) and not snapshot.auth_is_complete)


def _resolve_mount(request: LoginRequest, mount: AuthMount | None, rules: Rules, *, is_partial: bool) -> Resolution:
    if mount is None and is_partial:
        return Problem(Level.WARN, Reason.AUTH_MOUNT_NOT_COVERED)
    if mount is None:
        return Problem(Level.DENY, Reason.AUTH_MOUNT_UNKNOWN, _unusable(request.ref))
    is_examined = request.auth_type in TOKEN_TYPES
    if not is_examined and mount.type == request.auth_type:
        return NOT_CHECKED
    if not is_examined or mount.type not in ROLE_TYPES:
        return Problem(Level.DENY, Reason.AUTH_TYPE_MISMATCH, {"type": mount.type, "auth_type": request.auth_type})
    return _resolve_role(request, mount, rules)


def _resolve_role(request: LoginRequest, mount: AuthMount, rules: Rules) -> Resolution:
    name = request.ref.role
    if not name:
        return Problem(Level.DENY, Reason.ROLE_MISSING)
    role = mount.role(name)
    if role is RoleState.UNREADABLE:
        return Problem(_LAPSE_LEVEL[rules.on_unavailable], Reason.ROLE_UNREADABLE)
    if role is RoleState.ABSENT:
        if not mount.complete:
            return Problem(Level.WARN, Reason.ROLE_NOT_COVERED)
        return Problem(Level.DENY, Reason.ROLE_NOT_FOUND, _similar(name, mount, rules))
    return Target(mount, role)


def known_role(ref: RoleRef, snapshot: Snapshot) -> Target | None:
    """Return the role at its mount, None where the data know nothing of its server, its mount or its bindings; their age does not count."""
    mount = snapshot.auth_mount(ref.namespace, ref.mount)
    if mount is None or mount.type not in ROLE_TYPES or not _is_covered(ref.server, snapshot.server_address):
        return None
    role = mount.role(ref.role)
    return None if isinstance(role, RoleState) else Target(mount, role)


def is_bound(target: Target, request: LoginRequest, snapshot: Snapshot, rules: Rules) -> bool:
    """Tell whether account and namespace are bound to the role, as far as they are known."""
    return not _shows_unbound(_problems(target, request, snapshot, rules))


def _unusable(ref: RoleRef) -> dict[str, str]:
    """Say what a path must not hold, where it holds it."""
    has_any = not ref.mount and (has_dots(ref.path) or has_dots(ref.namespace))
    return {"dots": "; `.` and `..` are no part of a path"} if has_any else {}


def _staleness(snapshot: Snapshot, mount: AuthMount | None, rules: Rules, now: float | None) -> Problem | None:
    """Tell whether what is known is too old; a mount's own time counts before the whole's."""
    own = mount.fetched_at if mount is not None else None
    fetched_at = own if own is not None else snapshot.fetched_at
    if fetched_at is None or now is None or now - fetched_at <= rules.max_staleness_s:
        return None
    details = {"age": int(now - fetched_at), "limit": int(rules.max_staleness_s)}
    return Problem(_LAPSE_LEVEL[rules.on_stale], Reason.BINDINGS_STALE, details)


def _is_covered(claimed: str, known: str) -> bool:
    """Tell whether the data may speak of the request's server: always where either address is not given."""
    if not known or not claimed or claimed == known:
        return True
    return len(claimed) <= _ADDRESS_MAX and _origin(claimed) == _origin(known)


def _origin(address: str) -> tuple[str, str, int | None, str]:
    """Return scheme, host, port and path, so that spellings of one address are equal."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", address, None, ""
    return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/")


def _labels(request: LoginRequest, snapshot: Snapshot | None) -> Mapping[str, str] | None:
    if request.namespace_labels is not None or snapshot is None:
        return request.namespace_labels
    return snapshot.namespaces.get(request.namespace)


def _judged(problems: Sequence[Problem], request: LoginRequest, rules: Rules) -> Verdict:
    """Put the problems into words and order; whoever is not bound to the role learns nothing else of it, unless all is told."""
    subject = subject_of(request)
    full = rules.disclosure is Disclosure.FULL
    ordered = sorted(problems, key=lambda problem: (problem.level is not Level.DENY, RANK[problem.reason]))
    keeps_quiet = not full and _shows_unbound(problems)
    findings = (
        withheld(problem)
        if keeps_quiet and not CATALOGUE[problem.reason].unbound
        else finding(problem, subject, request.fields, full=full)
        for problem in ordered
    )
    strict = verdict(findings, ALLOWED)
    return softened(strict) if rules.mode is Mode.WARN else strict


def subject_of(request: LoginRequest) -> dict[str, Any]:
    """Return what the sentences about a login may name."""
    ref = request.ref
    return {
        "role": ref.role,
        "mount": ref.auth_path,
        "vns": ref.namespace or "root",
        "sa": request.service_account or "default",
        "ns": request.namespace,
        "dots": "",
        "similar": "",
        "bound": "",
        "label": "",
    }


_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_."
_NEAR_LENGTH_MAX = 80  # a longer name would take too many look-ups


def _similar(name: str, mount: AuthMount, rules: Rules) -> dict[str, Any]:
    """Name roles one typing error away, where the rules let a message do so; costs the same for any number of roles."""
    if rules.disclosure is not Disclosure.FULL or len(name) > _NEAR_LENGTH_MAX:
        return {}
    near = sorted(candidate for candidate in _one_edit_away(name.lower()) if candidate in mount.texts)
    return {"similar": f"; similar: {', '.join(near)}"} if near else {}


def _one_edit_away(name: str) -> set[str]:
    cuts = [(name[:position], name[position:]) for position in range(len(name) + 1)]
    shorter = {head + tail[1:] for head, tail in cuts if tail}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    replaced = {head + char + tail[1:] for head, tail in cuts if tail for char in _ALPHABET}
    longer = {head + char + tail for head, tail in cuts for char in _ALPHABET}
    return shorter | swapped | replaced | longer
