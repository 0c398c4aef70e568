"""vault-webhook: injects a Vault or OpenBao agent into pods, and refuses a pod whose Vault role would not accept it."""

__version__ = "0.1.0"
