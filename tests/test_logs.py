"""Log lines as a reader of the pipe sees them."""

import json
import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest
from msgspec.structs import replace

from webhook import logs
from webhook.answer import Answer, Outcome
from webhook.core.annotations.go_values import LOG_LEVELS
from webhook.logs import Lines, Spared
from webhook.server import decision_lines

REFUSAL = Answer(
    status=200,
    body=b"",
    decision="refused",
    reason="RoleNotFound",
    uid="u\n-1",
    namespace="shop",
    dry_run=True,
    outcome=Outcome(role="web", mount="auth/kubernetes", findings=("WildcardBinding",)),
)
FIELDS = {
    "level": "info",
    "event": "refused",
    "reason": "RoleNotFound",
    "uid": "u\n-1",
    "namespace": "shop",
    "role": "web",
    "mount": "auth/kubernetes",
    "injection": "",
    "findings": ["WildcardBinding"],
    "dry_run": True,
    "status": 200,
    "took_us": 80,
}


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        os.close(end)


@pytest.fixture
def log(pipe):
    """Return a function that logs in a format and returns what was written; the library's state is put back."""
    root = logging.getLogger()
    before = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    reader, writer = pipe

    def written(act, log_format="json", level="info"):
        lines = Lines(writer)
        act(logs.configure(level=level, log_format=log_format, lines=lines), lines)
        os.write(writer, b"\n")
        return os.read(reader, 1 << 16)[:-1].decode()

    yield written
    logging.captureWarnings(capture=False)
    root.handlers, root.level = before
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def test_a_line_is_one_json_object(log):
    line = json.loads(log(lambda logger, _: logger.info("file loaded", file="a\nb", count=2)))
    assert {name: line[name] for name in ("level", "event", "file", "count")} == {
        "level": "info",
        "event": "file loaded",
        "file": "a\nb",
        "count": 2,
    }
    assert line["time"].endswith("Z")


def test_a_readable_line_stays_one_line(log):
    text = log(lambda logger, _: logger.warning("odd\nname", path="/\x1b[2J\n"), "standard")
    assert text.count("\n") == 1
    assert ' warning odd\\nname path="/\\u001b[2J\\n"\n' in text


def test_below_the_level_nothing_is_written(log):
    assert log(lambda logger, _: logger.info("quiet"), level="warn") == ""


def test_the_libraries_lines_take_the_same_way(log):
    line = json.loads(log(lambda *_: logging.getLogger("gunicorn.error").warning("worker %s", 7)))
    assert (line["event"], line["level"], line["logger"]) == ("worker 7", "warning", "gunicorn.error")


def test_a_library_s_own_handlers_are_taken_from_it(log):
    def act(*_):
        logger = logging.getLogger("uvicorn.error")
        logger.handlers, logger.propagate = [logging.NullHandler()], False
        logs.adopt()
        logger.warning("Invalid HTTP request received.")

    line = json.loads(log(act))
    assert (line["event"], line["logger"]) == ("Invalid HTTP request received.", "uvicorn.error")


def test_warnings_take_the_same_way(log):
    def act(*_):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("of old\nage", DeprecationWarning, stacklevel=1)

    line = json.loads(log(act))
    assert (line["logger"], line["level"], "of old\nage" in line["event"]) == ("py.warnings", "warning", True)


UNCAUGHT = """
import gc, sys, threading
from webhook import logs

logs.configure(level="info", log_format="json", lines=logs.Lines())

class Odd:
    def __del__(self):
        raise RuntimeError("in a destructor")

def fail():
    raise RuntimeError("in a thread")

Odd()
gc.collect()
thread = threading.Thread(target=fail, name="odd")
thread.start()
thread.join()
raise RuntimeError("in the main thread")
"""


def test_errors_nobody_caught_are_lines():
    ended = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["exception"].splitlines()[-1] for line in lines] == [
        f"RuntimeError: in {place}" for place in ("a destructor", "a thread", "the main thread")
    ]
    assert (ended.stderr, ended.returncode) == ("", 1)


def test_a_library_that_repeats_itself_is_cut_short(log):
    def act(*_):
        for number in range(logs.SPARED_LINES * 10):
            logging.getLogger("uvicorn.error").warning("no %s", number)
        logging.getLogger("uvicorn.error").warning("another")

    lines = [json.loads(line)["event"] for line in log(act).splitlines()]
    assert lines == [*(f"no {number}" for number in range(logs.SPARED_LINES)), "another"]


def test_how_many_were_left_out_is_told_later():
    now = 0.0
    spared = Spared(lambda: now)
    assert [spared.left_out("a") for _ in range(logs.SPARED_LINES + 5)] == [0] * logs.SPARED_LINES + [None] * 5
    assert spared.left_out("b") == 0
    now = logs.SPARED_S
    assert [spared.left_out("a"), spared.left_out("a")] == [5, 0]


def test_of_many_kinds_of_lines_the_oldest_is_forgotten():
    spared = Spared(lambda: 0.0)
    for _ in range(logs.SPARED_LINES + 1):
        spared.left_out("first")
    for number in range(logs.SPARED_KINDS - 1):
        spared.left_out(number)
    assert spared.left_out("first") is None
    spared.left_out("one more")
    assert spared.left_out("first") == 0


def test_every_level_a_setting_may_have_is_known():
    assert set(LOG_LEVELS.values()) == set(logs.LEVELS)


HOSTILE = [
    'x\n{"level":"error","event":"forged"}',
    "x\r\n2026-01-01T00:00:00.000Z error   forged",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J\x85next\u2028line\u2029paragraph",
    "\u202eright to left\u2066",
    "\x00\x7f\x08\x08\x08",
    "\ud800half a pair",
    "x" * 100_000,
    "\x1b" * 100_000,
]


@pytest.mark.parametrize("log_format", ["json", "standard"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_a_peer_sends_forges_a_line(log, log_format, text):
    def act(logger, lines):
        outcome = Outcome(role=text, mount=text)
        answer = replace(REFUSAL, uid=text, namespace=text, outcome=outcome)
        decision_lines.writer(logger, log_format=log_format, lines=lines)(answer, 0.1)
        logger.info("no review", path=text[: logs.NAME_MAX], method="POST")
        logging.getLogger("uvicorn.error").warning("odd: %s", text)
        logger.error(text[: logs.NAME_MAX], exc_info=ValueError(text[:1_000]))

    written = log(act, log_format)
    lines = written.splitlines()  # at everything that anybody takes for an end of line
    trace = [line for line in lines if line.startswith("    ")]
    assert len(lines) - len(trace) == 4
    assert all(line.isprintable() for line in lines)
    assert len(written) < 40_000
    if log_format == "json":
        assert [json.loads(line)["event"] == "forged" for line in lines] == [False] * 4


def test_an_error_carries_its_trace(log):
    def act(logger, _):
        try:
            {}["x"]
        except KeyError:
            logger.exception("odd")

    assert "KeyError" in json.loads(log(act))["exception"]


@pytest.mark.parametrize("log_format", ["json", "standard"])
def test_a_decision_has_the_same_fields_in_both_formats(log, log_format):
    def act(logger, lines):
        decision_lines.writer(logger, log_format=log_format, lines=lines)(REFUSAL, 80e-6)

    text = log(act, log_format)
    assert text.count("\n") == 1
    if log_format == "json":
        line = json.loads(text)
        assert list(line.items()) == list({"time": line["time"], **FIELDS}.items())
    else:
        assert ' info    refused reason="RoleNotFound" uid="u\\n-1" namespace="shop"' in text


def test_a_reader_that_stalls_costs_lines_and_not_time(tmp_path, pipe):
    reader, writer = pipe
    lines = Lines(writer)
    lines.start(tmp_path / "lock")
    sent = logs.PENDING_MAX * 3
    for number in range(sent):
        lines.msg(b"%06d" % number)
    lost = lines.dropped
    assert lost > 0
    received = b""
    while received.count(b"\n") < sent - lost:
        received += os.read(reader, 1 << 20)
    lines.stop()
    numbers = [int(line) for line in received.splitlines()]
    assert (numbers[0], numbers == sorted(numbers)) == (0, True)
