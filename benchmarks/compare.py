"""Print what the admission path costs beside the floor: a table of ratios within one run. `make bench`.

Floor: the same server, the same TLS and HTTP, a constant body of the same size. Needs wrk (a Debian package).
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import reviews
from certs import ServerOf, issue, new_authority
from webhook import yaml_text
from webhook.admit import Admission
from webhook.rolecheck.bindings.load import Snapshot, load
from webhook.settings.read import read

ROUNDS, SECONDS = 5, 3
LOADS = ((2, (16, 1)), (1, (16, 1)))  # workers (2 is the setting's default), connections
ROLES = 10_000
START_TIMEOUT_S = 30
HEADINGS = "  workers  connections   floor/s    path/s   ratio   floor p50    path p50   ratio"
VAULT = {"AGENT_INJECT_VAULT_ADDR": "https://vault.example:8200", "AGENT_INJECT_BINDINGS": "given"}


class Load(NamedTuple):
    """What wrk measured."""

    per_second: float
    p50_us: float


def main() -> None:
    """Measure and print."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="vault-webhook-bench-") as name:
        folder = Path(name)
        prepare(folder)
        for policy_check, what in (("off", "login check"), ("warn", "login and policy check")):
            print(f"{what}, {ROLES:,} roles\n{HEADINGS}")
            for workers, connections in LOADS:
                over_http(folder, policy_check, workers, connections)
            print()
    in_process()


def prepare(folder: Path) -> None:
    """Write certificate, reviews, bindings and the floor's answer."""
    now = datetime.now(UTC)
    authority = new_authority("bench", now=now, lifetime=timedelta(days=1))
    leaf = issue(authority, ServerOf(["127.0.0.1"]), now=now, lifetime=timedelta(days=1))
    bodies = list(reviews.bodies())
    document = reviews.bindings(ROLES)
    for file, data in (
        ("tls.crt", leaf.certificate),
        ("tls.key", leaf.key),
        ("bindings.json", document),
        ("answer.json", Admission(read({}, VAULT)).answer(bodies[0], load(document, yaml_text.documents), 0.0).body),
        ("reviews.lua", _lua(bodies)),
    ):
        (folder / file).write_bytes(data)
    sizes = len(bodies[0]), (folder / "answer.json").stat().st_size
    print(f"reviews of {sizes[0]} bytes, answers of {sizes[1]}; {ROUNDS} rounds of {SECONDS} s each, medians\n")


def _lua(bodies: list[bytes]) -> bytes:
    texts = b",\n".join(b"[====[" + body + b"]====]" for body in bodies)
    return (
        b"local bodies = {" + texts + b"}\nlocal i = 0\n"
        b"local headers = {['Content-Type'] = 'application/json'}\n"
        b"function request() i = i % #bodies + 1; return wrk.format('POST', '/mutate', headers, bodies[i]) end\n"
        b"function done(s, l) io.write(string.format('RESULT %f %f %d\\n',"
        b" s.requests / s.duration * 1e6, l:percentile(50), s.errors.status + s.errors.read + s.errors.timeout)) end\n"
    )


def over_http(folder: Path, policy_check: str, workers: int, loads: tuple[int, ...]) -> None:
    """Measure path and floor in turn, with many connections and with one."""
    with ExitStack() as stack:
        ports = {kind: stack.enter_context(_server(kind, folder, policy_check, workers)) for kind in ("floor", "path")}
        for connections in loads:
            pairs = [[_wrk(folder, ports[kind], connections) for kind in ("floor", "path")] for _ in range(ROUNDS)]
            print(f"  {workers:>7}  {connections:>11}{_compared(pairs)}")


def _compared(pairs: Sequence[Sequence[Load]]) -> str:
    """Return the row of a load: medians, and the medians of the rounds' ratios, so that a slow round counts once."""
    floor, path = (Load(*(median(values) for values in zip(*loads, strict=True))) for loads in zip(*pairs, strict=True))
    throughput = median(path.per_second / floor.per_second for floor, path in pairs)
    latency = median(path.p50_us / floor.p50_us for floor, path in pairs)
    return (
        f"  {floor.per_second:>8.0f}  {path.per_second:>8.0f}  {throughput:>6.0%}"
        f"  {floor.p50_us:>7.0f} us  {path.p50_us:>7.0f} us  {latency:>6.2f}"
    )


@contextmanager
def _server(kind: str, folder: Path, policy_check: str, workers: int) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = str(Path(__file__).with_name("server.py"))
    bindings = str(folder / "bindings.json")
    command = [sys.executable, script, kind, str(folder), str(port), bindings, policy_check, str(workers)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        time.sleep(1)  # for the worker to have its bindings
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=START_TIMEOUT_S)


def _wrk(folder: Path, port: int, connections: int) -> Load:
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{SECONDS}s",
        "-s",
        str(folder / "reviews.lua"),
        f"https://127.0.0.1:{port}/mutate",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    per_second, p50_us, errors = next(line for line in said.splitlines() if line.startswith("RESULT")).split()[1:]
    if int(errors):
        raise RuntimeError(f"{errors} requests failed: {said}")
    return Load(float(per_second), float(p50_us))


def in_process() -> None:
    """Print what one answer costs without HTTP: by roles, by secrets, by containers.

    Each row is the best of ROUNDS, taken in turn with the others, so that a slow minute of the machine is nobody's.
    """
    sizes = (10, 1_000, 10_000, 100_000)
    snapshots = {roles: load(reviews.bindings(roles), yaml_text.documents) for roles in sizes}
    few, usual = list(reviews.bodies(roles=min(sizes))), snapshots[ROLES]
    rows = [(f"{roles:,} roles", few, snapshot) for roles, snapshot in snapshots.items()]
    rows += [(f"{many} secrets", list(reviews.bodies(secrets=many)), usual) for many in (1, 2, 4, 8, 16)]
    rows += [(f"{many} containers", list(reviews.bodies(containers=many)), usual) for many in (1, 2, 4, 8, 16)]
    admission = Admission(read({}, VAULT))
    costs = [[_cost_us(admission, bodies, snapshot) for _, bodies, snapshot in rows] for _ in range(2 * ROUNDS)]
    print("in one process, no HTTP, login and policy check")
    for (what, _, _), of_row in zip(rows, zip(*costs, strict=True), strict=True):
        print(f"  {what:<16}{min(of_row):>7.1f} us")


def _cost_us(admission: Admission, bodies: list[bytes], snapshot: Snapshot) -> float:
    began = time.perf_counter()
    for body in bodies:
        admission.answer(body, snapshot, 0.0)
    return (time.perf_counter() - began) / len(bodies) * 1e6


if __name__ == "__main__":
    main()
