"""`vault-webhook demo`: the real server on loopback ports, asked about example manifests over HTTPS as the API server asks."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from certs import KeyPair, ServerOf, issue, new_authority
from webhook.commands import manifests
from webhook.commands.asking import ALLOW, NOT_CHECKED, REFUSED, STAND_IN, WARN, Judged, replies

BINDINGS = "bindings.yaml"
START_TIMEOUT_S = 30
LIFETIME = timedelta(days=1)
_VERDICTS = {
    **dict.fromkeys((ALLOW, WARN), "[bold green]admitted[/]"),
    REFUSED: "[bold red]refused[/] ",
    NOT_CHECKED: "[yellow]not checked[/]",
}


class DemoError(RuntimeError):
    """The demo cannot go on; the text says why."""


def run(folder: Path, *, keep: bool) -> None:
    """Start the server, send it every manifest of the folder, show each answer.

    Args:
        folder: manifests, and bindings.yaml with the roles to check them against.
        keep: leave the server running until it is interrupted.

    Raises:
        DemoError: the folder has no examples, or the server does not start.
    """
    files = sorted(file for file in folder.glob("*.yaml") if file.name != BINDINGS)
    if not files or not (folder / BINDINGS).exists():
        raise DemoError(
            f"{folder}: want a folder with manifests and {BINDINGS}; run this in the repository, or name one"
        )
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="vault-webhook-demo-") as scratch:
        authority = _write_certificates(Path(scratch))
        with _server(Path(scratch), folder / BINDINGS) as addresses:
            console.print(f"The webhook listens on [bold]{addresses['admission']}[/] (TLS, CA made for this run).\n")
            client = _client(addresses["admission"], authority)
            for file in files:
                _show(console, client, file)
            console.print(f"The whole change of one:  [bold]{escape(_program())} inject -f {files[0]} -o diff[/]")
            if keep:
                _wait(console, addresses, Path(scratch))


def _program() -> str:
    """Return how whoever runs this can run us again: by the path they gave, since we need not be on PATH."""
    return sys.argv[0] if Path(sys.argv[0]).name == "vault-webhook" else "vault-webhook"


def _write_certificates(folder: Path) -> KeyPair:
    now = datetime.now(UTC)
    authority = new_authority("vault-webhook demo CA", now=now, lifetime=LIFETIME)
    leaf = issue(authority, ServerOf(["localhost", "127.0.0.1"]), now=now, lifetime=LIFETIME)
    for name, data in (("ca.crt", authority.certificate), ("tls.crt", leaf.certificate), ("tls.key", leaf.key)):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return authority


@contextmanager
def _server(scratch: Path, bindings: Path) -> Iterator[Mapping[str, str]]:
    """Run `vault-webhook serve` on free loopback ports; yields its addresses, ends it in the end."""
    settings = {
        "AGENT_INJECT_VAULT_ADDR": STAND_IN,
        "AGENT_INJECT_LISTEN": "127.0.0.1:0",
        "AGENT_INJECT_ADMIN_LISTEN": "127.0.0.1:0",
        "AGENT_INJECT_WORKERS": "1",
        "AGENT_INJECT_TLS_CERT_FILE": str(scratch / "tls.crt"),
        "AGENT_INJECT_TLS_KEY_FILE": str(scratch / "tls.key"),
        "AGENT_INJECT_BINDINGS": str(bindings),
        "AGENT_INJECT_RUNTIME_DIR": str(scratch / "run"),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("AGENT_INJECT_")}
    log = scratch / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "webhook.cli", "serve"]
        server = subprocess.Popen(command, env={**others, **settings}, stdout=output, stderr=output)  # noqa: S603 our own program
    try:
        yield _ready_addresses(server, scratch / "run" / "addresses.json", log)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=START_TIMEOUT_S)


def _ready_addresses(server: "subprocess.Popen[bytes]", announced: Path, log: Path) -> Mapping[str, str]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError, ValueError, KeyError):
            told = json.loads(announced.read_bytes())
            addresses = {side: f"{told[side]['host']}:{told[side]['port']}" for side in ("admission", "admin")}
            admin = http.client.HTTPConnection(addresses["admin"], timeout=1)
            admin.request("GET", "/readyz")
            if admin.getresponse().status == http.HTTPStatus.OK:
                return addresses
        time.sleep(0.05)
    raise DemoError(f"the server did not become ready; its log ends with: {log.read_text()[-500:]}")


def _client(address: str, authority: KeyPair) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    return http.client.HTTPSConnection(address, context=context, timeout=10)


def _show(console: Console, client: http.client.HTTPSConnection, file: Path) -> None:
    def ask(review: bytes) -> bytes:
        client.request("POST", "/mutate?timeout=5s", review, {"Content-Type": "application/json"})
        return client.getresponse().read()

    try:
        judged = list(replies([(str(file), manifests.read(str(file)))], ask, namespace="default"))
    except manifests.ManifestError as error:
        raise DemoError(str(error)) from error
    for one in judged:
        console.print(f"{_VERDICTS[one.decision]}  {escape(one.found.title)}  [dim]{escape(str(file))}[/]")
        for line in _details(one):
            console.print(f"          {escape(line)}")
        console.print()


def _details(judged: Judged) -> Iterator[str]:
    yield from judged.messages
    if judged.reply is None or not judged.reply.allowed:
        return
    added = _added(judged.reply.patch)
    for what, names in added.items():
        yield f"{what}: {', '.join(names)}"
    if not added:
        yield "nothing is added: the pod does not ask for it"


def _added(patch: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what a patch adds, by kind."""
    added: dict[str, list[str]] = {}
    mounts: Counter[str] = Counter()
    for operation in patch:
        parts, value = operation["path"].split("/"), operation["value"]
        items = value if isinstance(value, list) else [value]
        if parts[-1] == "volumeMounts" or (len(parts) > 2 and parts[-2] == "volumeMounts"):  # noqa: PLR2004 list/-
            mounts.update(item["mountPath"] for item in items)
        elif parts[2] == "volumes":
            added.setdefault("volumes", []).extend(item["name"] for item in items)
        elif parts[2] in ("containers", "initContainers"):
            kind = "init containers" if parts[2] == "initContainers" else "containers"
            added.setdefault(kind, []).extend(item["name"] for item in items)
    if mounts:
        added["mounts in the app"] = [f"{path} ({n} containers)" if n > 1 else path for path, n in mounts.items()]
    return added


def _wait(console: Console, addresses: Mapping[str, str], scratch: Path) -> None:
    console.print(
        f"\nRunning until Ctrl-C. Pages, probes and metrics: http://{addresses['admin']}/\n"
        f"POST an AdmissionReview: curl --cacert {scratch / 'ca.crt'} -H 'Content-Type: application/json'"
        f" --data-binary @review.json https://{addresses['admission']}/mutate"
    )
    ending = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    signal.sigwait(ending)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
