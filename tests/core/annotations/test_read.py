"""How annotations are found and read, and what is warned of."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with

BAO = "openbao.org/"


@pytest.mark.parametrize("switch", [None, "false", "0", ""])
def test_a_pod_that_does_not_ask_is_left_alone(switch):
    result = ask(pod_with(switch=switch))
    assert (result.allowed, result.operations, result.warnings) == (True, [], [])


@pytest.mark.parametrize("annotations", [None, {}])
def test_a_pod_without_annotations_is_left_alone(annotations):
    result = ask({"metadata": {"annotations": annotations}, "spec": {"containers": []}})
    assert (result.allowed, result.operations) == (True, [])


def test_openbaos_prefix_runs_bao_and_marks_under_its_own_prefix():
    result = ask(pod_with({"agent-inject-secret-db": "p"}, prefix=BAO))
    assert result.pod["metadata"]["annotations"][BAO + "agent-inject-status"] == "injected"
    assert " && bao agent -config=" in result.container("vault-agent")["args"][0]
    assert result.container("vault-agent")["image"].startswith("openbao/openbao:")
    env = result.env()
    assert env["BAO_LOG_LEVEL"] == env["VAULT_LOG_LEVEL"] == "info"


def test_both_prefixes_in_one_pod_are_refused():
    pod = pod_with()
    pod["metadata"]["annotations"][BAO + "role"] = "other"
    result = ask(pod)
    assert (result.allowed, result.reason) == (False, "AnnotationConflict")
    assert BAO + "role" in result.message


FORMER = ["openbao.openbao.org/", "bao.openbao.org/"]


@pytest.mark.parametrize("prefix", FORMER)
@pytest.mark.parametrize(
    "annotations", [{}, {"agent-inject-secret-db": "p", "log-level": "debug", "agent-unknown": "x"}]
)
def test_former_prefixes_of_openbao_are_read_as_its_own_with_a_warning(prefix, annotations):
    result, usual = (ask(pod_with(annotations, prefix=own)) for own in (prefix, BAO))
    assert result.pod["spec"] == usual.pod["spec"]
    assert result.pod["metadata"]["annotations"][BAO + "agent-inject-status"] == "injected"
    told = f"vault-webhook: {prefix}agent-inject: read as {BAO}agent-inject; write that prefix in all annotations"
    assert told in result.warnings
    assert len(result.warnings) == len(usual.warnings) + 1


@pytest.mark.parametrize("prefix", FORMER)
def test_a_pod_of_a_former_prefix_is_injected_once(prefix):
    once = ask(pod_with({"agent-inject-secret-db": "p"}, prefix=prefix))
    again = ask(once.pod)
    assert (again.allowed, again.operations) == (True, [])


@pytest.mark.parametrize("prefix", FORMER)
def test_a_mistake_under_a_former_prefix_is_named_as_its_author_wrote_it(prefix):
    assert ask(pod_with({"agent-pre-populate": "x"}, prefix=prefix)).message.startswith(f"{prefix}agent-pre-populate ")


@pytest.mark.parametrize("other", [PREFIX, BAO, *FORMER])
@pytest.mark.parametrize("prefix", [PREFIX, BAO, *FORMER])
@pytest.mark.parametrize("switch", ["true", "false"])
def test_no_two_prefixes_in_one_pod(prefix, other, switch):
    pod = pod_with(prefix=prefix, switch=switch)
    pod["metadata"]["annotations"][other + "log-level"] = "debug"
    result = ask(pod)
    assert result.allowed == (prefix == other or switch == "false")
    if not result.allowed:
        assert result.reason == "AnnotationConflict"
        assert other + "log-level" in result.message


def test_a_foreign_annotation_under_the_other_prefix_is_nobodys_business():
    pod = pod_with()
    pod["metadata"]["annotations"][BAO + "something-else"] = "x"
    assert ask(pod).allowed


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("agent-inject-secrets-db", "agent-inject-secret-"),
        ("agent-inject-secert-db", "agent-inject-secret-"),
        ("roles", "role"),
        ("auth-pth", "auth-path"),
        ("agent-run-as-users", "agent-run-as-user"),
        ("tls-skip-verfy", "tls-skip-verify"),
    ],
)
def test_a_mistyped_key_is_admitted_with_the_likely_one_named(typo, meant):
    result = ask(pod_with({typo: "x"}))
    assert result.allowed
    assert any(PREFIX + typo in text and f"did you mean {PREFIX}{meant}" in text for text in result.warnings)


def test_warnings_are_few_short_and_ours():
    result = ask(pod_with({f"unheard-of-{n}": "x" for n in range(50)}))
    assert 0 < len(result.warnings) <= 16
    assert all(
        text.startswith("vault-webhook: ") and len(text) <= 240 and text.isprintable() for text in result.warnings
    )


@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        ({"agent-revoke-on-shutdown": "true", "agent-pre-populate-only": "true"}, "agent-revoke-on-shutdown"),
        ({"agent-revoke-on-shutdown": "true", "agent-revoke-grace": "30"}, "agent-revoke-grace"),
        ({"auth-type": "jwt"}, "auth-path"),
        ({"auth-type": "nosuch", "auth-path": "auth/x"}, "auth-type"),
        ({"agent-auto-auth-exit-on-err": "true"}, "agent-auto-auth-exit-on-err"),
        ({"agent-inject-containers": "app, web"}, "agent-inject-containers"),
        ({"agent-copy-volume-mounts": "web"}, "agent-copy-volume-mounts"),
        ({"log-level": "loud"}, "log-level"),
        ({"go-max-procs": "two"}, "go-max-procs"),
        ({"client-max-retries": "few"}, "client-max-retries"),
        ({"auth-config-a-b": "1", "auth-config-a_b": "2"}, "auth-config-a_b"),
        ({"agent-telemetry-metrics-prefix": "x"}, "agent-telemetry-metrics_prefix"),
        ({"secret-volume-size-limit": "1Gi"}, "secret-volume-size-limit"),
    ],
)
def test_what_will_surprise_is_warned_of(annotations, named):
    result = ask(pod_with(annotations))
    assert result.allowed, result.message
    assert any(f"{PREFIX}{named}:" in text for text in result.warnings), result.warnings


def test_the_form_with_underscores_wins():
    config = ask(pod_with({"auth-config-a-b": "1", "auth-config-a_b": "2"})).config()
    assert config["auto_auth"]["method"]["config"]["a_b"] == "2"


def test_role_beats_auth_config_role():
    config = ask(pod_with({"auth-config-role": "other"})).config()
    assert config["auto_auth"]["method"]["config"]["role"] == "shop"


TELEMETRY = [
    ("disable-hostname", "TRUE", "disable_hostname", True),
    ("filter-default", "false", "filter_default", False),
    ("maximum-gauge-cardinality", "0", "maximum_gauge_cardinality", 0),
    ("maximum-gauge-cardinality", '"7"', "maximum_gauge_cardinality", 7),
    ("prometheus-retention-time", "30", "prometheus_retention_time", "30"),
    ("circonus_check_id", "1234", "circonus_check_id", "1234"),
    ("circonus-check-force-metric-activation", "true", "circonus_check_force_metric_activation", "true"),
    ("prefix-filter", '["+a","-b"]', "prefix_filter", ["+a", "-b"]),
    ("prefix-filter", "+a,-b", "prefix_filter", ["+a", "-b"]),
    ("metrics-prefix", "vault", "metrics_prefix", "vault"),
]


@pytest.mark.parametrize(("param", "raw", "member", "value"), TELEMETRY)
def test_telemetry_members_get_the_type_the_agent_wants(param, raw, member, value):
    stanza = ask(pod_with({f"agent-telemetry-{param}": raw})).config()["telemetry"]
    assert stanza == {member: value}
    assert type(stanza[member]) is type(value)
