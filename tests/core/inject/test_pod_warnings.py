"""What is allowed and probably not meant: the warning comes when it should, and not otherwise."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with

NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}
SECRET = {"agent-inject-secret-Db": "secret/data/db"}


def warned(key, annotations, settings=None, **spec):
    result = ask(pod_with(annotations, **spec), settings=settings)
    assert result.allowed, result.message
    return [text for text in result.warnings if f"{PREFIX}{key}:" in text]


@pytest.mark.parametrize(
    ("policy", "annotations", "settings", "expected"),
    [
        ("Never", {}, {}, True),
        ("OnFailure", {}, {}, True),
        ("Always", {}, {}, False),
        (None, {}, {}, False),
        ("Never", {"agent-pre-populate-only": "true"}, {}, False),
        ("Never", {"agent-enable-quit": "true"}, {}, False),
        ("Never", {}, NATIVE, False),
    ],
)
def test_a_classic_sidecar_keeps_a_pod_from_ending(policy, annotations, settings, expected):
    found = warned("agent-inject", annotations, settings, restartPolicy=policy)
    assert bool(found) is expected
    assert all(policy in text for text in found)


SHARED, APART = {"shareProcessNamespace": True}, {"shareProcessNamespace": None}
USER = {"securityContext": {"runAsUser": 7}}
SAME, SHARE = {"agent-run-as-same-user": "true"}, {"agent-share-process-namespace": "true"}


@pytest.mark.parametrize(
    ("annotations", "settings", "spec", "expected"),
    [
        (SAME, {}, SHARED, 1),
        (SAME | SHARE, {}, SHARED, 1),
        (SAME | SHARE, {}, APART, 1),
        (SAME | {"agent-share-process-namespace": "false"}, {}, SHARED, 1),
        ({}, {"AGENT_INJECT_RUN_AS_SAME_USER": "true"}, SHARED, 1),
        (SAME, {}, APART, 0),
        ({}, {}, SHARED, 0),
        (SHARE, {}, SHARED, 0),
    ],
)
def test_the_same_user_in_one_process_namespace_can_read_the_agents_token(annotations, settings, spec, expected):
    assert len(warned("agent-run-as-same-user", annotations, settings, **USER, **spec)) == expected


TOLD = (
    "kill -HUP $(pidof app)",
    "pkill app",
    "killall -USR1 nginx",
    "/usr/sbin/nginx -s reload",
    "curl -X POST localhost:9090/-/reload",
    "supervisorctl restart app",
    "sh -c 'kill 1'",
    "kubectl rollout restart deploy/app",
    "apachectl graceful",
    "./signal.sh",
)
QUIET = (
    "",
    "wc -c </vault/secrets/db",
    "chmod 0440 /vault/secrets/db",
    "/bin/skill",
    "update-ca-trust",
    "echo overkill",
)


@pytest.mark.parametrize("command", TOLD)
def test_a_native_sidecar_runs_a_command_before_there_is_an_app_to_tell(command):
    annotations = SECRET | {"agent-inject-command-Db": command}
    assert len(warned("agent-inject-command-Db", annotations, NATIVE)) == 1
    assert len(warned("agent-inject-command-Db", annotations | {"agent-pre-populate": "false"}, NATIVE)) == 1
    assert warned("agent-inject-command-Db", annotations) == []
    assert warned("agent-inject-command-Db", annotations, NATIVE, restartPolicy="Never") == []


@pytest.mark.parametrize("command", QUIET)
def test_other_commands_are_worth_no_word(command):
    assert warned("agent-inject-command-Db", SECRET | {"agent-inject-command-Db": command}, NATIVE) == []
