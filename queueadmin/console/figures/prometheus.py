"""Everything that Prometheus scrapes at /metrics, in its text format.

Made of one reading at each scrape, so every process tells the same and none needs to be scraped alone. While Redis is
away its metrics are missing rather than old, as Prometheus wants it; `queueadmin_redis_up` says so.
"""

from collections.abc import Iterator
from typing import Any, Final

import redis
from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from ingest.queue import keys
from ingest.queue.connections import acceptance_connection
from ingest.reading.fields import text
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import QueueState, Snapshot
from queueadmin.console.sources import Reader

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

#: Gauge by queue → (what it is, the QueueState's field).
_GAUGES: Final = {
    "queueadmin_queue_depth": ("Jobs that wait to be claimed.", "depth"),
    "queueadmin_queue_scheduled": ("Jobs that wait for their time, retries among them.", "scheduled"),
    "queueadmin_queue_started": ("Jobs under a lease.", "started"),
    "queueadmin_queue_stalled": ("Jobs whose lease lapsed and that are not recovered yet.", "stalled"),
    "queueadmin_queue_dead_letters": ("Dead letters now.", "failed"),
    "queueadmin_queue_trash": ("Jobs in the trash.", "trash"),
    "queueadmin_queue_oldest_wait_seconds": ("How long the job at the head has waited.", "oldest_wait"),
    "queueadmin_queue_wait_target_seconds": ("WAIT_TARGET of this queue.", "wait_target"),
    "queueadmin_queue_paused": ("1 while nobody claims from it by a pause.", "paused"),
    "queueadmin_queue_workers": ("Workers that listen to it.", "workers"),
}
#: What `queueadmin_jobs_total` counts, by its label `event`: the QueueState's fields of these names.
_EVENTS: Final = (
    "enqueued", "claimed", "completed", "retried", "dead", "dropped", "requeued", "returned", "recovered", "canceled",
    "trashed", "restored", "purged", "moved_in", "moved_out",
)  # fmt: skip

_reader: Final = Reader()


def page() -> bytes:
    """The metrics now. Never raises for Redis or the database being away."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Now())
    return generate_latest(registry)


class _Now(Collector):
    def collect(self) -> Iterator[Metric]:
        snapshot = metrics.snapshot()
        connected = snapshot.redis.status == "connected"
        yield _gauge("queueadmin_redis_up", "1 while Redis answers.", connected)
        yield _gauge(
            "queueadmin_database_up",
            "1 while the database answers and takes writes.",
            snapshot.database.status == "connected",
        )
        yield _gauge("queueadmin_healthy", "1 healthy, 0.5 degraded, 0 unhealthy.", _health(snapshot))
        yield _gauge("queueadmin_spooled_events", "Accepted events that the database holds.", snapshot.spool.count)
        if not connected and settings.REDIS:
            return
        yield from _queues(snapshot)
        if settings.REDIS:
            yield from _redis(snapshot)
            try:
                yield from [*_door(), *_histograms()]
            except redis.RedisError:
                return  # it went away between the two


def _health(snapshot: Snapshot) -> float:
    return {"healthy": 1.0, "degraded": 0.5}.get(snapshot.verdict.status, 0.0)


def _queues(snapshot: Snapshot) -> Iterator[Metric]:
    for name, (what, field) in _GAUGES.items():
        family = GaugeMetricFamily(name, what, labels=["queue"])
        for q in snapshot.queues:
            family.add_metric([q.name], float(getattr(q, field)))
        yield family
    jobs = CounterMetricFamily(
        "queueadmin_jobs", "Jobs by what happened to them; dead: became dead letters.", labels=["queue", "event"]
    )
    for q in snapshot.queues:
        for event in _EVENTS:
            jobs.add_metric([q.name, event], _counted(q, event))
    yield jobs
    workers = GaugeMetricFamily("queueadmin_workers", "Workers, by whether they run something.", labels=["state"])
    workers.add_metric(["busy"], snapshot.workers.busy)
    workers.add_metric(["idle"], snapshot.workers.total - snapshot.workers.busy)
    yield workers


def _counted(q: QueueState, event: str) -> float:
    return float(getattr(q, event))


def _redis(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("queueadmin_redis_memory_bytes", "Memory that Redis uses.", snapshot.redis.used_memory)
    yield _gauge("queueadmin_redis_memory_limit_bytes", "Its maxmemory; 0: none.", snapshot.redis.max_memory)
    yield _gauge("queueadmin_redis_unsafe", "Settings of Redis that can lose events.", len(snapshot.redis.unsafe))
    yield _gauge("queueadmin_maintenance_leads", "1 while a maintenance process leads.", snapshot.maintenance.leader)
    if snapshot.accounts is not None:
        missing = abs(snapshot.accounts.accepted - snapshot.accounts.accounted) + snapshot.accounts.misplaced
        yield _gauge("queueadmin_unaccounted_jobs", "Accepted jobs that are not accounted for.", missing)


def _door() -> Iterator[Metric]:
    """What came in. By no source: senders may make those up."""
    total = _reader.read().total
    events = CounterMetricFamily("queueadmin_events", "Events sent, by what became of them.", labels=["outcome"])
    events.add_metric(["accepted"], total.accepted)
    events.add_metric(["duplicate"], total.duplicates)
    events.add_metric(["rejected"], sum(total.rejected.values()))
    events.add_metric(["shed"], sum(total.shed.values()))
    events.add_metric(["limited"], sum(total.limited.values()))
    yield events


def _histograms() -> Iterator[Metric]:
    client = acceptance_connection()
    for name, what, key in (
        ("queueadmin_wait_seconds", "From being queued to the claim.", keys.WAIT),
        ("queueadmin_run_seconds", "From the claim to the end, well or not.", keys.RUN),
    ):
        family = HistogramMetricFamily(name, what, labels=["queue", "kind"])
        for (queue, kind), (counts, total) in _by_kind(client.hgetall(key)).items():
            family.add_metric([queue, kind], _cumulative(counts), sum_value=total / 1000)
        yield family


def _by_kind(answer: Any) -> dict[tuple[str, str], tuple[dict[int, int], int]]:
    """(queue, kind) → (bucket → jobs, milliseconds)."""
    found: dict[tuple[str, str], tuple[dict[int, int], int]] = {}
    for name, count in answer.items():
        queue, kind, place = text(name).split("|", 2)
        counts, total = found.get((queue, kind), ({}, 0))
        if place.isdecimal():
            counts[int(place)] = int(count)
        else:
            total = int(count)
        found[queue, kind] = (counts, total)
    return found


def _cumulative(counts: dict[int, int]) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    total = 0
    for place, bound in enumerate([*map(str, keys.BUCKETS), "+Inf"]):
        total += counts.get(place, 0)
        buckets.append((bound, float(total)))
    return buckets


def _gauge(name: str, what: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, what, value=float(bool(value) if isinstance(value, str | None) else value))
