"""Names and paths of what is added to a pod: the reference injector's, so that manifests and scripts that know them keep working."""

from webhook.core.agent_paths import API_TOKEN_PATH, CACHE_PATH, CONFIGMAP_PATH, EXTRA_PATH, HOME, TLS_PATH, TOKEN_PATH

__all__ = [  # paths are asked for by name here, beside the volumes that are mounted there
    "API_TOKEN_PATH",
    "CACHE_PATH",
    "CONFIGMAP_PATH",
    "EXTRA_PATH",
    "HOME",
    "TLS_PATH",
    "TOKEN_PATH",
]

INIT_AGENT = "vault-agent-init"
SIDECAR = "vault-agent"

HOME_INIT = "home-init"
HOME_SIDECAR = "home-sidecar"
HOME_VOLUMES = (HOME_INIT, HOME_SIDECAR)
TOKEN_SINK = f"{HOME}/.vault-token"
PID_FILE = f"{HOME}/.pid"
LOG_FILE = f"{HOME}/agent.log"
CONFIG_FILE = f"{HOME}/config.json"
CONFIG_VARIABLE = "VAULT_CONFIG"  # what our scripts read, in both families
CONFIG_VARIABLES = (CONFIG_VARIABLE, "BAO_CONFIG")  # what agents of any injector are given

SECRETS = "vault-secrets"
CUSTOM_SECRETS = "vault-secrets-custom-"  # and a number
CONFIGMAP = "vault-config"
EXTRA = "extra-secrets"
TLS = "vault-tls-secrets"
CACHE = "vault-agent-cache"

TOKEN = "vault-agent-token"  # noqa: S105 the name of a volume
TOKEN_FILE = "token"  # noqa: S105 a file's name
