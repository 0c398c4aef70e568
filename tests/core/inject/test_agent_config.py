"""What the agent's configuration holds, beyond what the recorded cases show."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with

APPROLE = {"auth-type": "approle", "auth-path": "auth/approle", "auth-config-role-id-file-path": "/vault/custom/r"}
MEMBER = "remove_secret_id_file_after_reading"
NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}


def login(annotations, **settings):
    return ask(pod_with(annotations), settings=settings).config()["auto_auth"]["method"]["config"]


def test_a_secret_id_on_a_read_only_mount_is_not_removed():
    mounted = {**APPROLE, "agent-extra-secret": "s"}
    assert login(mounted, **NATIVE)[MEMBER] == "false"
    assert MEMBER not in login(APPROLE, **NATIVE)
    assert login({**mounted, "auth-config-remove-secret-id-file-after-reading": "true"}, **NATIVE)[MEMBER] == "true"


@pytest.mark.parametrize("given", [None, "false"])
def test_a_classic_agent_is_configured_as_the_references_and_the_author_told(given):
    annotations = {**APPROLE, "agent-extra-secret": "s", "auth-config-remove-secret-id-file-after-reading": given}
    result = ask(pod_with(annotations))
    assert result.config()["auto_auth"]["method"]["config"].get(MEMBER) == given
    assert any(f"{PREFIX}auth-config-{MEMBER}: " in text for text in result.warnings) == (given is None)


@pytest.mark.parametrize("preset", ["compat", "baseline", "strict"])
@pytest.mark.parametrize(
    "annotations", [{}, {"agent-inject-template-db": "x"}, {"agent-inject-template-file-db": "/vault/custom/x"}]
)
def test_strict_alone_confines_templates_of_every_kind(preset, annotations):
    given = annotations or {"agent-inject-secret-db": "kv/db"}
    for mode in ("enforce", "warn"):
        settings = {"AGENT_INJECT_PRESET": preset, "AGENT_INJECT_PRESET_MODE": mode}
        (template,) = ask(pod_with(given), settings=settings).config()["template"]
        confined = preset == "strict" and mode == "enforce"
        assert ("plugin" in template.get("function_denylist", ())) == confined
        assert template.get("sandbox_path") == ("/vault/secrets" if confined else None)
