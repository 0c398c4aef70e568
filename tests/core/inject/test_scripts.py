"""No text of an author or operator is ever part of a script: scripts get it as arguments, whole, in every shell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.asking import ask, pod_with
from tests.core.inject.shells import CLASSIC, NATIVE, SHELLS, Box, kubelet
from webhook.core.annotations.table import TABLE
from webhook.core.inject.scripts import literal
from webhook.settings.read import SettingsError
from webhook.settings.rows import PREFIX, ROWS

REVOKE = {"agent-revoke-on-shutdown": "true", "agent-revoke-grace": "0"}
CANARY = "c4n4ry"
# What a shell, or the kubelet before it, would read as more than a text.
HOSTILE = (
    "a TERM; touch marker; true ",
    'it\'s "here", a b\t*?[a-z]{a,b} ~ #',
    "$(touch marker)`touch marker`${HOME}$HOME$@$1$$",
    "$(VAULT_CONFIG)$(HOST_IP)$$(NAMESPACE)$(X$(POD_IP)$",
    "\n'; touch marker; '\n\"; touch marker; \"\n",
    "-rf --help",
    "\\' \\\" \\c \\n %s %n $\u00e9 \U0001f600 \\",
    "&& touch marker || touch marker | touch marker > marker < marker &",
)
FLAG_OF = {
    "service": "address",
    "namespace": "namespace",
    "ca-cert": "ca-cert",
    "ca-key": "ca-path",
    "client-cert": "client-cert",
    "client-key": "client-key",
    "tls-server-name": "tls-server-name",
}
SECRET = {"agent-inject-secret-db": "secret/data/db"}
shells = pytest.mark.parametrize("shell", SHELLS)
hostile = pytest.mark.parametrize("text", HOSTILE)


def connection(text):
    return dict.fromkeys(FLAG_OF, text) | {"proxy-address": text, "agent-inject-command-db": text, **SECRET, **REVOKE}


def revocation(text):
    return ["token", "revoke", *(f"-{flag}={text}" for flag in FLAG_OF.values()), "-self"]


@shells
@hostile
def test_a_native_agent_revokes_with_the_texts_as_they_are(text, shell, tmp_path):
    box = Box.make(tmp_path, shell)
    container = ask(pod_with(connection(text)), settings=NATIVE).container("vault-agent")
    assert box.live(container) == (0, "")
    (started,) = box.calls("agent")
    assert started["argv"] == ["agent", f"-config={tmp_path}/home/vault/config.json"]
    (revoked,) = box.calls("token")
    assert revoked["argv"] == revocation(text)
    assert revoked["env"]["HOME"] == f"{tmp_path}/home/vault"
    assert box.strays() == []


@shells
@hostile
def test_the_hook_of_a_classic_agent_revokes_with_the_texts_as_they_are(text, shell, tmp_path):
    box = Box.make(tmp_path, shell)
    hook = ask(pod_with(connection(text))).container("vault-agent")["lifecycle"]["preStop"]["exec"]["command"]
    assert box.run(hook) == (0, "")
    (revoked,) = box.calls("token")
    assert revoked["argv"] == revocation(text)
    assert revoked["env"]["HOME"] == f"{tmp_path}/home/vault"
    assert box.strays() == []


@shells
@hostile
def test_the_probe_knows_files_of_any_name(text, shell, tmp_path):
    box = Box.make(tmp_path / "box", shell)
    volume = f"{tmp_path}/{text.replace('/', '')}".replace(":", "")
    annotations = {
        "secret-volume-path": volume,
        "agent-inject-file-db": text,
        **SECRET,
        "agent-inject-secret-other": "secret/data/other",
        "secret-volume-path-other": volume + "more",
    }
    result = ask(pod_with(annotations), settings=NATIVE)
    assert result.allowed, result.message
    agent = result.container("vault-agent")
    static = {v["name"]: v["value"] for v in agent["env"] if "value" in v}
    probe = [kubelet(part, static) for part in agent["startupProbe"]["exec"]["command"]]
    files = [template["destination"] for template in result.config()["template"]]
    for file in files:
        status, said = box.run(probe)
        assert (status, said) == (1, f"not rendered yet: {file} | \n")
        place = tmp_path / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert box.run(probe) == (0, "")
    assert box.strays() == []


@shells
def test_the_probe_tells_the_agents_last_error_and_reads_none_of_it(shell, tmp_path):
    box = Box.make(tmp_path, shell)
    log = '[INFO] fine\n[ERROR] first\n  | * invalid role name "$(touch marker)`touch marker` 100%s\\n"\n[INFO] later\n'
    (tmp_path / "home/vault/agent.log").write_text(log)
    probe = ask(pod_with({"secret-volume-path": "/absent", **SECRET}), settings=NATIVE).container("vault-agent")
    status, said = box.run(probe["startupProbe"]["exec"]["command"])
    missing = 'not rendered yet: /absent/db | * invalid role name "$(touch marker)`touch marker` 100%s\\n"\n'
    assert (status, said) == (1, missing)
    assert box.strays() == []


@shells
def test_an_agent_that_ends_by_itself_ends_its_container_with_its_status(shell, tmp_path):
    box = Box.make(tmp_path, shell)
    (tmp_path / "bin/vault").write_text("#!/bin/sh\nexit 7\n")
    container = ask(pod_with(REVOKE), settings=NATIVE).container("vault-agent")
    assert box.live(container) == (7, "")
    assert box.calls() == []


def shell_texts(value):
    """Every text a shell of an object, a container or the members of one, would read as a script."""
    if isinstance(value, list):
        return {text for item in value for text in shell_texts(item)}
    if not isinstance(value, dict):
        return set()
    found = {text for item in value.values() for text in shell_texts(item)}
    command = [*(value.get("command") or []), *(value.get("args") or [])] if "command" in value else []
    if command and command[0].endswith("sh"):
        found.add(command[2])
    return found


def agents_scripts(result):
    spec = result.pod["spec"]
    agents = [c for c in [*(spec.get("initContainers") or []), *spec["containers"]] if c["name"] != "app"]
    assert agents
    return shell_texts(agents)


EVERY_SCRIPT = [  # settings, annotations that together bring out each script there is
    (mode, shape)
    for mode in (CLASSIC, NATIVE)
    for shape in ({}, {"agent-configmap": "c"}, {"agent-pre-populate-only": "true"})
]


@pytest.mark.parametrize("key", [row.key for row in TABLE if "json-patch" not in row.key])
def test_no_annotation_changes_a_script(key):
    key = key.replace("<name>", f"{CANARY} $(x)").replace("<param>", f"{CANARY} $(x)")
    for settings, shape in EVERY_SCRIPT:
        for text in (CANARY, f"/{CANARY} $(x)'\"`\n"):
            result = ask(pod_with({**SECRET, **REVOKE, **shape, key: text}), settings=settings)
            if result.operations:
                assert not any(CANARY in script or "(x)" in script for script in agents_scripts(result))


@pytest.mark.parametrize("row", [row for row in ROWS if row.variable != "SIDECAR_MODE"], ids=lambda row: row.variable)
def test_no_setting_changes_a_script(row):
    for settings, shape in EVERY_SCRIPT:
        annotations = {**SECRET, **REVOKE, **shape}
        usual = agents_scripts(ask(pod_with(annotations), settings=settings))
        for text in (CANARY, f"/{CANARY} $(x)'\"`\n"):
            try:
                result = ask(pod_with(annotations), settings={**settings, PREFIX + row.variable: text})
            except SettingsError:
                continue
            assert agents_scripts(result) == usual


@given(st.text(alphabet="$()AZ_x" + "\u00e9"), st.dictionaries(st.sampled_from(["A", "AZ", "Z_", "ZZ"]), st.text()))
def test_the_kubelet_makes_a_literal_text_the_text_itself(text, variables):
    assert kubelet(literal(text), variables) == text


@pytest.mark.parametrize("text", ["$(" * 10_000, "$" * 20_000, "$(" * 10_000 + ")", "$(A)" * 5_000])
def test_a_long_text_is_read_once(text):
    assert kubelet(literal(text), {"A": "x"}) == text
