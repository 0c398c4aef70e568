"""Every agent configuration the recorded cases lead to is one the real OpenBao agent starts with, and reads whole."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.vault_program import vault_program
from tests.core.asking import ask, pod_with

CASES = json.loads((Path(__file__).parents[1] / "cases" / "injection.json").read_text())["cases"]
MODES = [{}, {"AGENT_INJECT_SIDECAR_MODE": "native"}]
OURS = [  # what the recorded cases do not say
    {"auth-type": "jwt", "auth-path": "auth/jwt"},
    {"auth-type": "token-file", "auth-config-token-file-path": "/home/vault/given"},
    {"agent-inject-token": "true"},
    {
        "agent-inject-secret-db": 'odd "path" \\',
        "agent-template-left-delim-db": "[[",
        "agent-template-right-delim-db": "]]",
    },
    {"agent-inject-template-db": "\U0001f600 \u2028 \0 ${x} \\"},
    {
        "agent-telemetry-disable-hostname": "TRUE",
        "agent-telemetry-filter-default": "false",
        "agent-telemetry-prefix-filter": "+a,-b",
    },
    {
        "agent-telemetry-circonus-check-force-metric-activation": "true",
        "agent-telemetry-prometheus-retention-time": "30",
    },
    {"agent-cache-enable": "true", "agent-enable-quit": "true"},
    {"agent-disable-idle-connections": "auto-auth, caching", "agent-disable-keep-alives": " templating"},
    {"template-static-secret-render-interval": "30", "auth-min-backoff": "45s"},
]
# What the agent reads, and what it ignores and the reference emits as well (max_connections_per_host, lease_renewal_threshold).
KNOWN = {
    "": "auto_auth exit_after_auth pid_file vault template template_config listener cache telemetry disable_idle_connections"
    " disable_keep_alives log_file log_rotate_bytes log_rotate_max_files",
    "auto_auth": "method sink",
    "auto_auth.method": "type mount_path min_backoff max_backoff namespace config exit_on_err",
    "auto_auth.sink": "type config",
    "auto_auth.sink.config": "path mode",
    "vault": "address ca_cert ca_path tls_skip_verify client_cert client_key tls_server_name",
    "template": "destination contents source left_delimiter right_delimiter command perms error_on_missing_key",
    "template_config": "exit_on_retry_failure static_secret_render_interval max_connections_per_host lease_renewal_threshold",
    "listener": "type address tls_disable agent_api",
    "listener.agent_api": "enable_quit",
    "cache": "use_auto_auth_token persist",
    "cache.persist": "type path exit_on_err service_account_token_file",
}
FREE = {"auto_auth.method.config", "telemetry"}  # what authors put there is theirs

pytestmark = pytest.mark.slow


def configurations():
    found = {}
    for settings in MODES:
        for case in CASES:
            if "pod" in case["expected"]:
                result = ask(case["pod"], settings={**case["settings"], **settings}, namespace=case["namespace"])
                found |= of(result)
        for annotations in OURS:
            found |= of(ask(pod_with(annotations), settings=settings))
    return found


def of(result):
    spec = result.pod["spec"]
    agents = [
        c for c in [*(spec.get("initContainers") or []), *spec["containers"]] if c["name"].startswith("vault-agent")
    ]
    named = [agent["name"] for agent in agents if any(v["name"] == "VAULT_CONFIG" for v in agent["env"])]
    return {json.dumps(config, sort_keys=True): config for config in map(result.config, named)}


@pytest.fixture(scope="module")
def found():
    return configurations()


def unknown_members(value, path=""):
    if path in FREE:
        return []
    if isinstance(value, list):
        return [name for item in value for name in unknown_members(item, path)]
    if not isinstance(value, dict):
        return []
    found = []
    for name, inner in value.items():
        member = f"{path}.{name}".lstrip(".")
        found += unknown_members(inner, member) if name in KNOWN[path].split() else [member]
    return found


def test_no_configuration_holds_a_member_the_agent_ignores(found):
    assert len(found) > 200
    assert {name for config in found.values() for name in unknown_members(config)} == set()


def test_the_agent_starts_with_every_configuration(found, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        complaints = list(pool.map(lambda pair: complaint(pair[1], tmp_path / str(pair[0])), enumerate(found.values())))
    assert [text for text in complaints if text] == []


@pytest.mark.parametrize(
    "broken", [{"template": []}, {"exit_after_auth": "yes"}, {"auto_auth": {"method": {"type": "nosuch"}, "sink": []}}]
)
def test_a_broken_configuration_would_be_seen(broken, tmp_path):
    assert complaint({**ask(pod_with()).config(), **broken}, tmp_path / "agent")


def complaint(config, folder):
    """Start the agent; what it says if it does not get as far as running, else ""."""
    folder.mkdir()
    (folder / "home/vault").mkdir(parents=True)
    token = folder / "token"
    token.write_text("x.y.z")
    text = json.dumps(config, ensure_ascii=False)
    for place in ("/home/vault", "/vault/secrets", "/vault/agent-cache"):
        text = text.replace(f'"{place}', f'"{folder}{place}')
    moved = json.loads(text)
    moved["vault"]["address"] = "http://127.0.0.1:1"  # nobody listens; logins are retried until the agent is ended
    for member in ("ca_cert", "ca_path", "client_cert", "client_key"):
        moved["vault"].pop(member, None)
    for listener in moved.get("listener") or []:
        listener["address"] = "127.0.0.1:0"
    for sink in moved["auto_auth"]["sink"]:
        sink["config"]["path"] = f"{folder}/{Path(sink['config']['path']).name}"
    if persist := (moved.get("cache") or {}).get("persist"):
        persist["service_account_token_file"] = str(token)
        Path(persist["path"]).mkdir(parents=True)
    inner = moved["auto_auth"]["method"].get("config") or {}
    for member in ("role_id_file_path", "secret_id_file_path", "token_file_path", "path"):
        if member in inner:
            inner[member] = str(token)
    file = folder / "config.json"
    file.write_text(json.dumps(moved, ensure_ascii=False))
    agent = subprocess.Popen(
        [vault_program().path, "agent", f"-config={file}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )
    ending = threading.Timer(30, agent.kill)
    ending.start()
    said = []
    try:
        for line in agent.stdout:
            said.append(line)
            if "Agent started!" in line:
                return ""
        return "".join(said[-5:])
    finally:
        ending.cancel()
        agent.kill()
        agent.wait()
        agent.stdout.close()
