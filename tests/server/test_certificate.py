"""The certificate changes while connections live."""

import json
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from tests.eventually import eventually
from tests.server.process import JSON, review, swap, write_pair

pytestmark = pytest.mark.slow

KEPT = "file refused, last good version kept"


def served(server):
    """Return the serial number a new connection is shown."""
    with server.raw() as connection:
        return connection.getpeercert()["serialNumber"]


def test_a_new_certificate_is_served_to_new_connections_only(start):
    server = start()
    old = server.connect()
    old.request("POST", "/mutate", body=review(), headers=JSON)
    old.getresponse().read()
    before = served(server)
    write_pair(server.tls)
    eventually(lambda: served(server) != before)
    old.request("POST", "/mutate", body=review(), headers=JSON)
    assert json.loads(old.getresponse().read())["uid"] == "u-1"
    assert old.sock.getpeercert()["serialNumber"] == before
    old.close()
    assert server.metric('vault_webhook_file_loads_total{file="certificate"}') == 2


@pytest.mark.parametrize("broken", ["no PEM", "another's key"])
def test_a_broken_certificate_leaves_the_last_good_one_serving(start, broken):
    server = start()
    before = served(server)
    pair = write_pair(server.folder / "other")
    key = b"" if broken == "no PEM" else (server.tls / "tls.key").read_bytes()
    swap(server.tls, {"tls.crt": pair.certificate if key else b"no PEM", "tls.key": key})
    eventually(lambda: server.metric('vault_webhook_file_load_failures_total{file="certificate"}') == 1)
    assert served(server) == before
    ready = eventually(lambda: (said := server.readiness())["degraded"] and said)
    assert (ready["ready"], len(ready["degraded"])) == (True, 1)
    assert server.metric('vault_webhook_file_good{file="certificate"}') == 0
    assert len(eventually(lambda: [line for line in server.lines() if line["event"] == KEPT])) == 1
    write_pair(server.tls)
    eventually(lambda: served(server) != before)
    eventually(lambda: server.readiness()["degraded"] == [])


def test_without_a_certificate_it_waits_and_is_not_ready(start):
    server = start(with_certificate=False)
    reasons = eventually(lambda: server.readiness()["reasons"])
    assert reasons[0].startswith("no certificate yet: FileNotFoundError")
    assert server.is_alive()
    with pytest.raises(ssl.SSLError, match=r"EOF|INTERNAL_ERROR"):
        server.raw()
    write_pair(server.tls)
    eventually(server.is_ready)
    assert server.answers()


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime.now(UTC) - timedelta(days=2), "the certificate ended at"),
        (datetime.now(UTC) + timedelta(days=2), "the certificate is not valid before"),
    ],
)
def test_a_certificate_out_of_its_time_is_not_ready(start, now, reason):
    server = start()
    eventually(server.is_ready)
    write_pair(server.tls, now=now)
    said = eventually(lambda: server.readiness()["reasons"])
    assert (len(said), said[0].startswith(reason)) == (1, True)


def test_its_end_is_a_metric(start):
    server = start()
    with server.raw() as connection:
        end = ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"])
    assert server.metric("vault_webhook_certificate_expiry_timestamp_seconds") == end
