"""The server under test, as a process: `server.py path|floor FOLDER PORT BINDINGS POLICY_CHECK WORKERS`. FOLDER holds the certificate."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from webhook.answer import Answer, Outcome
from webhook.rolecheck.bindings.snapshot import Snapshot
from webhook.server.serve import serve
from webhook.settings.read import read


class Floor:
    """Answers everything with one body."""

    def __init__(self, body: bytes) -> None:
        """Build the answer once."""
        self._answer = Answer(
            status=200,
            body=body,
            decision="injected",
            uid="0d6ee1ba",
            namespace="shop",
            outcome=Outcome(injection_type="init_and_sidecar", role="role-0", mount="auth/kubernetes"),
        )

    def answer(self, _body: bytes, _bindings: Snapshot | None, _now: float) -> Answer:
        """Return it."""
        return self._answer


def main(kind: str, folder: str, port: str, bindings: str, policy_check: str, workers: str) -> int:
    """Serve until SIGTERM."""
    settings = {
        "AGENT_INJECT_VAULT_ADDR": "https://vault.example:8200",
        "AGENT_INJECT_LISTEN": f"127.0.0.1:{port}",
        "AGENT_INJECT_ADMIN_LISTEN": "127.0.0.1:0",
        "AGENT_INJECT_WORKERS": workers,
        "AGENT_INJECT_TLS_CERT_FILE": f"{folder}/tls.crt",
        "AGENT_INJECT_TLS_KEY_FILE": f"{folder}/tls.key",
        "AGENT_INJECT_BINDINGS": bindings,
        "AGENT_INJECT_POLICY_CHECK": policy_check,
        "AGENT_INJECT_LOG_FORMAT": "json",
    }
    body = Path(folder, "answer.json").read_bytes()
    return serve(read({}, settings), admission=Floor(body) if kind == "floor" else None)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
