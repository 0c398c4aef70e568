"""The variables of templated policies, and the value each will have for the token of one login, as far as that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from webhook.rolecheck import jwt
from webhook.rolecheck.attempt import Attempt
from webhook.rolecheck.bindings.roles import JwtRole, KubernetesRole, Role
from webhook.rolecheck.bindings.snapshot import Snapshot


class Unresolved(Enum):
    """What becomes of a variable without a known value."""

    DROPPED = "dropped"  # it does not resolve; the server leaves the rule out
    UNCERTAIN = "uncertain"  # it will have some value


Value = str | Unresolved


@dataclass(frozen=True, slots=True)
class TemplateVariables:
    """Who a token will belong to."""

    accessor: str  # of the login mount; "": unknown
    alias_name: Value
    metadata: Mapping[str, Value]  # of the alias: what is certain to be there
    other_metadata: Value  # of the alias: any other key
    unseen: Unresolved  # what only a managed identity has: groups, other aliases, entity metadata

    def resolve(self, variable: str) -> Value:
        """Return the value of a template variable, or what becomes of it."""
        head, _, rest = variable.partition(".")
        if head == "time":
            return Unresolved.UNCERTAIN if rest == "now" or rest.startswith("now.") else Unresolved.DROPPED
        kind, _, name = rest.partition(".")
        if head != "identity" or not name:
            return Unresolved.DROPPED
        if kind == "groups":
            return self.unseen
        return self._entity(name) if kind == "entity" else Unresolved.DROPPED

    def _entity(self, name: str) -> Value:
        if name in ("id", "name"):
            return Unresolved.UNCERTAIN
        if name.startswith("metadata.") and name != "metadata.":
            return self.unseen
        if not name.startswith("aliases."):
            return Unresolved.DROPPED
        if not self.accessor:
            return Unresolved.UNCERTAIN
        accessor, _, member = name.removeprefix("aliases.").partition(".")
        return self._alias(member) if accessor == self.accessor else self.unseen

    def _alias(self, member: str) -> Value:
        if member == "name":
            return self.alias_name
        if member == "id":
            return Unresolved.UNCERTAIN
        kind, _, key = member.partition(".")
        if kind == "metadata" and key:
            return self.metadata.get(key, self.other_metadata)
        return self.unseen if kind == "custom_metadata" and key else Unresolved.DROPPED


def variables_of(role: Role, attempt: Attempt, snapshot: Snapshot) -> TemplateVariables:
    """Return the variables as a login by this attempt at this role sets them."""
    alias = _jwt(role, attempt) if isinstance(role, JwtRole) else _kubernetes(role, attempt, snapshot)
    unseen = Unresolved.UNCERTAIN if snapshot.identity_is_managed else Unresolved.DROPPED
    return TemplateVariables(attempt.mount.accessor, *alias, unseen)


def _kubernetes(role: KubernetesRole, attempt: Attempt, snapshot: Snapshot) -> tuple[Value, dict[str, Value], Value]:
    request, config = attempt.request, attempt.mount.config
    account, uid = request.service_account or "default", request.uid or Unresolved.UNCERTAIN
    named = role.alias_name_source == "serviceaccount_name"
    metadata: dict[str, Value] = {
        "service_account_name": account,
        "service_account_namespace": request.namespace,
        "service_account_uid": uid,
        "service_account_secret_name": "",  # projected tokens have no secret
    }
    has_more = snapshot.product == "vault" and (config.has_annotation_metadata or not config.is_known)
    return (
        f"{request.namespace}/{account}" if named else uid,
        metadata,
        Unresolved.UNCERTAIN if has_more else Unresolved.DROPPED,
    )


def _jwt(role: JwtRole, attempt: Attempt) -> tuple[Value, dict[str, Value], Value]:
    claims = jwt.token_claims(attempt)
    metadata: dict[str, Value] = {"role": role.name}
    for name, key in role.claim_mappings.items():
        value = jwt.lookup(claims, name)
        if value is not jwt.ABSENT:
            metadata[key] = value if isinstance(value, str) else Unresolved.UNCERTAIN
    alias = jwt.user_claim(role, claims)
    return alias if isinstance(alias, str) else Unresolved.UNCERTAIN, metadata, Unresolved.DROPPED
