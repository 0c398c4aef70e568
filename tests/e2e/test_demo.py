"""`make demo-cluster`: what it prints, that what it says how to do can be done, and that it leaves nothing."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cluster import demo, examples
from tests.cluster.runs import runs_home

pytestmark = pytest.mark.cluster
SOURCES = Path(__file__).parents[2]
TIMEOUT_S = 180


def test_it_shows_the_examples_stays_and_leaves_nothing() -> None:
    with _demo() as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if line.startswith("Ctrl-C"):
                break
        _assert_shown(said)
        pods = _kubectl(said, "get", "pods", "--all-namespaces", "--no-headers")
        assert len(re.findall(r"^(shop|billing) .* (Running|Completed) ", pods, re.MULTILINE)) == 3
        run = re.search(r"net=\S*/(vw-\S+) bash", said)
        assert run is not None
        assert (runs_home() / run[1]).exists()
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=TIMEOUT_S)
        assert running.returncode == 0
        assert "Interrupted; all is removed." in rest
        assert not (runs_home() / run[1]).exists()


def test_once_it_ends_by_itself() -> None:
    with _demo("--once") as running:
        said, _ = running.communicate(timeout=TIMEOUT_S)
        assert running.returncode == 0
        _assert_shown(said)
        assert "Ctrl-C" not in said


def test_without_root_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert demo.main([]) == 1
    said = capsys.readouterr().out
    assert said.startswith("The demo needs root")
    assert said.count("\n") == 1


def _demo(*arguments: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "tests.cluster.demo", *arguments]
    return subprocess.Popen(argv, cwd=SOURCES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _assert_shown(said: str) -> None:
    assert "database: postgres://shop:quiet-otter@db:5432/shop\n" in said
    assert "key: calm-heron\n" in said
    assert "report with " in said
    for name, reason in zip(
        examples.REFUSED, ("NamespaceNotBound", "ServiceAccountNotBound", "RoleNotFound"), strict=True
    ):
        assert re.search(rf"/{name}\.yaml\nError from server \({reason}\): .*\({reason}\)\n", said)


def _kubectl(said: str, *arguments: str) -> str:
    """Run kubectl as the demo says."""
    enter = re.search(r"^ +(nsenter .*) bash$", said, re.MULTILINE)
    kubectl = re.search(r"alias kubectl=(\S+)$", said, re.MULTILINE)
    kubeconfig = re.search(r"export KUBECONFIG=(\S+)$", said, re.MULTILINE)
    assert enter, said
    assert kubectl, said
    assert kubeconfig, said
    argv: Sequence[str] = [*shlex.split(enter[1]), kubectl[1], *arguments]
    environment = os.environ | {"KUBECONFIG": kubeconfig[1]}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout
