"""Names and paths of what is added to a pod: the reference injector's, so that manifests and scripts that know them keep working."""

INIT_AGENT = "vault-agent-init"
SIDECAR = "vault-agent"

HOME = "/home/vault"
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
CONFIGMAP, CONFIGMAP_PATH = "vault-config", "/vault/configs"
EXTRA, EXTRA_PATH = "extra-secrets", "/vault/custom"
TLS, TLS_PATH = "vault-tls-secrets", "/vault/tls"
CACHE, CACHE_PATH = "vault-agent-cache", "/vault/agent-cache"

TOKEN = "vault-agent-token"  # noqa: S105 the name of a volume
TOKEN_PATH = "/var/run/secrets/vault.hashicorp.com/serviceaccount"  # noqa: S105 a path
TOKEN_FILE = "token"  # noqa: S105 a file's name
# Exactly here, without a trailing slash, the ServiceAccount admission plugin looks before it mounts an API token.
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 a path
