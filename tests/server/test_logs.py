"""Log lines as a reader of the pipe sees them."""

import json
import logging
import os

import pytest

from webhook.answer import Answer, Outcome
from webhook.server import logs
from webhook.server.logs import Lines

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
    reader, writer = pipe

    def written(act, log_format="json", level="info"):
        lines = Lines(writer)
        act(logs.configure(level=level, log_format=log_format, lines=lines), lines)
        os.write(writer, b"\n")
        return os.read(reader, 1 << 16)[:-1].decode()

    yield written
    root.handlers, root.level = before


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
        logs.logger_of_decisions(logger, log_format=log_format, lines=lines)(REFUSAL, 80e-6)

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
