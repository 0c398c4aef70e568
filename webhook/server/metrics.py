"""Metrics: a request is a few additions in memory; once a second they go to prometheus-client's shared files.

The names that begin with vault_agent_injector are the reference's. Counters and the histogram live in one file per
worker (the library's multiprocess mode: counts of a worker that died stay); everything that is a state is read from
the workers' state files when somebody asks.
"""

import os
import re
import time
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from webhook import __version__
from webhook.answer import FAILED, INJECTED, REFUSED, Answer
from webhook.server import state
from webhook.server.state import WorkerState

DURATION_BUCKETS_MS = (5, 10, 25, 50, 75, 100, 250, 500, 1_000, 2_500, 5_000, 7_500, 10_000)
NAMESPACES_MAX = 1_000  # anybody in the cluster may post a review with any namespace; later ones count as OTHER
OTHER = "other"
NAMESPACE_KEPT = 64  # characters until the next flush: one more than a namespace can have
NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # a DNS label; what is none is no namespace
FILES = ("bindings", "certificate")


class _BulkHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add the number of observations of each bucket, the infinite one last, and their sum."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class Tally:
    """What one worker counted since the last `flush`; only the event loop touches it."""

    def __init__(self, folder: Path) -> None:
        """Open this process's files in folder: once per process, after it was forked."""
        # The library wants its mode chosen by a variable when it is first imported, before our settings are read.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()  # nobody reads it: the admin process reads the files

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self._duration = _BulkHistogram(
            "vault_agent_injector_request_processing_duration_ms",
            "Milliseconds from a request's header to its answer",
            buckets=DURATION_BUCKETS_MS,
            registry=registry,
        )
        self._injections = counter(
            "vault_agent_injector_injections_by_namespace", "Pods injected", "namespace", "injection_type"
        )
        self._failures = counter("vault_agent_injector_failed_injections_by_namespace", "Pods refused", "namespace")
        self._decisions = counter("vault_webhook_decisions", "Answers by decision and reason", "decision", "reason")
        self._findings = counter(
            "vault_webhook_findings", "Warnings by reason, also those only an operator sees", "reason"
        )
        self._http_errors = counter("vault_webhook_http_errors", "Answers that are no admission review", "status")
        self._cuts = counter("vault_webhook_connections_cut", "Connections ended by us before their time", "cause")
        self._withheld = counter("vault_webhook_refusals_withheld", "Refusals given without reasons: too many")
        self._loads = counter("vault_webhook_file_loads", "New versions of a watched file taken into use", "file")
        self._load_failures = counter(
            "vault_webhook_file_load_failures", "New versions of a watched file refused", "file"
        )
        self._lost_lines = counter("vault_webhook_log_lines_lost", "Log lines nobody read in time")
        for file in FILES:
            self._loads.labels(file)
            self._load_failures.labels(file)
        self._namespaces: set[str] = set()
        self._lost_lines_told = 0
        self._decided: Counts[tuple[str, str, str, str]] = Counts()
        self._found: Counts[str] = Counts()
        self._refused: Counts[int] = Counts()
        self._slots = [0] * (len(DURATION_BUCKETS_MS) + 1)
        self._total_ms = 0.0

    def decided(self, answer: Answer, took_ms: float) -> None:
        """Count an answer."""
        namespace = answer.namespace[:NAMESPACE_KEPT]
        self._decided[answer.decision, answer.reason, namespace, answer.outcome.injection_type] += 1
        self._slots[bisect_left(DURATION_BUCKETS_MS, took_ms)] += 1
        self._total_ms += took_ms
        if answer.outcome.findings:
            self._found.update(answer.outcome.findings)
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's border between answers and errors
            self._refused[answer.status] += 1

    def refused(self, status: int, took_ms: float) -> None:
        """Count a request that was answered below the admission layer."""
        self._refused[status] += 1
        self._slots[bisect_left(DURATION_BUCKETS_MS, took_ms)] += 1
        self._total_ms += took_ms

    def cut(self, cause: str) -> None:
        """Count a connection we ended: a word of connections.py."""
        self._cuts.labels(cause).inc()

    def withheld(self) -> None:
        """Count a refusal without reasons."""
        self._withheld.inc()

    def loaded(self, file: str, good: bool) -> None:  # noqa: FBT001 - files.Watched's callback
        """Count a load of a watched file; may be called from another thread."""
        (self._loads if good else self._load_failures).labels(file).inc()

    def flush(self, *, lost_lines: int) -> None:
        """Move the counts into the shared files; `lost_lines` since the process began."""
        decided, self._decided = self._decided, Counts()
        for (decision, reason, namespace, injection_type), count in decided.items():
            self._decisions.labels(decision, reason).inc(count)
            if decision == INJECTED:
                self._injections.labels(self._bounded(namespace), injection_type).inc(count)
            elif decision in (REFUSED, FAILED):
                self._failures.labels(self._bounded(namespace)).inc(count)
        found, self._found = self._found, Counts()
        for reason, count in found.items():
            self._findings.labels(reason).inc(count)
        refused, self._refused = self._refused, Counts()
        for status, count in refused.items():
            self._http_errors.labels(str(status)).inc(count)
        if any(self._slots):
            self._duration.add(self._slots, self._total_ms)
            self._slots = [0] * len(self._slots)
            self._total_ms = 0.0
        self._lost_lines.inc(lost_lines - self._lost_lines_told)
        self._lost_lines_told = lost_lines

    def _bounded(self, namespace: str) -> str:
        if namespace in self._namespaces:
            return namespace
        if len(self._namespaces) >= NAMESPACES_MAX or not NAMESPACE.fullmatch(namespace):
            return OTHER
        self._namespaces.add(namespace)
        return namespace


class _States(Collector):
    """What the workers' state files say, as gauges; where workers differ, the one that is worst off."""

    def __init__(self, workers: Sequence[WorkerState], binding_check: str) -> None:
        self._workers = workers
        self._binding_check = binding_check

    def collect(self) -> Iterable[Metric]:
        """Return the gauges."""
        workers = self._workers
        yield _gauge("vault_webhook_build_info", "Version of this process", 1, version=__version__)
        yield _gauge("vault_webhook_binding_check_info", "Mode of the role check", 1, mode=self._binding_check)
        yield _gauge("vault_webhook_workers", "Workers that report", len(workers))
        yield _gauge("vault_webhook_connections", "Open connections", sum(worker.connections for worker in workers))
        yield _gauge(
            "vault_agent_injector_request_queue_length",
            "Requests being processed",
            sum(worker.in_flight for worker in workers),
        )
        if workers:
            yield from _file_gauges(workers)


def _file_gauges(workers: Sequence[WorkerState]) -> Iterable[Metric]:
    good = GaugeMetricFamily(
        "vault_webhook_file_good", "1 when the newest version of the file is in use", labels=["file"]
    )
    good.add_metric(["certificate"], float(not any(worker.certificate.problem for worker in workers)))
    if workers[0].bindings.source:
        good.add_metric(["bindings"], float(not any(worker.bindings.problem for worker in workers)))
        yield from _bindings_gauges(workers)
    yield good
    yield _gauge(
        "vault_webhook_certificate_expiry_timestamp_seconds",
        "When the serving certificate ends, unix time; 0 without one",
        min(worker.certificate.not_after for worker in workers),
    )


def _bindings_gauges(workers: Sequence[WorkerState]) -> Iterable[Metric]:
    roles = min(worker.bindings.roles for worker in workers)
    yield _gauge("vault_webhook_bindings_roles", "Roles in the bindings document in use", roles)
    mounts = min(worker.bindings.mounts for worker in workers)
    yield _gauge("vault_webhook_bindings_mounts", "Mounts in the bindings document in use", mounts)
    fetched = [worker.bindings.fetched_at for worker in workers if worker.bindings.fetched_at is not None]
    if fetched:
        age_s = max(0.0, time.time() - min(fetched))
        yield _gauge(
            "vault_webhook_bindings_age_seconds", "Since the document was read from the server it speaks of", age_s
        )


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def exposition(metrics_folder: Path, workers_folder: Path, *, binding_check: str) -> bytes:
    """Return all metrics of all workers in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(metrics_folder))  # type: ignore[no-untyped-call]
    registry.register(_States(state.read_all(workers_folder), binding_check))
    return generate_latest(registry)
