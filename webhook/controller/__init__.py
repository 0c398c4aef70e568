"""Keeps the files fresh that the server reads: asks Vault and Kubernetes, holds the credentials, writes bindings."""
