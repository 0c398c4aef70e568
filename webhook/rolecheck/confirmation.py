"""What the server asks the controller before it refuses a pod, and what it does with the answer.

The seam of confirmations: both sides know these shapes, and nothing else of each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from msgspec import Struct

from webhook.reasons import CATALOGUE
from webhook.rolecheck.bindings.snapshot import AuthMount, PolicyEntry, RoleState, Snapshot
from webhook.rolecheck.login_request import LoginRequest
from webhook.rolecheck.role_ref import RoleRef

ANSWER_WITHIN_S = 1.0  # whatever happens behind the question
LINE_MAX_BYTES = 1 << 16  # of a question
NAMES_MAX = 1_024  # characters of namespace, mount and role; Vault's own names are far below
ASKED_MAX = 500  # roles told in one line

# Refusals that newer data of one role may lift; the others are about data as a whole, or about the pod alone.
CONFIRMABLE = frozenset(reason for reason, entry in CATALOGUE.items() if entry.confirmable)


class Question(Struct, frozen=True):
    """Which role a pod asks for, and from where."""

    ref: RoleRef  # its name in lower case, its server left out: both sides know the one they speak of
    kube_namespace: str
    policies: bool = False  # the texts of its policies are in doubt too
    peer: str = ""  # who sent the review, as a group of addresses: 10.0.0.7, 2001:db8:0:1::/64; empty where unknown


class Asked(Struct, frozen=True):
    """Roles that admitted pods asked for: no question, the controller only remembers them."""

    asked: tuple[RoleRef, ...]


class Failure(Struct, frozen=True):
    """Why there is no answer."""

    error: str


def question_of(request: LoginRequest, *, policies: bool = False) -> Question | None:
    """Return the question about a login's role; None where it names none that Vault can have."""
    ref = request.ref
    if not ref.mount or not ref.role or len(ref.namespace) + len(ref.mount) + len(ref.role) > NAMES_MAX:
        return None
    return Question(RoleRef(ref.namespace, ref.mount, ref.name), request.namespace, policies)


def overlay(snapshot: Snapshot, newer: Snapshot, question: Question) -> Snapshot:
    """Return the snapshot with what the answer tells of the question's role, its policies and the namespace's labels.

    A role that the answer's mount does not have is gone where that mount is complete; else it stays as it was.
    """
    ref = question.ref
    key = (ref.namespace, ref.mount)
    found = newer.auth_mounts.get(key)
    if found is None:
        return replace(snapshot, namespaces={**snapshot.namespaces, **newer.namespaces})
    policies = snapshot.policies
    role = found.role(ref.role)
    if question.policies and newer.policies is not None and not isinstance(role, RoleState):
        policies = _with_policies(snapshot.policies or {}, newer, ref.namespace, role.token.policy_names)
    return replace(
        snapshot,
        auth_mounts={**snapshot.auth_mounts, key: _with_role(snapshot.auth_mounts.get(key), found, ref.role)},
        policies=policies,
        policies_are_complete=snapshot.policies_are_complete and snapshot.policies is not None,
        namespaces={**snapshot.namespaces, **newer.namespaces},
    )


def _with_role(mount: AuthMount | None, found: AuthMount, role: str) -> AuthMount:
    """Return the mount with the one role as it was found; near names stay, for messages."""
    if mount is None or mount.type != found.type:
        return found
    texts = {**mount.texts, **found.texts}
    if found.complete and role not in found.texts:
        texts.pop(role, None)
    return replace(
        found,
        complete=found.complete if role not in texts else mount.complete,
        texts=texts,
        selectors={**mount.selectors, **found.selectors},
    )


def _with_policies(
    known: Mapping[tuple[str, str], PolicyEntry], newer: Snapshot, namespace: str, names: Iterable[str]
) -> dict[tuple[str, str], PolicyEntry]:
    policies = dict(known)
    for key in ((namespace, name) for name in names):
        found = (newer.policies or {}).get(key)
        if found is not None:
            policies[key] = found
        elif newer.policies_are_complete:
            policies.pop(key, None)
    return policies
