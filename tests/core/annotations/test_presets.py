"""What each preset lets pass and forbids: for every row of the table a value that passes and one that does not."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.annotations.presets import BASELINE, STRICT
from webhook.core.annotations.table import TABLE

BASE = {
    "AGENT_INJECT_PRESET": "baseline",
    "AGENT_INJECT_API_SERVER_AUDIENCES": "https://kubernetes",
    "AGENT_INJECT_CLUSTER_ISSUER": "https://issuer.example.com/cluster-1",
}
WALL = {**BASE, "AGENT_INJECT_PRESET": "strict"}
PATCH = '[{"op":"add","path":"/image","value":"x"}]'

# Row, or a row completed: a value that passes, a value that is forbidden; None where there is none.
IN_BASELINE = {
    "service": ("https://vault:8200", "https://evil:8200"),
    "proxy-address": ("", "http://p:1"),
    "tls-skip-verify": ("false", "true"),
    "tls-server-name": ("", "other"),
    "ca-cert": ("", "/ca.crt"),
    "ca-key": ("", "/ca"),
    "auth-type": ("kubernetes", "jwt"),
    "auth-path": ("auth/kubernetes", "auth/other"),
    "auth-config-<param>": ("x", None),
    "auth-config-token-path": (None, "/tmp/token"),
    "auth-config-token_path": (None, "/tmp/token"),
    "agent-service-account-token-volume-name": ("", "v"),
    "agent-token-audience": ("other", "https://kubernetes"),
    "agent-image": ("hashicorp/vault:2.0.4", "evil:1"),
    "agent-configmap": ("", "c"),
    "agent-json-patch": ("[]", PATCH),
    "agent-init-json-patch": ("[]", PATCH),
    "agent-run-as-user": ("7", "0"),
    "agent-run-as-group": ("7", "0"),
    "agent-set-security-context": ("true", "false"),
    "agent-share-process-namespace": ("false", "true"),
    "agent-inject-perms-<name>": ("0777", "4755"),
    "agent-telemetry-<param>": (None, "x"),
    "agent-telemetry-disable-hostname": ("true", None),
    "agent-telemetry-Prometheus_Retention-Time": ("1h", None),
    "agent-telemetry-statsd-address": (None, "evil:1"),
    "agent-telemetry-STATSITE_ADDRESS": (None, "evil:1"),
    "agent-telemetry-dogstatsd-addr": (None, "evil:1"),
    "agent-telemetry-circonus-api-url": (None, "https://evil"),
    "agent-telemetry-circonus-submission-url": (None, "https://evil"),
    "agent-telemetry-stackdriver-project-id": (None, "evil"),
    "agent-inject-command-<name>": ("kill -HUP 1", None),
    "agent-inject-token": ("true", None),
}
RESOURCES = {
    "limits-cpu": ("1", "1100m"),
    "limits-mem": ("512Mi", "513Mi"),
    "limits-ephemeral": ("1Gi", "500Gi"),
    "requests-cpu": ("250m", "1100m"),
    "requests-mem": ("0", "513Mi"),
    "requests-ephemeral": ("10Mi", "500Gi"),
}
IN_STRICT = {
    "agent-inject": ("true", None),
    "agent-inject-status": ("", None),
    "agent-request-namespace": ("shop", None),
    "role": ("shop", None),
    "auth-config-<param>": (None, "x"),
    "auth-config-role": ("other", None),
    "agent-inject-secret-<name>": ("secret/data/db?version=2", "auth/token/lookup-self"),
    "agent-inject-template-<name>": (
        '{{ with secret "kv/x" }}{{ .Data }}{{ end }}',
        '{{ secret "auth/token/lookup-self" }}',
    ),
    "agent-inject-template-file-<name>": ("/vault/custom/db.ctmpl", "/home/vault/.vault-token"),
    "agent-template-left-delim-<name>": ("[[", '"'),
    "agent-template-right-delim-<name>": ("]]", "x"),
    "agent-inject-default-template": ("json", None),
    "error-on-missing-key-<name>": ("true", None),
    "agent-inject-file-<name>": ("a/b", None),
    "agent-inject-perms-<name>": ("0440", "2755"),
    "preserve-secret-case": ("true", None),
    "preserve-secret-case-<name>": ("true", None),
    "secret-volume-path": ("/vault/secrets", "/elsewhere"),
    "secret-volume-path-<name>": ("/vault/secrets/db", "/elsewhere"),
    "secret-volume-read-only": ("true", "false"),
    "agent-inject-containers": ("app", None),
    "agent-pre-populate": ("false", None),
    "agent-pre-populate-only": ("true", None),
    "agent-init-first": ("true", None),
    **{f"agent-{kind}": pair for kind, pair in RESOURCES.items()},
    **{f"agent-init-{kind}": pair for kind, pair in RESOURCES.items()},
}
# The others are not on the list of strict: the operator's own value, where there is one, and another.
NOT_LISTED = {
    "agent-extra-secret": ("", "s"),
    "agent-copy-volume-mounts": ("", "app"),
    "agent-run-as-same-user": ("false", "true"),
    "agent-inject-command-<name>": (None, "kill -HUP 1"),
    "secret-volume-size-limit": ("", "1Mi"),
    "agent-inject-token": ("false", "true"),
    "namespace": ("", "team"),
    "tls-secret": ("", "s"),
    "client-cert": ("", "/c"),
    "client-key": ("", "/k"),
    "client-max-retries": ("", "3"),
    "client-timeout": ("", "3s"),
    "go-max-procs": ("", "1"),
    "log-level": ("info", "debug"),
    "log-format": ("standard", "json"),
    "auth-min-backoff": ("", "2s"),
    "auth-max-backoff": ("", "6m"),
    "agent-auto-auth-exit-on-err": ("false", "true"),
    "agent-revoke-on-shutdown": ("false", "true"),
    "agent-revoke-grace": ("5", "6"),
    "agent-cache-enable": ("false", "true"),
    "agent-cache-use-auto-auth-token": ("true", "force"),
    "agent-cache-listener-port": ("8200", "8201"),
    "agent-cache-exit-on-err": ("false", "true"),
    "agent-enable-quit": ("false", "true"),
    "agent-telemetry-<param>": (None, "x"),
    "agent-telemetry-disable-hostname": (None, "true"),
    "template-config-exit-on-retry-failure": ("true", "false"),
    "template-static-secret-render-interval": ("", "30s"),
    "template-max-connections-per-host": ("0", "1"),
    "template-lease-renewal-threshold": ("0", "0.5"),
    "agent-disable-idle-connections": ("", "caching"),
    "agent-disable-keep-alives": ("", "caching"),
}
STRICT_PAIRS = {
    **{key: pair for key, pair in IN_BASELINE.items() if not key.startswith("agent-telemetry-")},
    **NOT_LISTED,
    **IN_STRICT,
    # baseline takes these, strict does not
    "agent-token-audience": (None, "other"),
    "agent-run-as-user": ("100", "7"),
    "agent-run-as-group": ("1000", "7"),
}
BASELINE_PASSES = {
    **{key: (forbidden, None) for key, (_, forbidden) in NOT_LISTED.items() if not key.startswith("agent-telemetry-")},
    **{key: (forbidden or passing, None) for key, (passing, forbidden) in IN_STRICT.items()},
    **IN_BASELINE,
}


def row_keys(pairs):
    return {key for key in pairs if key in {row.key for row in TABLE}}


def completed(key):
    return key.replace("<name>", "db").replace("<param>", "any-thing")


def asked(key, value, settings):
    annotations = {"agent-inject-secret-db": "p", completed(key): value}
    if "file-<name>" in key or key.startswith("agent-inject-template-"):
        del annotations["agent-inject-secret-db"]
        annotations.setdefault("agent-inject-template-db", "x") if key == "agent-inject-file-<name>" else None
    own = {"securityContext": {"runAsUser": 1234}} if key == "agent-run-as-same-user" else {}
    return ask(pod_with(annotations, **own), settings=settings)


def passing(pairs):
    return [(key, value) for key, (value, _) in pairs.items() if value is not None]


def forbidden(pairs):
    return [(key, value) for key, (_, value) in pairs.items() if value is not None]


def test_every_row_of_the_table_has_its_values_in_each_preset():
    everything = {row.key for row in TABLE}
    assert row_keys(BASELINE_PASSES) == everything
    assert row_keys(STRICT_PAIRS) == everything
    assert {key for key, _ in forbidden(BASELINE_PASSES)} & everything | {"auth-config-<param>"} == BASELINE.keys()
    assert {key for key in everything if STRICT_PAIRS[key][0] is None} <= everything - set(STRICT)
    assert {key for key in everything if STRICT_PAIRS[key][1] is None} <= set(STRICT)


@pytest.mark.parametrize(("key", "value"), passing(BASELINE_PASSES))
def test_baseline_lets_pass(key, value):
    result = asked(key, value, BASE)
    assert result.reason != "PolicyForbids", result.message


@pytest.mark.parametrize(("key", "value"), passing(STRICT_PAIRS))
def test_strict_lets_pass(key, value):
    result = asked(key, value, WALL)
    assert result.allowed, result.message


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [(BASE, *row) for row in forbidden(BASELINE_PASSES)] + [(WALL, *row) for row in forbidden(STRICT_PAIRS)],
)
def test_forbidden_by_name_of_the_preset(settings, key, value):
    result = asked(key, value, settings)
    assert (result.allowed, result.status.get("code"), result.reason) == (False, 403, "PolicyForbids")
    assert PREFIX + completed(key) in result.message
    assert settings["AGENT_INJECT_PRESET"] in result.message


EVERYTHING_FORBIDDEN = {**dict(forbidden(STRICT_PAIRS)), **dict(forbidden(BASELINE_PASSES))}.items()


@pytest.mark.parametrize(("key", "value"), EVERYTHING_FORBIDDEN)
def test_compat_forbids_nothing(key, value):
    assert asked(key, value, {}).reason != "PolicyForbids"


@pytest.mark.parametrize(("key", "value"), forbidden(STRICT_PAIRS))
@pytest.mark.parametrize("how", ["as in the table", "as completed"])
def test_the_operator_opens_by_name(key, value, how):
    opened = key if how == "as in the table" else completed(key)
    result = asked(key, value, {**WALL, "AGENT_INJECT_PRESET_ALLOW": opened})
    assert result.reason != "PolicyForbids", result.message


@pytest.mark.parametrize(("key", "value"), forbidden(STRICT_PAIRS))
def test_warn_mode_admits_and_says_so(key, value):
    result = asked(key, value, {**WALL, "AGENT_INJECT_PRESET_MODE": "warn"})
    assert result.reason != "PolicyForbids"
    if result.allowed:
        named = PREFIX + completed(key)
        assert any(named in text and "PolicyForbids" in text for text in result.warnings)


@pytest.mark.parametrize("preset", ["baseline", "strict"])
@pytest.mark.parametrize(
    ("setting", "annotations"),
    [
        ("MAX_SECRETS", {f"agent-inject-secret-{n}": "p" for n in "abc"}),
        ("MAX_TEMPLATE_BYTES", {"agent-inject-template-a": "xxx"}),
        ("MAX_ANNOTATION_BYTES", {}),
    ],
)
def test_limits_bind_baseline_and_strict_alone(preset, setting, annotations):
    settings = {f"AGENT_INJECT_{setting}": "2"}
    assert ask(pod_with(annotations), settings=settings).allowed
    assert ask(pod_with(annotations), settings={**settings, "AGENT_INJECT_PRESET": preset}).reason == "PolicyForbids"


@pytest.mark.parametrize("kind", ["limits", "init-limits"])
@pytest.mark.parametrize("amount", ["0", "0.0", "0Mi", "0e3", "+0", ""])
@pytest.mark.parametrize("what", ["cpu", "mem"])
def test_no_limit_is_more_than_any_bound(kind, what, amount):
    assert asked(f"agent-{kind}-{what}", amount, WALL).reason == "PolicyForbids"


@pytest.mark.parametrize("amount", ["0", ""])
def test_the_operators_limit_of_ephemeral_storage_stands(amount):
    settings = {**WALL, "AGENT_INJECT_EPHEMERAL_LIMIT": "100Mi", "AGENT_INJECT_MAX_EPHEMERAL": "200Mi"}
    assert asked("agent-limits-ephemeral", amount, settings).reason == "PolicyForbids"
    assert asked("agent-limits-ephemeral", "200Mi", settings).allowed
    assert asked("agent-limits-ephemeral", "201Mi", settings).reason == "PolicyForbids"


def test_the_operators_own_value_passes_even_beyond_a_bound():
    assert asked("agent-limits-cpu", "4", {**WALL, "AGENT_INJECT_CPU_LIMIT": "4"}).allowed


@pytest.mark.parametrize("bits", ["1777", "2755", "4755", "04755", "7777", "01000"])
@pytest.mark.parametrize("settings", [BASE, WALL], ids=["baseline", "strict"])
def test_no_special_bits_in_a_files_mode(bits, settings):
    assert asked("agent-inject-perms-<name>", bits, settings).reason == "PolicyForbids"
    assert asked("agent-inject-perms-<name>", bits, {}).allowed


@pytest.mark.parametrize("perms", ["0777", "777", "00777", "0000", "0440"])
@pytest.mark.parametrize("settings", [BASE, WALL], ids=["baseline", "strict"])
def test_plain_modes_pass(perms, settings):
    assert asked("agent-inject-perms-<name>", perms, settings).allowed


@pytest.mark.parametrize(
    "audience",
    [
        "https://kubernetes",
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc/",
        "https://kubernetes.default.svc:443",
        "HTTPS://Kubernetes.Default.SVC.cluster.local:6443//",
        "https://kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc.example.org",
        "kubernetes.default",
        "k3s",
        "https://issuer.example.com/cluster-1",
        "https://issuer.example.com/cluster-1/",
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_baseline_takes_no_audience_of_an_api_server_told_or_usual(audience, told):
    settings = BASE if told else {"AGENT_INJECT_PRESET": "baseline"}
    usual = "issuer" not in audience
    result = asked("agent-token-audience", audience, settings)
    assert (result.reason == "PolicyForbids") == (told or usual)


@pytest.mark.parametrize("audience", ["vault", "https://vault.example.com", "https://kubernetes.example.com", "auto"])
def test_other_audiences_pass(audience):
    assert asked("agent-token-audience", audience, BASE).allowed


def test_the_path_of_jwt_is_another_token_and_that_of_kubernetes_nothing():
    jwt = {**BASE, "AGENT_INJECT_VAULT_AUTH_TYPE": "jwt", "AGENT_INJECT_VAULT_AUTH_PATH": "auth/jwt"}
    assert asked("auth-config-path", "/tmp/token", jwt).reason == "PolicyForbids"
    assert asked("auth-config-path", "/tmp/token", BASE).allowed


SHARED = {"shareProcessNamespace": True, "securityContext": {"runAsUser": 1234}}


@pytest.mark.parametrize(
    ("preset", "same_user", "forbids"),
    [("compat", True, False), ("baseline", True, True), ("baseline", False, False), ("strict", False, True)],
)
def test_a_process_namespace_the_pod_shares(preset, same_user, forbids):
    annotations = {"agent-run-as-same-user": "true"} if same_user else {}
    result = ask(pod_with(annotations, **SHARED), settings={"AGENT_INJECT_PRESET": preset})
    assert (result.reason == "PolicyForbids") == forbids, result.message


def mounting(name, *, member="containers", **mount):
    app = {"name": "x", "image": "i", "volumeMounts": [{"name": name, "mountPath": "/steal", **mount}]}
    return pod_with({"agent-inject-secret-db": "p"}, **{member: [app]})


@pytest.mark.parametrize("name", ["home-sidecar", "home-init", "vault-agent-token", "vault-secrets"])
@pytest.mark.parametrize("member", ["containers", "initContainers"])
def test_strict_keeps_the_agents_volumes_from_the_pods_own_containers(name, member):
    result = ask(mounting(name, member=member), settings=WALL)
    assert (result.reason, result.status["code"]) == ("PolicyForbids", 403)
    assert "container x: preset strict of this cluster forbids a mount of" in result.message
    assert name in result.message
    assert ask(mounting(name, member=member), settings=BASE).allowed


@pytest.mark.parametrize("mount", [{"name": "vault-secrets", "readOnly": True}, {"name": "data"}])
def test_strict_lets_other_mounts_be(mount):
    assert ask(mounting(**mount), settings=WALL).allowed


def test_strict_mounts_secrets_read_only_and_a_second_pass_changes_nothing():
    once = ask(pod_with({"agent-inject-secret-db": "p"}), settings=WALL)
    assert once.mounts("app")["/vault/secrets"]["readOnly"] is True
    assert "readOnly" not in once.mounts("vault-agent")["/vault/secrets"]
    assert ask(once.pod, settings=WALL).operations == []
    opened = {**WALL, "AGENT_INJECT_PRESET_ALLOW": "secret-volume-read-only"}
    assert (
        "readOnly"
        not in ask(pod_with({"agent-inject-secret-db": "p"}), settings=opened).mounts("app")["/vault/secrets"]
    )
