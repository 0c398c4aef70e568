"""Fuzz policies and paths, from HCL or JSON to a verdict: always a verdict, in one line, and no other error. Run by `make fuzz`."""

import json
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["webhook"]):
    from webhook import yaml_text
    from webhook.rolecheck.acl.check import check_path
    from webhook.rolecheck.bindings.load import load
    from webhook.rolecheck.login_request import LoginRequest, PolicyCheck, Rules
    from webhook.rolecheck.role_ref import RoleRef

RULES = Rules(policy_check=PolicyCheck.DENY)
ROLE = {
    "bound_service_account_names": ["web"],
    "bound_service_account_namespaces": ["shop"],
    "token_policies": ["a", "b"],
}
PIECES = [
    'path "',
    '" { capabilities = ["read"] }\n',
    '" { policy = "read" ',
    "secret/data/",
    "team1/",
    "+/",
    "*",
    "{{identity.entity.id}}",
    "{{identity.entity.aliases.acc.metadata.service_account_namespace}}",
    "allowed_parameters = {",
    "min_wrapping_ttl = ",
    "expiration = ",
    "<<-A\n",
    "/*",
    '{"path": {"',
    '": {"capabilities": ["read"]}}}',
    "}",
    "]",
    '"',
]


def text_of(provider: atheris.FuzzedDataProvider) -> str:
    """Return a text made of pieces of policies and of fuzzed ones."""
    parts = []
    for _ in range(provider.ConsumeIntInRange(0, 20)):
        is_fuzzed = provider.ConsumeProbability() < 0.3
        parts.append(provider.ConsumeUnicodeNoSurrogates(8) if is_fuzzed else provider.PickValueInList(PIECES))
    return "".join(parts)


def one_input(data: bytes) -> None:
    """Try one input."""
    provider = atheris.FuzzedDataProvider(data)
    namespace = provider.PickValueInList(["", "team1"])
    document = {
        "apiVersion": "vault-bindings/v1",
        "kind": "BindingSnapshot",
        "server": {"product": provider.PickValueInList(["vault", "openbao"])},
        "auth": [
            {
                "path": "auth/kubernetes",
                "namespace": namespace,
                "type": "kubernetes",
                "accessor": "acc",
                "roles": {"r": ROLE},
            }
        ],
        "policies": [{"name": name, "namespace": namespace, "hcl": text_of(provider)} for name in ("a", "b")],
        "mounts": provider.PickValueInList([None, [], [{"path": "secret", "type": "kv", "version": 2}]]),
    }
    snapshot = load(json.dumps(document).encode(), yaml_text.documents)
    asked_in = provider.PickValueInList(["", namespace])
    ref = RoleRef(namespace, "kubernetes", "r")
    request = LoginRequest(ref=ref, asks_in=asked_in, service_account="web", namespace="shop", audience=("vault",))
    for path in (text_of(provider), provider.ConsumeUnicode(40), "secret/data/x", "team1/secret/x"):
        verdict = check_path(path, request, snapshot, RULES, 0.0)
        assert verdict.message.isprintable(), verdict
        assert len(verdict.message) < 300, verdict


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
