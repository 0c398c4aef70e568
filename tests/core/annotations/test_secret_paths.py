"""Mount paths of secrets beside the agent's own, and over folders of the image's."""

import pytest

from tests.core.asking import PREFIX, ask, pod_with
from webhook.core.agent_paths import AGENT_PATHS

TOKEN = "/var/run/secrets/vault.hashicorp.com/serviceaccount"
KEYS = ["secret-volume-path", "secret-volume-path-db", "secret-volume-path-DB"]


def mounted(key, path, **settings):
    name = "DB" if key.endswith("DB") else "db"
    return ask(pod_with({f"agent-inject-secret-{name}": "p", key: path}), settings=settings)


@pytest.mark.parametrize(
    "path",
    [
        *AGENT_PATHS,
        *(f"{path}/below" for path in AGENT_PATHS),
        "/home/vault/",
        "/home//vault",
        "/home/./vault/x/..",
        "/vault",
        "/vault/tls/x",
        "/var/run/secrets",
        "/run/secrets",
        "/run/secrets/kubernetes.io",
        TOKEN.removeprefix("/var"),
        "/proc",
        "/proc/self",
    ],
)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("preset", ["compat", "baseline"])
def test_a_folder_of_the_agents_is_refused_by_name(key, path, preset):
    result = mounted(key, path, AGENT_INJECT_PRESET=preset)
    assert (result.allowed, result.reason) == (False, "AnnotationInvalid")
    assert f'{PREFIX}{key} "' in result.message


@pytest.mark.parametrize(
    "path", ["/etc", "/usr/", "/bin", "/lib", "/var", "/home", "/tmp", "/dev", "/run", "/var/run", "/sbin"]
)
@pytest.mark.parametrize("key", KEYS)
def test_a_whole_folder_of_the_image_is_warned_of(key, path):
    result = mounted(key, path)
    assert result.allowed, result.message
    assert [text for text in result.warnings if f"{PREFIX}{key}:" in text and "hidden by the secrets" in text]


OWN_FOLDERS = "/vault/secrets", "/vault/secrets/db", "/opt/creds", "/etc/app", "/home/app", "/run/secrets/vault"
LOOKALIKES = "/home/vaults", "/vault/tlsx", "/processes", "/var/run/secrets/app"


@pytest.mark.parametrize("path", [*OWN_FOLDERS, *LOOKALIKES])
@pytest.mark.parametrize("key", KEYS)
def test_a_folder_of_its_own_passes_in_silence(key, path):
    result = mounted(key, path)
    assert result.allowed, result.message
    assert result.warnings == []
    assert path in result.mounts("app")
