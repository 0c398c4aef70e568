"""A role of an auth mount: the fields as written (RoleText), and what they mean (KubernetesRole, JwtRole).

To add a field: a member of RoleText, a member of the role it belongs to, a line in the function that builds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from webhook.rolecheck.bindings.patterns import Patterns
from webhook.rolecheck.bindings.selector import Selector
from webhook.rolecheck.bindings.vault_values import Flag, Names, Number, flag, names, seconds

FORBIDDEN_POLICIES = ("root", "response-wrapping")  # no auth method may attach them; the server refuses the login

DEFAULT_POLICY = "default"


class RoleShape(msgspec.Struct, gc=False, kw_only=True):
    """One role as Vault, Terraform or a person writes it; unknown fields are ignored."""

    data: msgspec.Raw = msgspec.Raw(b"")  # `vault read -format=json` wraps the role in this member
    # both kinds; the deprecated twin stands beside each field
    token_policies: Names = None
    policies: Names = None
    token_no_default_policy: Flag = None
    token_ttl: Number = None
    ttl: Number = None
    token_max_ttl: Number = None
    max_ttl: Number = None
    token_explicit_max_ttl: Number = None
    token_period: Number = None
    period: Number = None
    token_num_uses: Number = None
    num_uses: Number = None
    token_bound_cidrs: Names = None
    bound_cidrs: Names = None
    # kubernetes
    bound_service_account_names: Names = None
    bound_service_account_namespaces: Names = None
    bound_service_account_namespace_selector: str | None = None
    audience: str | None = None
    alias_name_source: str | None = None
    # jwt
    role_type: str | None = None
    bound_subject: str | None = None
    bound_audiences: Names = None
    bound_claims: dict[str, Any] | None = None
    bound_claims_type: str | None = None
    user_claim: str | None = None
    user_claim_json_pointer: Flag = None
    claim_mappings: dict[str, str] | None = None
    groups_claim: str | None = None
    token_policies_template_claims: Flag = None


NUMBER_FIELDS = tuple(field.name for field in msgspec.structs.fields(RoleShape) if field.type == Number)
FLAG_FIELDS = tuple(field.name for field in msgspec.structs.fields(RoleShape) if field.type == Flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """What every role says of the token it issues."""

    policies: tuple[str, ...]  # normal form: trimmed, lower case, each once; root swallows the others
    no_default_policy: bool
    templated_policies: bool  # OpenBao: the names are templates, filled at login
    ttl_s: float  # 0: the mount's default
    period_s: float
    uses: float  # 0: unlimited
    is_bound_to_addresses: bool
    forbidden_policy: str  # makes every login fail; "" when there is none

    @property
    def policy_names(self) -> tuple[str, ...]:
        """Return the policies a token gets, `default` among them; of templated ones nobody knows the names before a login."""
        return with_default(() if self.templated_policies else self.policies, unless=self.no_default_policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesRole:
    """A role of a mount of type kubernetes."""

    name: str  # lower case
    accounts: Patterns
    namespaces: Patterns
    selector: Selector | None  # None: the role has none
    audience: str
    alias_name_source: str
    token: TokenTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRole:
    """A role of a mount of type jwt or oidc."""

    name: str
    role_type: str
    bound_subject: str
    audiences: frozenset[str]
    claims: Mapping[str, tuple[object, ...]]  # every claim must match one of its values
    claims_are_globs: bool
    user_claim: str
    user_claim_is_pointer: bool
    claim_mappings: Mapping[str, str]  # claim to metadata key
    groups_claim: str
    token: TokenTerms


Role = KubernetesRole | JwtRole


def policy_names(written: Names) -> tuple[str, ...]:
    """Return policy names as the server keeps them."""
    wanted = tuple(dict.fromkeys(name for raw in names(written) if (name := raw.strip().lower())))
    return ("root",) if "root" in wanted else wanted


def with_default(policies: tuple[str, ...], *, unless: bool) -> tuple[str, ...]:
    """Return a token's policies with the one that every token gets, unless its role says otherwise."""
    return policies if unless or DEFAULT_POLICY in policies else (*policies, DEFAULT_POLICY)


def token_of(text: RoleShape) -> TokenTerms:
    """Return the token's terms; a deprecated field counts where its successor is empty or zero."""
    policies = policy_names(text.token_policies) or policy_names(text.policies)
    is_templated = flag(text.token_policies_template_claims)
    forbidden = () if is_templated else (name for name in FORBIDDEN_POLICIES if name in policies)
    return TokenTerms(
        policies=policies,
        no_default_policy=flag(text.token_no_default_policy),
        templated_policies=is_templated,
        forbidden_policy=next(iter(forbidden), ""),
        ttl_s=seconds(text.token_ttl) or seconds(text.ttl),
        period_s=seconds(text.token_period) or seconds(text.period),
        uses=seconds(text.token_num_uses) or seconds(text.num_uses),
        is_bound_to_addresses=bool(names(text.token_bound_cidrs) or names(text.bound_cidrs)),
    )


def kubernetes_role(name: str, text: RoleShape, selectors: Mapping[str, Selector]) -> KubernetesRole:
    """Return the role as a kubernetes mount reads it; `selectors` holds every selector text, parsed."""
    selector = text.bound_service_account_namespace_selector
    accounts = Patterns.of(names(text.bound_service_account_names))
    namespaces = Patterns.of(names(text.bound_service_account_namespaces))
    return KubernetesRole(
        name=name,
        accounts=accounts,
        namespaces=namespaces,
        selector=selectors[selector] if selector else None,
        audience=text.audience or "",
        alias_name_source=text.alias_name_source or "",
        token=token_of(text),
    )


def jwt_role(name: str, text: RoleShape) -> JwtRole:
    """Return the role as a jwt or oidc mount reads it."""
    claims = text.bound_claims or {}
    return JwtRole(
        name=name,
        role_type=text.role_type or "jwt",
        bound_subject=text.bound_subject or "",
        audiences=frozenset(names(text.bound_audiences)),
        claims={claim: tuple(value) if isinstance(value, list) else (value,) for claim, value in claims.items()},
        claims_are_globs=text.bound_claims_type == "glob",
        user_claim=text.user_claim or "",
        user_claim_is_pointer=flag(text.user_claim_json_pointer),
        claim_mappings=text.claim_mappings or {},
        groups_claim=text.groups_claim or "",
        token=token_of(text),
    )
