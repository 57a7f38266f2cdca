"""Is all well? By our own names, by Keep's, and as probes ask."""

from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework.request import Request
from rest_framework.response import Response

from ingest import points
from ingest.api.problems import Problem, ProblemError
from ingest.kinds import POINT, STREAM_POINTS
from ingest.kinds.points import STREAMS
from ingest.queue.connections import acceptance_connection, connection
from ingest.reading.counts import unfinished
from queueadmin.console.access import callers
from queueadmin.console.access.permissions import VIEW_CONSOLE
from queueadmin.console.api.base import ConsoleView, connected, read_only
from queueadmin.console.figures import counts, metrics, prometheus

#: Keep's thresholds for `queue_status`.
BACKLOGGED_FROM: Final = 1000
ERRORS_FROM: Final = 100


class HealthView(ConsoleView):
    """Open to everybody, as load balancers ask without a key; the details are for those who may read."""

    reading = None

    def get(self, request: Request) -> Response:
        snapshot = metrics.snapshot()
        verdict = snapshot.verdict
        status = 503 if verdict.status == "unhealthy" else 200
        if not _may_know(request):
            return Response({"status": verdict.status}, status=status)
        shown = snapshot.as_dict()
        return Response(
            {
                "status": verdict.status,
                "redis": shown["redis"],
                "database": shown["database"],
                "spool": shown["spool"],
                "queues": {queue["name"]: queue for queue in shown["queues"]},
                "workers": shown["workers"],
                "maintenance": shown["maintenance"],
                "reasons": shown["verdict"]["reasons"],
                "next": verdict.next,
            },
            status=status,
        )


def _may_know(request: Request) -> bool:
    """Whether the caller may read about every tenant."""
    try:
        return not callers.caller(request, VIEW_CONSOLE).tenant
    except ProblemError:
        return False


class MetricsView(ConsoleView):
    """For Prometheus, which sends a key as a bearer token."""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(prometheus.page(), content_type=prometheus.CONTENT_TYPE)


class QueueStatusView(ConsoleView):
    def get(self, request: Request) -> Response:
        snapshot = connected(metrics.snapshot())
        totals = snapshot.totals
        return Response(
            {
                "queues": {
                    q.name: {
                        "pending": q.depth,
                        "parked": q.parked,
                        "paused": q.paused,
                        "scheduled": q.scheduled,
                        "processing": q.started,
                        "stalled": q.stalled,
                        "failed": q.failed,
                        "trash": q.trash,
                    }
                    for q in snapshot.queues
                },
                "total_pending": totals.depth,
                **_points(),
                "processor": {
                    "processed": totals.processed,
                    "failed": totals.failures,
                    "in_per_second": totals.in_rate,
                    "out_per_second": totals.out_rate,
                    "workers": snapshot.workers.total,
                    "busy": snapshot.workers.busy,
                },
            }
        )


def _points() -> dict[str, dict[str, int | None] | None]:
    """What became of the points of each stream (C2), counted with the rows, and how many of its jobs are not done yet.

    Both are exact. A single event has no stream before it is run; then it counts as live, and so it does here.
    """
    try:
        found = points.totals()
    except (DatabaseError, InterfaceError):
        return {f"{stream}_points": None for stream in STREAMS}
    pending: dict[str, int | None] = dict.fromkeys(STREAMS)
    if settings.REDIS:
        every, *known = unfinished(connection(), [POINT.name, *(kind.label for kind in STREAM_POINTS.values())])
        pending = dict(zip(STREAMS, known, strict=True))
        pending[STREAMS[0]] = max(every - sum(known[1:]), 0)
    return {f"{stream}_points": {"pending": pending[stream], **found[stream]} for stream in STREAMS}


class QueueHealthView(ConsoleView):
    """Keep's health, by its names."""

    def get(self, request: Request) -> Response:
        snapshot = metrics.snapshot()
        if snapshot.redis.status == "disconnected" or not snapshot.known:
            return Response({"redis_available": False, "queue_status": "unavailable", "metrics": {}})
        totals = snapshot.totals
        status = "healthy"
        if totals.started > BACKLOGGED_FROM:
            status = "backlogged"
        if totals.failed > ERRORS_FROM:
            status = "errors"
        shown = {
            **{f"enqueued:{q.name}": q.enqueued for q in snapshot.queues},
            "total_enqueued": totals.enqueued,
            **{f"dequeued:{q.name}": q.claimed for q in snapshot.queues},
            "total_dequeued": totals.dequeued,
            "successfully_processed": totals.processed,
            "processing_failures": totals.failures,
            **{f"queue_length:{q.name}": q.depth for q in snapshot.queues},
            "processing_queue_length": totals.started,
            "dead_letter_queue_length": totals.failed,
        }
        return Response({"redis_available": settings.REDIS, "queue_status": status, "metrics": shown})


@read_only
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "alive"})


@read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether an event would be stored durably now: by Redis, or else by the database."""
    refusal = _redis_refuses()
    if refusal and metrics.database_facts().state.status != "connected":
        detail = f"{refusal}, and the database does not answer: nothing can be accepted."
        problem = Problem(503, "not_ready", "Not ready", detail, retryable=True, headers={"Retry-After": "5"})
        return problem.response()
    return JsonResponse({"status": "ready"})


def _redis_refuses() -> str:
    if not settings.REDIS:
        return "There is no Redis (REDIS=false)"
    try:
        return counts.refuses(acceptance_connection().info())
    except redis.RedisError:
        return "Redis does not answer"
