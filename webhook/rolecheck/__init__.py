"""May this login succeed, and may its token read this secret? Judged from a bindings document, without asking Vault.

Knows no pod, no annotation and no setting of ours; it opens nothing and reads no clock.
"""
