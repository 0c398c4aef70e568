"""What comes of the logins an object claims, whatever kind of object it is: a refusal, or warnings.

To add a source: a module that reads its object as LoginRequests, each with the names of the object's own fields, in a Claim.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from webhook.core.refusal import Refused, refused, warning
from webhook.reasons import CATALOGUE, Reason
from webhook.rolecheck import login
from webhook.rolecheck.acl.check import ReadAccess
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.login_request import Disclosure, LoginRequest, Mode, PolicyCheck, Rules
from webhook.rolecheck.verdict import Finding, Level

NOT_INSPECTED = str(Reason.AGENT_CONFIG_NOT_INSPECTED)


class Part(StrEnum):
    """The part of a login that a finding is about."""

    ROLE = "role"
    MOUNT = "mount"
    AUTH_TYPE = "auth type"
    SERVER = "server"
    TOKEN = "token"  # noqa: S105 a part of a login, no password


_PART_OF = {  # where it is not the role
    Reason.AUTH_MOUNT_UNKNOWN: Part.MOUNT,
    Reason.AUTH_MOUNT_NOT_COVERED: Part.MOUNT,
    Reason.AUTH_TYPE_MISMATCH: Part.AUTH_TYPE,
    Reason.SERVER_NOT_COVERED: Part.SERVER,
    Reason.TOKEN_VOLUME_MISSING: Part.TOKEN,
}
_NOT_READABLE = (Reason.SECRET_PATH_NOT_GRANTED, Reason.SECRET_READ_NOT_GRANTED)


class Subject(NamedTuple):
    """A place of the object, and what stands there."""

    name: str  # as the object's author writes it, such as an annotation's whole key
    value: str | None  # None: never shown


class Read(NamedTuple):
    """A path of Vault that is read, and the place that asks for it."""

    name: str
    path: str


class Claim(Protocol):
    """One login that an object claims."""

    @property
    def request(self) -> LoginRequest:
        """The login."""

    def subject(self, part: Part) -> Subject:
        """Return where the object says this part of the login."""

    def reads(self) -> Iterable[Read]:
        """Return the paths of Vault that the login is for, each with the place that asks for it."""

    def remedy(self, read: Read) -> str:
        """Return what helps where the role's policies do not let the path be read; "" for granting it."""


class Judgement(Struct, frozen=True):
    """What there is to say of an object's logins."""

    claim: Claim  # the login that is refused, else the first
    refusal: Refused | None = None
    warnings: tuple[str, ...] = ()  # for the author
    findings: tuple[
        str, ...
    ] = ()  # reason codes of what was let pass, those for the operator too, and of what was not seen


class _Remark(NamedTuple):
    """A finding, with what it is about."""

    claim: Claim
    subject: Subject
    finding: Finding


def judge(claims: Sequence[Claim], snapshot: Snapshot | None, rules: Rules, now: float) -> Judgement:
    """Judge every login of an object; the worst one counts.

    Args:
        claims: one or more.
        snapshot: the roles, None when there are none (yet).
        rules: the settings of the check.
        now: seconds since 1970.
    """
    remarks: list[_Remark] = []
    unseen: tuple[str, ...] = ()
    for claim in claims:
        remarks += _remarks(claim, snapshot, rules, now)
        if not claim.request.config_inspected and rules.mode is not Mode.OFF:
            unseen = (NOT_INSPECTED,)
    if not remarks:
        return Judgement(claims[0], findings=unseen)
    remarks.sort(key=lambda remark: not _is_unbound(remark))  # who asks comes before what the role says else
    if denies := [remark for remark in remarks if remark.finding.level is Level.DENY]:
        return _refused(denies)
    warnings = dict.fromkeys(_warning(remark) for remark in remarks if not remark.finding.for_operator)
    findings = (*(str(remark.finding.reason) for remark in remarks), *unseen)
    return Judgement(claims[0], None, tuple(warnings), findings)


def _remarks(claim: Claim, snapshot: Snapshot | None, rules: Rules, now: float) -> list[_Remark]:
    request = claim.request
    found = login.find(request, snapshot, rules, now)
    verdict = login.judge(found, request, snapshot, rules)
    remarks = [
        _Remark(claim, claim.subject(_PART_OF.get(finding.reason, Part.ROLE)), finding) for finding in verdict.findings
    ]
    if not isinstance(found, login.Target) or snapshot is None or verdict.decision is Level.DENY:
        return remarks
    if rules.policy_check is PolicyCheck.OFF:
        return remarks
    if not remarks or rules.disclosure is Disclosure.FULL or not any(map(_is_unbound, remarks)):
        remarks += _of_reads(claim, found, snapshot, rules, now)
    return remarks


def _is_unbound(remark: _Remark) -> bool:
    """Tell whether the finding says that the identity is not bound to the role; in a mode that only warns there is more."""
    return CATALOGUE[remark.finding.reason].unbound


def _of_reads(claim: Claim, target: login.Target, snapshot: Snapshot, rules: Rules, now: float) -> Iterator[_Remark]:
    """Yield what the role's policies say of the paths."""
    if target.role.token.forbidden_policy:
        return  # of a forbidden policy the login's verdict tells
    reads = ReadAccess(target, claim.request, snapshot, rules, now)
    for read in claim.reads():
        if finding := reads.finding(read.path):
            if finding.reason in _NOT_READABLE and (remedy := claim.remedy(read)):
                finding = replace(finding, hint=remedy)
            yield _Remark(claim, Subject(read.name, read.path), finding)


def _refused(denies: Sequence[_Remark]) -> Judgement:
    """Word the first deny the author can fix, else the first."""
    remark = next((remark for remark in denies if not remark.finding.for_operator), denies[0])
    subject, finding = remark.subject, remark.finding
    return Judgement(
        remark.claim, refused(finding.reason, subject.name, finding.message, finding.remedy, value=subject.value)
    )


def _warning(remark: _Remark) -> str:
    return warning(remark.subject.name, f"{remark.finding.message} ({remark.finding.reason})")
