"""May this role read this path? The role's policies, as far as their texts are known, against what the agent will ask.

A visible grant is final. A denial is downgraded to a warning if any policy or identity group that could grant access is not
visible. A token belongs to the Vault namespace of its auth mount: its policies hold for the paths below that namespace, as seen from
there, and the agent may ask from a namespace above.
To change the outcome of a state: OUTCOMES, whose rows are tried from top to bottom.
"""

from collections.abc import Callable
from dataclasses import replace

from msgspec import Struct

from webhook.reasons import Reason
from webhook.rolecheck.acl.role_policies import Grants, Policies, policies_of
from webhook.rolecheck.acl.ruleset import RuleDecision, RuleSet, State
from webhook.rolecheck.acl.secret_path import (
    MOUNT_DEPTH_MAX,
    Located,
    SecretPath,
    Surroundings,
    candidates,
    locate,
    read,
    root_of,
)
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.rolecheck.login import Target, check, resolve, subject_of
from webhook.rolecheck.login_request import Disclosure, LoginRequest, Mode, PolicyCheck, Rules
from webhook.rolecheck.role_ref import namespace_of
from webhook.rolecheck.verdict import Finding, Level, Problem, Verdict
from webhook.rolecheck.wording import finding

READABLE = Verdict(Level.ALLOW, Reason.SECRET_READABLE)
HOPEFUL = (State.READABLE, State.UNCERTAIN)

# outside the token's Vault namespace, where none of its policies holds
_OUTSIDE = Policies(RuleSet(), {}, missing="", invalid="", has_unknown=False)


class PathQuestion(Struct, frozen=True):
    """One path in question, with all that decides it."""

    policies: Policies
    rules: RuleSet
    secret: SecretPath
    located: Located
    is_managed: bool  # identity groups may grant more
    inner: (
        str  # what paths begin with that lie in the token's Vault namespace, as the agent writes them: "", or `team-a/`
    )

    def decide(self, path: str) -> RuleDecision:
        """Return what the rules say of another path, asked with the same parameters."""
        if not path.startswith(self.inner):
            return RuleDecision(State.NONE, None)
        return self.rules.decide(path[len(self.inner) :], self.secret.parameters)

    @property
    def is_fully_known(self) -> bool:
        """Tell whether nothing that could grant is out of sight."""
        return not (self.policies.has_unknown or self.policies.invalid or self.is_managed)


def check_path(
    value: str, request: LoginRequest, snapshot: Snapshot | None, rules: Rules, now: float | None
) -> Verdict:
    """Judge one secret, taking the login for granted; SecretReadable when there is nothing to say."""
    target = None if snapshot is None else resolve(request, snapshot, rules, now)
    if snapshot is None or not isinstance(target, Target):
        return check(request, snapshot, rules, now)
    found = ReadAccess(target, request, snapshot, rules, now).finding(value)
    return READABLE if found is None else Verdict(found.level, found.reason, (found,))


class ReadAccess:
    """What the token of one login may read."""

    def __init__(
        self, target: Target, request: LoginRequest, snapshot: Snapshot, rules: Rules, now: float | None
    ) -> None:
        """Collect the role's policies.

        Args:
            target: the role, as `login.find` found it.
            request: the login that yields the token.
            snapshot: what is known of the server.
            rules: the settings.
            now: Unix seconds; None: the expiry of a policy block does not count.
        """
        self._claim, self._rules = request, rules
        self._forbidden = target.role.token.forbidden_policy
        attempt = Attempt(request, target.mount, rules, None)
        policies = policies_of(target.role, target.mount, snapshot)
        self._grants = Grants(policies, target.role, attempt, snapshot, now)
        owner = target.mount.namespace
        self._around = Surroundings(snapshot, owner if request.asks_in is None else namespace_of(request.asks_in))
        inner = owner.removeprefix(self._around.namespace).strip("/")
        self._inner = f"{inner}/" if inner else ""

    def finding(self, value: str) -> Finding | None:
        """Return what there is to say of reading the secret an annotation's value names, None where it is readable."""
        if self._forbidden:
            problem: Problem | None = Problem(Level.DENY, Reason.POLICY_NOT_ASSIGNABLE, {"policy": self._forbidden})
        else:
            problem = self._problem(value)
        return None if problem is None else _worded(problem, self._claim, self._rules)

    def _problem(self, value: str) -> Problem | None:
        secret = read(value)
        if secret is None:
            return Problem(Level.DENY, Reason.SECRET_PATH_INVALID, {"path": value})
        located = locate(secret.path, self._around)
        question = self._question(secret, located or Located(secret.path, "", 0))
        if located is not None:
            return _hidden(question) if located.is_hidden else _outcome(question)
        if _knows_all_mounts(self._around.snapshot):
            return Problem(Level.DENY, Reason.SECRET_MOUNT_UNKNOWN, {"path": secret.path})
        return _unlocated(question)

    def _question(self, secret: SecretPath, located: Located) -> PathQuestion:
        is_managed = self._around.snapshot.identity_is_managed
        if not secret.path.startswith(self._inner):
            return PathQuestion(_OUTSIDE, _OUTSIDE.fixed, secret, located, is_managed, self._inner)
        rules = self._grants.rules_below(root_of(secret.path[len(self._inner) :]))
        return PathQuestion(self._grants.policies, rules, secret, located, is_managed, self._inner)


def _knows_all_mounts(snapshot: Snapshot) -> bool:
    """Tell whether a secrets mount that is not known exists nowhere, not in a Vault namespace that nobody lists either."""
    return snapshot.secret_mounts is not None and snapshot.mounts_are_complete and snapshot.auth_is_complete


def _worded(problem: Problem, request: LoginRequest, rules: Rules) -> Finding:
    """Put a problem into words, a deny as loudly as the settings ask."""
    is_soft = rules.policy_check is PolicyCheck.WARN or rules.mode is Mode.WARN
    if is_soft and problem.level is Level.DENY:
        problem = replace(problem, level=Level.WARN)
    return finding(problem, subject_of(request), request.fields, full=rules.disclosure is Disclosure.FULL)


def _unlocated(case: PathQuestion) -> Problem | None:
    """Judge a path whose mount is not known: the agent may insert `data/` behind any of its slashes."""
    path = case.secret.path
    inserted, is_prefixed = candidates(path)
    as_written = case.decide(path).state
    if as_written is State.READABLE and is_prefixed:
        return _outcome(case)
    is_deep = path.count("/") > MOUNT_DEPTH_MAX
    if is_deep or as_written in HOPEFUL or any(case.decide(other).state in HOPEFUL for other in inserted):
        return Problem(Level.WARN, Reason.KV_VERSION_UNKNOWN, {"path": path})
    return _outcome(case)


def _hidden(case: PathQuestion) -> Problem | None:
    """Judge a path to which the agent should add `data/` and does not, unless policies happen to cover more than the mount."""
    if any(case.decide(path).state in HOPEFUL for path in (case.secret.path, case.located.path)):
        return Problem(Level.WARN, Reason.KV_VERSION_HIDDEN, {"path": case.secret.path})
    return _outcome(case)


def _outcome(case: PathQuestion) -> Problem | None:
    """Return what the policies say of the located path; None where it is readable and that is all there is to say."""
    decision = case.decide(case.located.path)
    if decision.state is State.READABLE:
        return _doubt(case, decision)
    level, reason = next((level, reason) for fits, level, reason in OUTCOMES if fits(case, decision))
    policy = case.policies.invalid if reason is Reason.POLICY_INVALID else case.policies.missing
    return Problem(level, reason, {"path": case.located.path, "policy": policy})


def _doubt(case: PathQuestion, decision: RuleDecision) -> Problem | None:
    """Return what there is to say of a path that is readable."""
    if decision.rule is not None and decision.rule.needs_approval:
        return Problem(Level.WARN, Reason.SECRET_APPROVAL_REQUIRED, {"path": case.located.path})
    if case.policies.missing:
        details = {"path": case.located.path, "policy": case.policies.missing}
        return Problem(Level.WARN, Reason.POLICY_NOT_FOUND, details)
    return None


def _state_is(state: State) -> Callable[[PathQuestion, RuleDecision], bool]:
    return lambda _, decision: decision.state is state


def _lacks_data(version: int) -> Callable[[PathQuestion, RuleDecision], bool]:
    """Tell a path that only the other KV version's spelling would be granted for."""
    return lambda case, decision: (
        decision.state is State.NONE
        and case.located.kv_version == version
        and bool(case.located.without_data)
        and case.is_fully_known
        and case.decide(case.located.without_data).state is State.READABLE
    )


Fits = Callable[[PathQuestion, RuleDecision], bool]
OUTCOMES: tuple[tuple[Fits, Level, Reason], ...] = (
    (_lacks_data(2), Level.DENY, Reason.KV_V2_DATA_PREFIX_MISSING),
    (_lacks_data(1), Level.DENY, Reason.KV_V1_DATA_PREFIX_UNNEEDED),
    (_state_is(State.UNCERTAIN), Level.WARN, Reason.POLICY_TEMPLATE_UNDECIDABLE),
    (lambda case, _: bool(case.policies.invalid), Level.WARN, Reason.POLICY_INVALID),
    (lambda case, _: case.policies.has_unknown, Level.WARN, Reason.POLICY_UNAVAILABLE),
    (lambda case, _: case.is_managed, Level.WARN, Reason.POLICY_SET_UNDECIDABLE),
    (
        lambda case, decision: decision.state is State.NONE and bool(case.policies.missing),
        Level.DENY,
        Reason.POLICY_NOT_FOUND,
    ),
    (_state_is(State.NONE), Level.DENY, Reason.SECRET_PATH_NOT_GRANTED),
    (_state_is(State.DENIED), Level.DENY, Reason.SECRET_PATH_DENIED),
    (_state_is(State.NO_READ), Level.DENY, Reason.SECRET_READ_NOT_GRANTED),
    (_state_is(State.CONSTRAINED), Level.DENY, Reason.SECRET_PATH_CONSTRAINED),
)
