"""Roles of every make, for the comparison of the webhook's verdict with a real login; each admits some and refuses others."""

from collections.abc import Mapping
from typing import Any

NAMESPACE, ELSEWHERE = "e2e-agree", "e2e-elsewhere"
LABELS: Mapping[str, Mapping[str, str]] = {NAMESPACE: {"team": "blue"}, ELSEWHERE: {"team": "red"}}
ACCOUNTS = ("default", "shop")
IDENTITIES = tuple((namespace, account) for namespace in LABELS for account in ACCOUNTS)

_KUBERNETES: Mapping[str, Any] = {
    "bound_service_account_names": ["default"],
    "bound_service_account_namespaces": [NAMESPACE],
    "audience": "vault",
    "token_policies": ["e2e-read"],
}
_JWT: Mapping[str, Any] = {
    "role_type": "jwt",
    "user_claim": "sub",
    "bound_audiences": ["vault"],
    "token_policies": ["e2e-read"],
}
_BLUE = '{"matchLabels": {"team": "blue"}}'


def _names(*names: str) -> Mapping[str, Any]:
    return {"bound_service_account_names": list(names)}


def _namespaces(*names: str, selector: str = "") -> Mapping[str, Any]:
    chosen = {"bound_service_account_namespace_selector": selector} if selector else {}
    return {"bound_service_account_namespaces": list(names), **chosen}


_OF_KUBERNETES: Mapping[str, Mapping[str, Any]] = {
    "exact": {},
    "several": _names("other", "shop"),
    "text": {"bound_service_account_names": "other,shop"},
    "blanks": _names(" default "),
    "case": _names("Default"),
    "any-account": _names("*"),
    "glob": _names("sh*"),
    "glob-inside": _names("*ho*"),
    "glob-two": _names("s*p", "d?fault"),
    "namespace-glob": _namespaces("e2e-*"),
    "namespace-end": _namespaces("*-agree"),
    "any-namespace": _namespaces("*"),
    "anybody": {**_names("*"), **_namespaces("*")},
    "selector": _namespaces(selector=_BLUE),
    "selector-yaml": _namespaces(selector="matchLabels:\n  team: blue\n"),
    "selector-or-name": _namespaces(ELSEWHERE, selector=_BLUE),
    "selector-of-none": _namespaces(selector='{"matchLabels": {"team": "green"}}'),
    "selector-of-all": _namespaces(selector='{"matchLabels": {}}'),
    "audience-none": {"audience": ""},
    "audience-other": {"audience": "other"},
    "audience-blank": {"audience": " vault "},
}
_OF_JWT: Mapping[str, Mapping[str, Any]] = {
    "open": {},
    "audience-other": {"bound_audiences": ["other"]},
    "audience-several": {"bound_audiences": ["other", "vault"]},
    "subject": {"bound_subject": f"system:serviceaccount:{NAMESPACE}:default"},
    "claim": {"bound_claims": {"sub": f"system:serviceaccount:{NAMESPACE}:shop"}},
    "claim-list": {"bound_claims": {"/kubernetes.io/serviceaccount/name": ["other", "shop"]}},
    "claim-pointer": {"bound_claims": {"/kubernetes.io/namespace": NAMESPACE}},
    "claim-no-pointer": {"bound_claims": {"kubernetes.io/namespace": NAMESPACE}},
    "claim-glob": {"bound_claims_type": "glob", "bound_claims": {"sub": "system:serviceaccount:e2e-*:sh*"}},
    "claim-star": {"bound_claims": {"sub": f"system:serviceaccount:{NAMESPACE}:*"}},
    "claim-absent": {"bound_claims": {"email": "somebody"}},
    "user-absent": {"user_claim": "email"},
    "user-pointer": {"user_claim": "/kubernetes.io/serviceaccount/uid", "user_claim_json_pointer": True},
    "user-no-pointer": {"user_claim": "/kubernetes.io/serviceaccount/uid"},
    "user-list": {"user_claim": "aud"},
    "mapping": {"claim_mappings": {"/kubernetes.io/namespace": "namespace"}},
    "mapping-absent": {"claim_mappings": {"email": "email"}},
    "mapping-object": {"claim_mappings": {"kubernetes.io": "all"}},
    "groups-absent": {"groups_claim": "groups"},
    "groups-list": {"groups_claim": "aud"},
    "groups-text": {"groups_claim": "sub"},
}
KUBERNETES = {name: {**_KUBERNETES, **changes} for name, changes in _OF_KUBERNETES.items()}
JWT = {name: {**_JWT, **changes} for name, changes in _OF_JWT.items()}
