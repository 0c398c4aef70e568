"""A token of the author's own, named by its path: its volume is copied, it is the one that is judged, and it must be there."""

import json

import pytest

from tests.cases.invariants import violations
from tests.core.asking import PREFIX, ask, pod_with
from webhook import yaml_text
from webhook.rolecheck.bindings.load import load

NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}
FOLDER = "/var/run/secrets/openbao"
FILE = f"{FOLDER}/token"
MODES = pytest.mark.parametrize("settings", [{}, NATIVE], ids=["classic", "native"])
FORMS = pytest.mark.parametrize(
    ("key", "method"),
    [
        ("auth-config-token-path", {}),
        ("auth-config-token_path", {}),
        ("auth-config-path", {"auth-type": "jwt", "auth-path": "auth/jwt"}),
    ],
)
HEAD = {"apiVersion": "vault-bindings/v1", "kind": "BindingSnapshot"}
PATCH = '[{"op":"test","path":"/name","value":"vault-agent-init"}]'
SENTENCE = "no mount of the agent holds this path"


def source(path="token", **terms):
    return {"serviceAccountToken": {"path": path, **terms}}


def projected(*sources, name="own"):
    return {"name": name, "projected": {"sources": [*(sources or [source(audience="bao", expirationSeconds=900)])]}}


def pod(annotations, *volumes, mount=None, copies=True, **spec):
    mount = {"name": "own", "mountPath": FOLDER, "readOnly": True, **(mount or {})}
    copy = {"agent-copy-volume-mounts": "app"} if copies else {}
    app = {"name": "app", "volumeMounts": [mount]}
    return pod_with({**copy, **annotations}, containers=[app], volumes=[*(volumes or [projected()])], **spec)


def roles(audience):
    kubernetes = {"bound_service_account_names": ["shop"], "bound_service_account_namespaces": ["shop"]}
    jwt = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [audience],
        "bound_subject": "system:serviceaccount:shop:shop",
    }
    auth = [
        {"path": "auth/kubernetes", "type": "kubernetes", "roles": {"shop": {**kubernetes, "audience": audience}}},
        {"path": "auth/jwt", "type": "jwt", "roles": {"shop": jwt}},
    ]
    return load(json.dumps(HEAD | {"auth": auth}).encode(), yaml_text.documents)


def checked(pod, audience, settings=None):
    return ask(pod, settings={"AGENT_INJECT_BINDINGS": "b", **(settings or {})}, bindings=roles(audience))


@MODES
@FORMS
def test_its_volume_is_copied_and_read_by_every_agent(key, method, settings):
    submitted = pod({key: FILE, **method})
    result = ask(submitted, settings=settings)
    agents = ["vault-agent"] if settings else ["vault-agent", "vault-agent-init"]
    for agent in agents:
        assert result.mounts(agent)[FOLDER] == {"name": "own", "mountPath": FOLDER, "readOnly": True}
        config = result.config(agent)["auto_auth"]["method"]["config"]
        assert config[key.removeprefix("auth-config-").replace("-", "_")] == FILE
    assert result.volume("vault-agent-token")  # it keeps the API server's token out
    if not method:
        assert violations(submitted, result.pod) == []


@MODES
@FORMS
def test_its_audience_is_judged(key, method, settings):
    assert checked(pod({key: FILE, **method}), "bao", settings).allowed
    refused = checked(pod({key: FILE, **method}), "vault", settings)
    assert (refused.allowed, refused.reason) == (False, "AudienceMismatch"), refused.message


@MODES
@FORMS
def test_it_is_judged_the_same_when_the_pod_comes_again(key, method, settings):
    once = ask(pod({key: FILE, **method}), settings=settings)
    assert checked(once.pod, "bao", settings).operations == []
    assert checked(once.pod, "vault", settings).reason == "AudienceMismatch"


@pytest.mark.parametrize(
    ("volume", "mount", "path"),
    [
        (projected(), {}, f"{FOLDER}//token"),
        (projected(), {"mountPath": f"{FOLDER}/"}, FILE),
        (projected(), {"mountPath": "/run/secrets/openbao"}, FILE),
        (projected(), {}, "/run/secrets/openbao/token"),
        (projected(source("deep/jwt", audience="bao")), {}, f"{FOLDER}/deep/jwt"),
        (projected(source("deep/jwt", audience="bao")), {"subPath": "deep"}, f"{FOLDER}/jwt"),
        (projected(source(audience="bao")), {"mountPath": "/tokens/one", "subPath": "token"}, "/tokens/one"),
        (projected(source("api"), source("jwt", audience="bao")), {"mountPath": "/tok"}, "/tok/jwt"),
        (
            projected({"configMap": {"name": "c"}}, source(audience="bao")),
            {"mountPath": "/a/serviceaccount"},
            "/a/serviceaccount/token",
        ),
    ],
)
def test_however_path_and_mount_are_written(volume, mount, path):
    annotations = {"auth-config-token-path": path}
    assert checked(pod(annotations, volume, mount=mount), "bao").allowed
    assert checked(pod(annotations, volume, mount=mount), "vault").reason == "AudienceMismatch"


def test_a_volume_without_audience_has_the_api_servers():
    found = pod({"auth-config-token-path": FILE}, projected(source()))
    defaults = {"AGENT_INJECT_DEFAULT_TOKEN_AUDIENCES": "api"}
    assert checked(found, "api", defaults).allowed
    assert checked(found, "vault", defaults).reason == "AudienceMismatch"


def test_its_lifetime_is_judged():
    auth = [
        {
            "path": "auth/kubernetes",
            "type": "kubernetes",
            "roles": {
                "shop": {
                    "bound_service_account_names": ["shop"],
                    "bound_service_account_namespaces": ["shop"],
                    "audience": "bao",
                    "token_ttl": 1_000,
                }
            },
        }
    ]
    bindings = load(json.dumps(HEAD | {"auth": auth}).encode(), yaml_text.documents)
    settings = {"AGENT_INJECT_BINDINGS": "b", "AGENT_INJECT_LIFETIME_ADVISORIES": "true"}
    for seconds, outlives in ((900, True), (7_200, False)):
        volume = projected(source(audience="bao", expirationSeconds=seconds))
        answer = ask(pod({"auth-config-token-path": FILE}, volume), settings=settings, bindings=bindings).answer
        assert ("TokenOutlivesIdentity" in answer.outcome.findings) is outlives


NOT_HELD = [
    ({"auth-config-token-path": FILE}, {"copies": False}),
    ({"auth-config-token-path": "/elsewhere/token"}, {}),
    ({"auth-config-token-path": f"{FOLDER}/other"}, {}),
    ({"auth-config-token-path": f"{FOLDER}x/token"}, {}),
    ({"auth-config-token-path": "/var/run/secrets/vault.hashicorp.com/serviceaccount/tokn"}, {}),
    ({"auth-config-token-path": "/etc/ssl/token"}, {"mount": {"mountPath": "/etc/ssl", "name": "data"}}),
    ({"auth-config-token-path": "/var/run/secrets/token"}, {"mount": {"mountPath": "/var/run/secrets"}}),
    ({"auth-config-token-path": "/home/token"}, {"mount": {"mountPath": "/home"}}),
]


@pytest.mark.parametrize(("annotations", "made"), NOT_HELD)
def test_a_path_that_no_mount_holds_is_refused(annotations, made):
    volumes = [projected(), {"name": "data", "emptyDir": {}}]
    result = ask(pod(annotations, *volumes, **made))
    assert (result.status.get("code"), result.reason) == (422, "TokenVolumeUnusable"), result.warnings
    assert SENTENCE in result.message
    assert PREFIX + "auth-config-token-path" in result.message


def test_the_form_with_an_underscore_is_named_as_it_is_written():
    message = ask(pod({"auth-config-token_path": "/elsewhere"})).message
    assert PREFIX + "auth-config-token_path" in message


@pytest.mark.parametrize(
    "annotations",
    [
        {"auth-config-token-path": "/var/run/secrets/vault.hashicorp.com/serviceaccount/token"},
        {"auth-config-token-path": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
        {"auth-config-token-path": "/vault/custom/token", "agent-extra-secret": "s"},
        {"auth-config-token-path": "/vault/secrets/token"},
        {"auth-config-token-path": "/home/vault/token"},
        {"auth-config-token-path": "/data/token"},
        {"auth-config-token-path": "/anywhere", "agent-configmap": "c"},
        {
            "auth-config-token-path": "/patched/token",
            "agent-json-patch": "[]",
            "agent-init-json-patch": PATCH,
        },
    ],
)
def test_a_path_that_some_mount_holds_is_not(annotations):
    result = ask(pod(annotations, {"name": "data", "emptyDir": {}}, mount={"name": "data", "mountPath": "/data"}))
    assert result.allowed, result.message


@pytest.mark.parametrize(("preset", "allowed"), [("compat", True), ("baseline", False)])
def test_a_path_of_jwt_that_no_mount_holds_is_the_references_in_compat(preset, allowed):
    settings = {"AGENT_INJECT_PRESET": preset, "AGENT_INJECT_PRESET_ALLOW": "auth-type,auth-path,auth-config-path"}
    result = ask(pod_with({"auth-type": "jwt", "auth-path": "auth/jwt", "auth-config-path": "/tok"}), settings=settings)
    assert result.allowed is allowed
    assert SENTENCE in (result.message or "".join(result.warnings))


def test_a_token_at_our_own_place_stays_ours():
    """The author's volume there is left out, so what the agent finds at the path is what we mount."""
    place = "/var/run/secrets/vault.hashicorp.com/serviceaccount"
    found = pod({"auth-config-token-path": f"{place}/token"}, mount={"mountPath": place})
    assert checked(found, "vault").allowed
    assert checked(found, "bao").reason == "AudienceMismatch"


def test_a_token_nobody_names_is_still_left_out():
    assert FOLDER not in ask(pod({})).mounts("vault-agent")


@pytest.mark.parametrize(
    ("annotations", "key"),
    [
        ({"secret-volume-path": "/home/vault"}, "secret-volume-path"),
        ({"secret-volume-path": "/home//vault/"}, "secret-volume-path"),
        ({"agent-inject-secret-a": "p", "secret-volume-path-a": "/home/vault"}, "secret-volume-path-"),
        ({"secret-volume-path": "/vault/tls", "tls-secret": "t"}, "secret-volume-path"),
        ({"secret-volume-path": "/vault/custom", "agent-extra-secret": "t"}, "secret-volume-path"),
        ({"secret-volume-path": "/run/secrets/kubernetes.io/serviceaccount"}, "secret-volume-path"),
        ({"agent-service-account-token-volume-name": "own"}, "agent-service-account-token-volume-name"),
    ],
)
def test_two_volumes_at_one_path_of_an_agent_are_refused(annotations, key):
    result = ask(pod(annotations, mount={"mountPath": "/home/vault"}, copies=False))
    assert (result.status.get("code"), result.reason) == (400, "AnnotationInvalid"), result.message
    assert PREFIX + key in result.message
