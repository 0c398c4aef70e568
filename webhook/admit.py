"""One request: bytes in, bytes out. What `/mutate`, `review`, `inject` and the tests call.

    bytes -> Review -> Found -> Intent -> LoginToken -> Plan -> LoginRequest, Verdict -> operations -> bytes

Whatever happens, a review with a uid gets a whole review back. Errors of the domain are `Refused`; here they become an answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from webhook.answer import FAILED, INJECTED, MALFORMED, REFUSED, UNCHANGED, Answer, Outcome
from webhook.core import review
from webhook.core.annotations import preset_check
from webhook.core.annotations.family import STATUS_INJECTED, SWITCH
from webhook.core.annotations.intent import Intent
from webhook.core.annotations.read import Found, find
from webhook.core.inject import login_token, patch, plan, skip
from webhook.core.inject.pod_settings import AUTO_AUDIENCE
from webhook.core.pod import Metadata, Pod, Spec
from webhook.core.refusal import MESSAGE_MAX, WARNINGS_MAX, Refused, refused, warning
from webhook.core.review import PodError, Review, ReviewError
from webhook.one_line import clean
from webhook.reasons import Reason
from webhook.rolecheck.bindings.load import Snapshot
from webhook.rolecheck.confirmation import question_of
from webhook.rolecheck.login_request import PolicyCheck
from webhook.settings.read import Settings
from webhook.sources import agent
from webhook.sources.judgement import Claim, judge

NAME_MAX = 256  # characters of a role or mount in log and audit


class Admission:
    """Answers reviews with one set of settings."""

    def __init__(self, settings: Settings) -> None:
        """Keep what depends on settings alone."""
        self._pod_settings = settings.pod_settings
        self._reader = settings.reader
        self._rules = settings.rules
        self._preset = settings.preset
        self._asks = bool(settings.confirm_socket)

    def answer(self, body: bytes, snapshot: Snapshot | None, now: float) -> Answer:
        """Return the answer to a request's body; never raises.

        Args:
            body: as received.
            snapshot: the roles to check against, None when there are none (yet).
            now: seconds since 1970, for the age of the bindings.
        """
        try:
            request = review.decode(body)
        except ReviewError as error:
            return _malformed(str(error))
        except PodError as error:
            problem = refused(Reason.POD_INVALID, error.field, str(error))
            return _refusal(error.review, problem, Outcome())
        outcome = Outcome()
        try:
            self._decide(request, snapshot, now, outcome)
        except Refused as refusal:
            return _refusal(request, refusal, outcome)
        except msgspec.DecodeError as error:  # a part of the pod that is read on demand
            return _refusal(request, refused(Reason.POD_INVALID, "request.object", str(error)), outcome)
        except Exception as error:  # noqa: BLE001 the API server must get a whole review, whatever we did wrong
            fault = refused(Reason.INTERNAL_ERROR, "vault-webhook", f"request {request.uid} met a fault of the webhook")
            return _refusal(request, fault, outcome, error=error)
        return _admission(request, outcome)

    def _decide(self, request: Review, snapshot: Snapshot | None, now: float, outcome: Outcome) -> None:
        """Fill in the outcome, step by step, or raise Refused."""
        pod = request.pod
        found = find(_annotations(pod)) if pod else None
        if pod is None or found is None:
            return
        if why := skip.skip_reason(pod):
            outcome.add([warning(found.family.prefix + SWITCH, why)])
            return
        self._guard_system_namespaces(request, found)
        intent = self._reader.read(found)
        outcome.add(preset_check.enforce(intent, self._reader.usual(found.family), self._preset))
        outcome.add(intent.warnings)
        agent_token = login_token.choose(
            pod, intent, self._pod_settings, self._pinned_audience(request, pod, intent, snapshot)
        )
        planned = plan.build(
            request,
            pod,
            intent,
            self._pod_settings,
            agent_token,
            marked=found.status == STATUS_INJECTED,
        )
        outcome.add(planned.warnings)
        if planned.has_agent:
            claims = agent.claims(pod, intent, agent_token, planned, request.namespace, self._rules)
            self._check_role(claims, snapshot, now, outcome)
        outcome.patch = patch.encode(planned, pod.spec or Spec(), found.family)
        outcome.injection_type = planned.injection_type

    def _pinned_audience(self, request: Review, pod: Pod, intent: Intent, snapshot: Snapshot | None) -> str:
        if (intent.token_audience or self._pod_settings.token_audience) != AUTO_AUDIENCE:
            return ""
        return agent.pinned_audience(pod, intent, snapshot, self._rules, request.namespace)

    def _check_role(self, claims: Sequence[Claim], snapshot: Snapshot | None, now: float, outcome: Outcome) -> None:
        """Refuse a pod whose role would not accept it; what is doubtful becomes warnings."""
        judgement = judge(claims, snapshot, self._rules, now)
        login_request = judgement.claim.request
        outcome.role, outcome.mount = _shown(login_request.ref.role), _shown(login_request.ref.auth_path)
        if self._asks:
            outcome.question = question_of(login_request, policies=self._rules.policy_check is not PolicyCheck.OFF)
        if judgement.refusal is not None:
            raise judgement.refusal
        outcome.findings = judgement.findings
        outcome.add(judgement.warnings, first=True)

    def _guard_system_namespaces(self, request: Review, found: Found) -> None:
        if request.namespace in self._pod_settings.system_namespaces and found.status != STATUS_INJECTED:
            raise refused(
                Reason.SYSTEM_NAMESPACE,
                found.family.prefix + SWITCH,
                f"no agent is injected in namespace {request.namespace}",
                "Remove this annotation, or move the workload",
            )


def withhold(answer: Answer) -> Answer:
    """Return a refusal without what it says of pod and role, for a peer that is refused very often. It stays a refusal.

    Log and metrics go by the answer's own reason, which is kept.
    """
    withheld = refused(
        Reason.REFUSALS_LIMITED,
        "vault-webhook",
        "the pod is refused, and why is not said, since very many were refused in the last seconds",
        "Try again in a minute",
    )
    audit = {"decision": REFUSED, "reason": str(withheld.reason)}
    body = review.refuse(
        answer.uid, code=withheld.status, reason=withheld.reason, message=withheld.message, audit=audit
    )
    return msgspec.structs.replace(answer, body=body)


def _annotations(pod: Pod) -> Mapping[str, str | None]:
    return (pod.metadata or Metadata()).annotations or {}


def _shown(name: str) -> str:
    """Return a name for log and audit: Vault's own are short and print, an author's may be anything."""
    return clean(name, NAME_MAX)


def _malformed(problem: str) -> Answer:
    body = msgspec.json.encode(
        {"error": clean(problem, MESSAGE_MAX), "remedy": "send an AdmissionReview of admission.k8s.io/v1"}
    )
    return Answer(status=400, body=body, decision=MALFORMED, reason="NoReview")


def _admission(request: Review, outcome: Outcome) -> Answer:
    body = review.allow(
        request.uid, patch=outcome.patch, warnings=outcome.warnings[:WARNINGS_MAX], audit=_audit(outcome)
    )
    return _answer(request, outcome, body, UNCHANGED if outcome.patch is None else INJECTED)


def _refusal(request: Review, refusal: Refused, outcome: Outcome, *, error: BaseException | None = None) -> Answer:
    body = review.refuse(
        request.uid,
        code=refusal.status,
        reason=refusal.reason,
        message=refusal.message,
        warnings=outcome.warnings[:WARNINGS_MAX],
        audit={**_audit(outcome), "decision": REFUSED, "reason": refusal.reason},
    )
    return _answer(request, outcome, body, REFUSED if error is None else FAILED, reason=refusal.reason, error=error)


def _answer(request: Review, outcome: Outcome, body: bytes, decision: str, **more: Any) -> Answer:
    return Answer(
        status=200,
        body=body,
        decision=decision,
        uid=request.uid,
        namespace=request.namespace,
        dry_run=request.dry_run,
        outcome=outcome,
        **more,
    )


def _audit(outcome: Outcome) -> dict[str, str]:
    """Return what is the same in both rounds of one admission: the login, not what was done about it."""
    return {"role": outcome.role, "mount": outcome.mount} if outcome.role else {}
