"""Random roles and policies, chosen so that their edges lie near the identities and paths that are asked about."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.truth.world import ACCOUNTS, API_AUDIENCE, NAMESPACES, SECRET_MOUNTS

NAME_PATTERNS = (
    *ACCOUNTS,
    "web*",
    "web-*",
    "*a",
    "*e*b",
    "w*b",
    "we*eb",
    "web*web",
    "*-*",
    "ap?",
    "API",
    "a*pi*",
    "**",
    "*w*e*b*",
)
NAMESPACE_PATTERNS = (*NAMESPACES, "shop*", "shop-*", "*-a", "ab*ba", "*b*", "a*a", "te*am-*", "sho", "shop.", "SHOP")
SELECTORS = (
    '{"matchLabels": {"team": "shop"}}',
    '{"matchLabels": {"team": "shop", "tier": "1"}}',
    '{"matchLabels": {"tier": "2"}}',
    '{"matchLabels": {"empty": ""}}',
    '{"matchLabels": {}}',
    '{"matchlabels": {"team": "a"}}',
    "matchLabels:\n  team: a\n",
    "matchLabels: {tier: 1}",
    "{}",
)
POINTERS = ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name")
SUBJECT = "system:serviceaccount:{}:{}"


def kubernetes_role(random: Random) -> dict[str, Any]:
    """Return a role of a kubernetes mount, as it would be written."""
    role: dict[str, Any] = {
        "bound_service_account_names": _some(random, NAME_PATTERNS),
        random.choice(("token_policies", "policies")): _some(
            random, ("default", "read", "Read ", "root")[: random.choice((3, 3, 3, 4))]
        ),
        "audience": random.choice(("", "", "", "", "", "vault", "vault", "other", API_AUDIENCE, "Vault")),
        "alias_name_source": random.choice(("serviceaccount_uid", "serviceaccount_name")),
    }
    if random.random() < 0.85:
        role["bound_service_account_namespaces"] = _some(random, NAMESPACE_PATTERNS)
    if random.random() < 0.4 or "bound_service_account_namespaces" not in role:
        role["bound_service_account_namespace_selector"] = random.choice(SELECTORS)
    return role


def jwt_role(random: Random) -> dict[str, Any]:
    """Return a role of a jwt mount, as it would be written."""
    namespace, account = random.choice(list(NAMESPACES)), random.choice(ACCOUNTS)
    pointers = random.random() < 0.6
    role: dict[str, Any] = {
        "role_type": random.choice(("jwt",) * 9 + ("oidc",)),
        "user_claim": random.choice(("sub",) * 6 + (*POINTERS, "aud", "nope")),
        "user_claim_json_pointer": pointers,
        "token_policies": ["default"],
        "allowed_redirect_uris": ["http://localhost"],
    }
    if random.random() < 0.9:
        role["bound_audiences"] = _some(random, ("vault", "other", API_AUDIENCE, "Vault"))
    if random.random() < 0.3:
        role["bound_subject"] = SUBJECT.format(namespace, account)
    if random.random() < 0.6:
        role["bound_claims_type"] = random.choice(("string", "glob"))
        claim = random.choice(("sub", *POINTERS, "kubernetes.io/namespace"))
        subjects = SUBJECT.format(namespace, "*")
        values = (namespace, account, f"{namespace[:2]}*", "*", [namespace, account], subjects, ["*a", "web"])
        role["bound_claims"] = {claim: random.choice(values)}
    if random.random() < 0.2:
        role["claim_mappings"] = {
            random.choice(("sub", "/kubernetes.io/namespace", "aud", "/kubernetes.io", "nope")): "x"
        }
    if random.random() < 0.1:
        role["groups_claim"] = random.choice(("aud", "sub", "nope"))
    return role


PATHS = ("app", "app/db", "app/db/x", "team-a/app", "data/app", "metadata/app", "a b", "app//db", "database/x")
RULES = (
    "{m}/data/app",
    "{m}/data/app/*",
    "{m}/data/*",
    "{m}/app",
    "{m}/app/*",
    "{m}/*",
    "{m}/data/+/db",
    "{m}/+/app",
    "{m}/data/+/+",
    "{m}/data/app/d*",
    "+/data/app",
    "{m}/data/app/db",
    "{m}/data/te*",
    "*",
    "{m}/metadata/*",
)
CAPABILITIES = (
    '["read"]',
    '["list"]',
    '["read", "list"]',
    '["deny"]',
    '["create", "update"]',
    '["read", "deny"]',
    "[]",
    '["sudo"]',
)


def policies(random: Random, below: Sequence[str]) -> list[str]:
    """Return one to three policy texts; `below` are the Vault namespaces as seen from the policies' own, "" among them."""
    return ["\n".join(_rule(random, below) for _ in range(random.randint(1, 4))) for _ in range(random.randint(1, 3))]


def _rule(random: Random, below: Sequence[str]) -> str:
    path = random.choice(RULES).format(m=_mount(random, below))
    extra = random.choice(
        ("", "", "", "", ' min_wrapping_ttl = "1s"', ' required_parameters = ["x"]', ' policy = "read"')
    )
    body = f"capabilities = {random.choice(CAPABILITIES)}"
    return f"path {json.dumps(path)} {{\n  {body}\n {extra}\n}}"


def secret_path(random: Random, below: Sequence[str]) -> str:
    """Return a path as an annotation would name it."""
    return f"{_mount(random, below)}/{random.choice(PATHS)}"


def _mount(random: Random, below: Sequence[str]) -> str:
    return f"{random.choice(below)}/{random.choice(list(SECRET_MOUNTS))}".removeprefix("/")


def _some(random: Random, pool: tuple[str, ...]) -> list[str] | str:
    """Return one to three of the pool, as a list or, as people write, a text with commas; now and then everything."""
    if random.random() < 0.06:
        return "*"
    chosen = random.sample(pool, random.randint(1, min(3, len(pool))))
    return ",".join(chosen) if random.random() < 0.2 else chosen
