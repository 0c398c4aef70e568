"""Whatever is doubled, work and memory at most double: paths and secrets of an author, policies of a Vault operator."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.growth import assert_linear
from webhook.rolecheck import login
from webhook.rolecheck.acl.check import ReadAccess, check_path
from webhook.rolecheck.acl.policy import blocks
from webhook.rolecheck.acl.role_policies import TEXTS_MAX
from webhook.rolecheck.acl.secret_path import PATH_MAX
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.rolecheck.login_request import LoginRequest, PolicyCheck, Rules
from webhook.rolecheck.role_ref import RoleRef
from webhook.yaml_text import documents

STRICT = Rules(policy_check=PolicyCheck.DENY)
CLAIM = LoginRequest(
    ref=RoleRef("", "kubernetes", "shop"), service_account="web", namespace="shop", audience=("vault",)
)
ID = "{{identity.entity.id}}"
OWN = "{{identity.entity.aliases.acc.metadata.service_account_namespace}}"


def rule(path: str, body: str = 'capabilities = ["read"]') -> str:
    return f"path {json.dumps(path)} {{ {body} }}\n"


POLICY_TEXTS: dict[str, Callable[[int], str]] = {
    "rules": lambda n: "".join(rule(f"a/{i}/*") for i in range(n)),
    "rules for one path": lambda n: rule("a") * n,
    "rules for one path, other parameters": lambda n: "".join(
        rule("a", f'allowed_parameters = {{ "p{i}" = [{i}] }} required_parameters = ["p{i}"]') for i in range(n)
    ),
    "capabilities given again": lambda n: rule("a", 'capabilities = ["read"]\n' * n),
    "required parameters given again": lambda n: rule("a", 'required_parameters = ["a"]\n' * n),
    "one long list": lambda n: rule("a", "capabilities = [" + '"read", ' * n + "]"),
    "parameters": lambda n: rule("a", "denied_parameters = {" + " ".join(f'"p{i}" = []' for i in range(n)) + "}"),
    "values of one parameter": lambda n: rule("a", "allowed_parameters = {" + '"p" = [1] ' * n + "}"),
    "comments": lambda n: "# x\n/* y */ // z\n" * n,
    "comments that never end": lambda n: "/*" * n,
    "blanks": lambda n: " \n" * n,
    "keys without a value": lambda n: "a " * n,
    "a long text": lambda n: rule("a", 'comment = "' + "x" * n + '"'),
    "escapes": lambda n: rule("a", 'comment = "' + "\\n" * n + "$" * n + "${a}" * n + '"'),
    "interpolations that never end": lambda n: rule("a", 'comment = "' + "${" * n + '"'),
    "heredocs": lambda n: rule("a", "".join(f"comment = <<A{i}\nA{i}x\n  A{i}\n" for i in range(n))),
    "heredocs that never end": lambda n: rule("a", "comment = <<A\n" * n),
    "a heredoc of blanks and markers": lambda n: rule("a", "comment = <<-A\n" + " " * n + "\n" + "A A" * n + "\nA\n"),
    "nested objects": lambda n: "a = " + "{a = " * n,
    "nested blocks": lambda n: "a { " * n,
    "nested lists": lambda n: "a = " + "[" * n,
    "a number": lambda n: rule("a", "min_wrapping_ttl = " + "9" * n),
    "a duration": lambda n: rule("a", 'min_wrapping_ttl = "' + "1h" * n + '"'),
    "variables": lambda n: rule("a/" + ID * n),
    "braces": lambda n: rule("{{" * n),
    "pluses": lambda n: rule("+/" * n),
    "stars": lambda n: rule("*" * n),
    "JSON": lambda n: json.dumps({"path": {f"a{i}": {"policy": "read"} for i in range(n)}}),
    "JSON, one key again and again": lambda n: '{"path": {' + ",".join(['"a": {"policy": "read"}'] * n) + "}}",
    "JSON, nested": lambda n: '{"path": {"a": {"comment": ' + "[" * n,
}


def parsed(text: str) -> Callable[[], None]:
    def work() -> None:
        try:
            blocks(text)
        except ValueError as error:
            assert len(str(error)) < 300

    return work


@pytest.mark.parametrize("name", POLICY_TEXTS)
def test_reading_a_policy_costs_its_length(name: str) -> None:
    assert_linear(lambda n: parsed(POLICY_TEXTS[name](n)), 300)


def known(policy: str, *, mounts: object = (), product: str = "vault") -> Snapshot:
    fields = {
        "bound_service_account_names": ["web"],
        "bound_service_account_namespaces": ["shop"],
        "token_policies": ["p"],
    }
    auth = {"path": "kubernetes", "type": "kubernetes", "accessor": "acc", "roles": {"shop": fields}}
    document = {
        "apiVersion": "vault-bindings/v1",
        "kind": "BindingSnapshot",
        "server": {"product": product},
        "auth": [auth],
        "policies": [{"name": "p", "hcl": policy}],
        "mounts": mounts or None,
    }
    return load(json.dumps(document).encode(), documents)


def read(snapshot: Snapshot, *paths: str) -> Callable[[], None]:
    """Return the work of judging the secrets of one pod."""

    def work() -> None:
        target = login.resolve(CLAIM, snapshot, STRICT, None)
        assert isinstance(target, login.Target)
        access = ReadAccess(target, CLAIM, snapshot, STRICT, None)
        for path in paths:
            access.finding(path)

    return work


TANGLED = rule(f"x/{ID}/*") + rule(f"{ID}/x") + rule("x/+/x*") + rule("+/x") + rule(f"x/{OWN}/+/{ID}*") + rule("x*")
PATHS: dict[str, Callable[[int], str]] = {
    "segments": lambda n: "x/" * n,
    "empty segments": lambda n: "x" + "/" * n,
    "percent signs": lambda n: "x/" + "%2f" * (n // 2),
    "data": lambda n: "data/" * (n // 4),
    "wildcards": lambda n: "x/" + "*+" * (n // 2),
    "parameters": lambda n: "x?" + "a=1&" * (n // 4),
    "other parameters": lambda n: "x?" + "&".join(f"{i}" for i in range(n // 4)),
    "dots": lambda n: "x/" + "./" * n,
}
MOUNTS = [{"path": "x", "type": "kv", "version": 2}, {"path": "/".join("x" * 40), "type": "kv"}]
TEAMS = [{"path": "x", "type": "kv", "namespace": "/".join("x" * depth)} for depth in range(40)]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("mounts", [(), MOUNTS, TEAMS], ids=["mounts unknown", "mounts known", "namespaces"])
@pytest.mark.parametrize("product", ["vault", "openbao"])
def test_a_path_costs_its_length(name: str, mounts: object, product: str) -> None:
    snapshot = known(TANGLED, mounts=mounts, product=product)
    read(snapshot, "x")()  # what is done once for a document
    assert_linear(lambda n: read(snapshot, PATHS[name](n)), PATH_MAX // 8)


MANY_RULES: dict[str, Callable[[int], str]] = {
    "exact": lambda n: "".join(rule(f"x/{i}") for i in range(n)),
    "prefixes": lambda n: "".join(rule(f"x/{i}*") for i in range(n)),
    "prefixes of each other": lambda n: "".join(rule("x/" * i + "*") for i in range(n)),
    "one plus": lambda n: "".join(rule(f"x/+/{i}") for i in range(n)),
    "plus and star": lambda n: "".join(rule(f"+/x/{i}*") for i in range(n)),
    "own namespace": lambda n: "".join(rule(f"x/{OWN}/{i}/*") for i in range(n)),
    "own namespace anywhere": lambda n: "".join(rule(f"{OWN}/{i}/*") for i in range(n)),
    "unknown values": lambda n: "".join(rule(f"x/{i}/{ID}/*") for i in range(n)),
    "unknown values, one beginning": lambda n: "".join(rule(f"x/{ID}/{i}/*") for i in range(n)),
    "roots": lambda n: "".join(rule(f"r{i}/{OWN}") for i in range(n)),
    "expiring": lambda n: "".join(
        rule(f"x/{i}", 'policy = "read"\nexpiration = "2100-01-01T00:00:00Z"') for i in range(n)
    ),
}


@pytest.mark.parametrize("name", MANY_RULES)
def test_secrets_and_rules_do_not_multiply(name: str) -> None:
    """Twice the secrets and twice the rules: rules are read, secrets are asked, and neither for each of the other."""

    def work(n: int) -> Callable[[], None]:
        snapshot = known(MANY_RULES[name](n))
        return read(snapshot, *(f"x/{i}/q" for i in range(n)), *(f"r{i}/q" for i in range(n)))

    assert_linear(work, 150)


def test_secrets_mounts_do_not_add_up_with_namespaces() -> None:
    def work(n: int) -> Callable[[], Any]:
        mounts = [{"path": f"m{i}", "type": "kv"} for i in range(n)]
        mounts += [{"path": "own", "type": "kv", "namespace": f"n{i}"} for i in range(n)]
        document = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot", "mounts": mounts}
        encoded = json.dumps(document).encode()
        return lambda: load(encoded, documents)

    assert_linear(work, 200)


def test_policies_of_a_role_beyond_a_length_are_unknown() -> None:
    granted = rule("secret/*")
    mounts = [{"path": "secret", "type": "kv", "version": 1}]
    fits = known(granted + "#" * (TEXTS_MAX - len(granted)), mounts=mounts)
    assert check_path("secret/x", CLAIM, fits, STRICT, None).decision == "allow"
    beyond = known(granted + "#" * TEXTS_MAX, mounts=mounts)
    assert str(check_path("secret/x", CLAIM, beyond, STRICT, None).reason) == "PolicyUnavailable"
