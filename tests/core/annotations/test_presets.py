"""What each preset forbids, one row an annotation."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.annotations.presets import BASELINE

BASE = {"AGENT_INJECT_PRESET": "baseline", "AGENT_INJECT_API_SERVER_AUDIENCES": "https://kubernetes"}
STRICT = {"AGENT_INJECT_PRESET": "strict"}

FORBIDDEN = {
    "service": "https://evil:8200",
    "proxy-address": "http://p:1",
    "tls-skip-verify": "true",
    "tls-server-name": "other",
    "ca-cert": "/ca.crt",
    "ca-key": "/ca",
    "auth-type": "jwt",
    "auth-path": "auth/other",
    "auth-config-token-path": "/tmp/token",
    "auth-config-token_path": "/tmp/token",
    "agent-service-account-token-volume-name": "v",
    "agent-token-audience": "https://kubernetes",
    "agent-image": "evil:1",
    "agent-configmap": "c",
    "agent-json-patch": '[{"op":"add","path":"/image","value":"x"}]',
    "agent-init-json-patch": '[{"op":"add","path":"/image","value":"x"}]',
    "agent-run-as-user": "0",
    "agent-set-security-context": "false",
    "agent-share-process-namespace": "true",
}
HARMLESS = {
    "service": "https://vault:8200",
    "proxy-address": "",
    "tls-skip-verify": "false",
    "tls-server-name": "",
    "auth-type": "kubernetes",
    "auth-path": "auth/kubernetes",
    "agent-service-account-token-volume-name": "",
    "agent-token-audience": "other",
    "agent-image": "hashicorp/vault:2.0.4",
    "agent-configmap": "",
    "agent-json-patch": "[]",
    "agent-run-as-user": "7",
    "agent-set-security-context": "true",
    "agent-share-process-namespace": "false",
    "agent-inject-command-db": "kill -HUP 1",
}
ALLOWED_IN_STRICT = {
    "agent-inject-template-db": "x",
    "agent-inject-file-db": "a/b",
    "agent-inject-perms-db": "0440",
    "secret-volume-path-db": "/vault/secrets/db",
    "agent-pre-populate-only": "true",
    "agent-inject-containers": "app",
    "agent-limits-cpu": "1",
    "agent-limits-mem": "512Mi",
}
FORBIDDEN_IN_STRICT = {
    "agent-inject-command-db": "kill -HUP 1",
    "secret-volume-path": "/elsewhere",
    "secret-volume-path-db": "/elsewhere",
    "agent-limits-cpu": "1100m",
    "agent-limits-mem": "",
    "agent-cache-enable": "true",
    "agent-extra-secret": "s",
    "agent-copy-volume-mounts": "app",
    "agent-inject-token": "true",
    "agent-telemetry-statsd-address": "evil:1",
}


def with_secret(key, value):
    return pod_with({"agent-inject-secret-db": "p", key: value})


def test_every_row_of_baseline_is_tested():
    assert FORBIDDEN.keys() == BASELINE.keys()


@pytest.mark.parametrize(("key", "value"), FORBIDDEN.items())
@pytest.mark.parametrize("settings", [BASE, {**BASE, **STRICT}], ids=["baseline", "strict"])
def test_forbidden_by_name_of_the_preset(key, value, settings):
    result = ask(with_secret(key, value), settings=settings)
    assert (result.allowed, result.status.get("code"), result.reason) == (False, 403, "PolicyForbids")
    assert PREFIX + key in result.message
    assert settings["AGENT_INJECT_PRESET"] in result.message


@pytest.mark.parametrize(("key", "value"), FORBIDDEN.items())
def test_compat_forbids_nothing(key, value):
    assert ask(with_secret(key, value)).reason != "PolicyForbids"


@pytest.mark.parametrize(("key", "value"), HARMLESS.items())
def test_what_changes_nothing_passes_baseline(key, value):
    result = ask(with_secret(key, value), settings=BASE)
    assert result.allowed, result.message


@pytest.mark.parametrize(("key", "value"), FORBIDDEN.items())
def test_the_operator_opens_by_name(key, value):
    result = ask(with_secret(key, value), settings={**BASE, "AGENT_INJECT_PRESET_ALLOW": key})
    assert result.reason != "PolicyForbids"


@pytest.mark.parametrize(("key", "value"), FORBIDDEN.items())
def test_warn_mode_admits_and_says_so(key, value):
    result = ask(with_secret(key, value), settings={**BASE, "AGENT_INJECT_PRESET_MODE": "warn"})
    assert result.reason != "PolicyForbids"
    assert any(PREFIX + key in text and "PolicyForbids" in text for text in result.warnings)


@pytest.mark.parametrize(("key", "value"), ALLOWED_IN_STRICT.items())
def test_strict_allows_its_list(key, value):
    result = ask(with_secret(key, value), settings=STRICT)
    assert result.allowed, result.message


@pytest.mark.parametrize(("key", "value"), FORBIDDEN_IN_STRICT.items())
def test_strict_forbids_the_rest(key, value):
    result = ask(with_secret(key, value), settings=STRICT)
    assert result.reason == "PolicyForbids", result.message
    assert PREFIX + key in result.message


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
