"""Probes and the start page, without processes: state files in, answers out."""

import re

import pytest
from msgspec.structs import replace

from tests.server.process import AUTHORITY
from webhook.server import admin, state
from webhook.server.runtime import Folders
from webhook.server.state import BindingsState, CertificateState, WorkerState
from webhook.settings.read import Settings, read

NOW = 1_700_000_000.0
TICK = 5_000.0
LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8081"}
GOOD = WorkerState(
    pid=1,
    beat=TICK - 1,
    started_at=NOW - 3_700,
    draining=False,
    in_flight=0,
    connections=3,
    bindings=BindingsState(source="b.json", loaded_at=NOW - 60, fetched_at=NOW - 90, roles=7, mounts=2, size_bytes=512),
    certificate=CertificateState(source="c", loaded_at=NOW - 60, not_before=NOW - 60, not_after=NOW + 7_260),
)


@pytest.fixture
def ask(tmp_path):
    """Ask a path of an admin side whose workers said this."""

    def ask(path, *workers, environ=LOCAL, **flags):
        folders = Folders(tmp_path)
        folders.prepare()
        for worker in workers:
            state.write(folders.workers, worker)
        flags = {"vault-address": "https://vault:8200", "workers": "1", "bindings": "b.json", **flags}
        settings = read(flags, {})
        app = admin.create_app(settings, folders, now=lambda: NOW, monotonic=lambda: TICK)
        return app.test_client().get(path, environ_overrides=environ)

    return ask


@pytest.mark.parametrize(
    ("workers", "status", "reasons"),
    [
        ([GOOD], 200, []),
        ([], 503, ["0 of 1 workers are alive"]),
        ([replace(GOOD, beat=TICK - 11)], 503, ["0 of 1 workers are alive"]),
    ],
)
def test_alive_means_every_worker_said_so_lately(ask, workers, status, reasons):
    said = ask("/livez", *workers, environ={"REMOTE_ADDR": "10.0.0.9"})
    assert (said.status_code, said.json) == (status, {"alive": status == 200, "reasons": reasons})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"draining": True}, "stopping"),
        ({"certificate": CertificateState(problem="no file")}, "no certificate yet: no file"),
        (
            {"certificate": replace(GOOD.certificate, not_after=NOW)},
            "the certificate ended at 2023-11-14 22:13:20 UTC",
        ),
        (
            {"certificate": replace(GOOD.certificate, not_before=NOW + 1)},
            "the certificate is not valid before 2023-11-14 22:13:21 UTC",
        ),
        ({"bindings": BindingsState(problem="line 3")}, "no bindings yet: line 3"),
    ],
)
def test_ready_names_what_is_missing(ask, change, reason):
    said = ask("/readyz", replace(GOOD, **change), environ={"REMOTE_ADDR": "10.0.0.9"})
    assert (said.status_code, said.json["ready"], said.json["reasons"]) == (503, False, [reason])


def test_one_worker_that_is_not_ready_is_enough(ask):
    bad = replace(GOOD, pid=2, draining=True)
    assert ask("/readyz", GOOD, bad, workers="2").json["reasons"] == ["stopping"]
    assert ask("/readyz", GOOD, replace(GOOD, pid=2), workers="2").status_code == 200


def test_a_refused_file_is_told_and_does_not_take_readiness(ask):
    said = ask("/readyz", replace(GOOD, bindings=replace(GOOD.bindings, problem="line 3")))
    assert said.status_code == 200
    assert said.json["degraded"] == ["the newest bindings is refused, an earlier one serves: line 3"]


@pytest.mark.parametrize(("flags", "mode"), [({}, "enforce"), ({"binding-check": "off"}, "off")])
def test_ready_says_whether_roles_are_checked(ask, flags, mode):
    assert ask("/readyz", GOOD, **flags).json["binding_check"] == mode


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "localhost:8081", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("::1", "[::1]:8081", 200),
        ("::ffff:127.0.0.1", "localhost", 200),
        ("10.0.0.9", "localhost", 403),
        ("::ffff:10.0.0.9", "localhost", 403),
        ("127.0.0.1", "evil.example:8081", 403),
        ("127.0.0.1", "localhost.evil.example", 403),
        ("", "localhost", 403),
    ],
)
def test_the_page_is_for_loopback_only(ask, address, host, status):
    said = ask("/", GOOD, environ={"REMOTE_ADDR": address, "HTTP_HOST": host})
    assert said.status_code == status
    assert ("b.json" in said.text) == (status == 200)


def test_the_page_shows_what_is_in_use(ask):
    page = ask("/", GOOD).text
    for part in ("7 roles in 2 mounts, 512 bytes", "1 min 30 s ago", "2 h 1 min left", "1 h 1 min", "Ready"):
        assert part in page


def test_the_page_shows_settings_masked_and_escaped(ask, monkeypatch):
    monkeypatch.setattr(Settings, "masked", lambda _: {"TOKEN": "***", "NAME": "<b>team</b>"})
    page = ask("/", GOOD, **{"vault-namespace": "hunter2"}).text
    assert re.findall(r"<td>(\*+|&lt;b&gt;team&lt;/b&gt;)</td>", page) == ["***", "&lt;b&gt;team&lt;/b&gt;"]
    assert "hunter2" not in page


def test_the_page_loads_nothing_from_elsewhere(ask):
    said = ask("/", GOOD)
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]
    assert "http://" not in said.text
    assert "<script" not in said.text


def test_metrics_are_where_they_were_asked_to_be(ask):
    remote = {"REMOTE_ADDR": "10.0.0.9"}
    text = ask("/stats", GOOD, environ=remote, **{"telemetry-path": "/stats"}).text
    assert "vault_webhook_bindings_roles 7.0" in text
    assert "vault_webhook_certificate_expiry_timestamp_seconds 1.70000726e+09" in text
    assert ask("/metrics", GOOD, environ=remote, **{"telemetry-path": ""}).status_code == 404
    assert AUTHORITY.key.decode() not in text
