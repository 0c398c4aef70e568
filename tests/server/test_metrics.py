"""Counting within one process."""

import pytest
from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector

from webhook.answer import Answer, Outcome
from webhook.server.metrics import NAMESPACES_MAX, Tally

INJECTIONS = "vault_agent_injector_injections_by_namespace_total"
DURATION = "vault_agent_injector_request_processing_duration_ms"


def said(*, injection_type="init_only", findings=(), **more):
    outcome = Outcome(injection_type=injection_type, findings=findings)
    usual = {"status": 200, "body": b"", "decision": "injected", "namespace": "shop", "outcome": outcome}
    return Answer(**{**usual, **more})


@pytest.fixture
def tally(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    yield Tally(tmp_path)
    values.close_all_multiprocess_files()


@pytest.fixture
def read(tally, tmp_path):
    def read(name, **labels):
        tally.flush(lost_lines=0)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(tmp_path))
        return registry.get_sample_value(name, labels) or 0

    return read


def test_anybody_s_namespaces_are_bounded(tally, read):
    for number in range(NAMESPACES_MAX + 50):
        tally.decided(said(namespace=f"n-{number}"), 1)
    assert read(INJECTIONS, namespace="n-0", injection_type="init_only") == 1
    assert read(INJECTIONS, namespace=f"n-{NAMESPACES_MAX}", injection_type="init_only") == 0
    assert read(INJECTIONS, namespace="other", injection_type="init_only") == 50
    tally.decided(said(namespace="n-0"), 1)
    assert read(INJECTIONS, namespace="n-0", injection_type="init_only") == 2


@pytest.mark.parametrize(
    "namespace",
    ["", "x" * 64, "x" * 1_000_000, 'a"} 1\nforged{b="', "a\\", "a\nb", "\x1b[2J", "Shop", "-a", "a.b", "\u202eshop"],
    ids=range(11),
)
def test_what_is_no_namespace_counts_as_other(tally, read, namespace):
    tally.decided(said(namespace=namespace), 1)
    assert read(INJECTIONS, namespace="other", injection_type="init_only") == 1


def test_durations_fall_into_the_reference_s_buckets(tally, read):
    for took_ms in (0.1, 5, 5.1, 99_999):
        tally.decided(said(), took_ms)
    assert [read(f"{DURATION}_bucket", le=le) for le in ("5.0", "10.0", "10000.0", "+Inf")] == [2, 3, 3, 4]
    assert read(f"{DURATION}_sum") == pytest.approx(100_009.2)


def test_each_decision_counts_where_it_belongs(tally, read):
    tally.decided(said(decision="unchanged", injection_type=""), 1)
    tally.decided(said(decision="refused", reason="RoleNotFound", findings=("WildcardBinding",)), 1)
    tally.decided(said(decision="malformed", reason="NoReview", status=400, namespace=""), 1)
    tally.refused(404, 1)
    assert read("vault_webhook_decisions_total", decision="unchanged", reason="") == 1
    assert read("vault_agent_injector_failed_injections_by_namespace_total", namespace="shop") == 1
    assert read("vault_webhook_findings_total", reason="WildcardBinding") == 1
    assert [read("vault_webhook_http_errors_total", status=status) for status in ("400", "404")] == [1, 1]
    assert read(INJECTIONS, namespace="shop", injection_type="") == 0
    assert read(f"{DURATION}_count") == 4
