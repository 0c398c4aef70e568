"""Runs `serve` with an admission that says what a test can check: `launch.py SETTINGS_JSON`."""

import json
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from webhook.answer import Answer, Outcome
from webhook.server.serve import serve
from webhook.settings.read import read

UID = re.compile(rb'"uid": ?"([^"]*)"')
NAMESPACE = re.compile(rb'"namespace": ?"([^"]*)"')
REFUSED = "RoleNotFound", Outcome(findings=("WildcardBinding",))
INJECTED = "Injected", Outcome(injection_type="init_and_sidecar", role="web", mount="auth/kubernetes")
PATCH = "W10=" * 600  # as long as a usual patch


class Echo:
    """Answers every body that has a uid; fails on one that asks for it."""

    def answer(self, body, bindings, _now):
        if b"explode" in body:
            raise RuntimeError(body.decode())
        if b"linger" in body:
            time.sleep(0.3)
        found = UID.search(body)
        if found is None or not _is_utf8(body):
            return Answer(status=400, body=b'{"error":"no review"}', decision="malformed", reason="ReviewInvalid")
        uid = found[1].decode()
        named = NAMESPACE.search(body)
        answer = {
            "uid": uid,
            "patch": PATCH,
            "bytes": len(body),
            "roles": None if bindings is None else bindings.role_count,
        }
        namespace = named[1].decode() if named else "shop"
        whole = json.dumps(answer).encode()
        decision, reason, outcome = ("refused", *REFUSED) if b"refuse" in body else ("injected", *INJECTED)
        return Answer(
            status=200, body=whole, decision=decision, reason=reason, uid=uid, namespace=namespace, outcome=outcome
        )


def _is_utf8(body):
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def main():
    flags = {name.removesuffix("_s").replace("_", "-"): str(value) for name, value in json.loads(sys.argv[1]).items()}
    return serve(read({"vault-address": "https://vault:8200", **flags}, {}), admission=Echo())


if __name__ == "__main__":
    sys.exit(main())
