"""Where the agent containers keep what is theirs: mount paths that no secret may take. The reference injector's, as `inject/names.py`."""

HOME = "/home/vault"  # configuration, log and the Vault token
CONFIGMAP_PATH = "/vault/configs"
EXTRA_PATH = "/vault/custom"
TLS_PATH = "/vault/tls"
CACHE_PATH = "/vault/agent-cache"
TOKEN_PATH = "/var/run/secrets/vault.hashicorp.com/serviceaccount"  # noqa: S105 a path
# Exactly here, without a trailing slash, the ServiceAccount admission plugin looks before it mounts an API token.
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 a path
AGENT_PATHS = (HOME, CONFIGMAP_PATH, EXTRA_PATH, TLS_PATH, CACHE_PATH, TOKEN_PATH, API_TOKEN_PATH)
