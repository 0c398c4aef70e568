"""The recorded cases once more, over TLS, through the program as it is installed: one server for each set of settings."""

import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import jsonpatch
import pytest

from tests.cases.compare import differences, normalize
from tests.cases.invariants import violations
from tests.core.asking import VAULT, review
from tests.eventually import eventually
from tests.server.process import AUTHORITY, PATIENCE_S, write_pair

CASES = json.loads((Path(__file__).parents[1] / "cases" / "injection.json").read_text())["cases"]
GROUPS = defaultdict(list)
for case in CASES:
    GROUPS[json.dumps(case["settings"], sort_keys=True)].append(case)
NATIVE = {"AGENT_INJECT_SIDECAR_MODE": "native"}

pytestmark = pytest.mark.slow


@contextmanager
def served(folder, settings):
    """Run `vault-webhook serve` with these variables; yields a client."""
    write_pair(folder / "tls")
    own = {
        **VAULT,
        "AGENT_INJECT_LISTEN": "127.0.0.1:0",
        "AGENT_INJECT_ADMIN_LISTEN": "127.0.0.1:0",
        "AGENT_INJECT_WORKERS": "1",
        "AGENT_INJECT_TLS_CERT_FILE": str(folder / "tls" / "tls.crt"),
        "AGENT_INJECT_TLS_KEY_FILE": str(folder / "tls" / "tls.key"),
        "AGENT_INJECT_RUNTIME_DIR": str(folder / "run"),
        **settings,
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("AGENT_INJECT_")}
    command = [sys.executable, "-m", "webhook.cli", "serve"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=others | own, stdout=log, stderr=log) as server,
    ):
        try:
            announced = folder / "run" / "addresses.json"
            eventually(announced.exists)
            address = json.loads(announced.read_bytes())["admission"]
            context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
            client = http.client.HTTPSConnection("127.0.0.1", address["port"], context=context, timeout=PATIENCE_S)
            eventually(lambda: connected(client))
            yield client
            client.close()
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE_S) == 0


def connected(client):
    try:
        client.connect()
    except OSError:
        return False
    return True


def ask(client, case):
    body = json.dumps(review(case["pod"], namespace=case["namespace"]))
    client.request("POST", "/mutate?timeout=5s", body, {"Content-Type": "application/json"})
    response = json.loads(client.getresponse().read())["response"]
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    return response, jsonpatch.apply_patch(deepcopy(case["pod"]), patch)


@pytest.mark.parametrize("settings", GROUPS, ids=range(len(GROUPS)))
def test_classic_mode(tmp_path, settings):
    with served(tmp_path, json.loads(settings)) as client:
        for case in GROUPS[settings]:
            response, after = ask(client, case)
            expected = case["expected"]
            assert response["allowed"] == expected["allowed"], case["id"]
            if "pod" in expected:
                assert differences(expected["pod"], normalize(case["pod"], after)) == [], case["id"]
                assert violations(case["pod"], after) == [], case["id"]
            elif not expected["allowed"]:
                assert expected.get("mention", "") in response["status"]["message"]
            else:
                assert after == case["pod"]


def test_native_mode(tmp_path):
    with served(tmp_path, NATIVE) as client:
        for case in CASES:
            response, after = ask(client, case)
            assert response["allowed"] == case["expected"]["allowed"], case["id"]
            if "pod" in case["expected"]:
                assert violations(case["pod"], after) == [], case["id"]
