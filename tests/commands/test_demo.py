"""The demo on loopback, as a newcomer runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("vault-webhook"))


@pytest.mark.slow
def test_every_example_is_answered_and_the_next_command_can_be_copied():
    ended = subprocess.run([PROGRAM, "demo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("admitted", "refused"))] == [
        "admitted",
        "admitted",
        "refused",
        "refused",
        "refused",
        "admitted",
    ]
    command = lines[-1].partition(":  ")[2].split()
    assert command[0] == PROGRAM
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.slow
def test_a_folder_without_examples_is_one_line(tmp_path):
    ended = subprocess.run([PROGRAM, "demo", "--examples", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
