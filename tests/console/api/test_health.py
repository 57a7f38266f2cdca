"""Is all well, by every name that asks."""

import json
from typing import Any

import pytest
import redis
from django.test import Client

from ingest.accept import Incoming, accept
from ingest.api.keys import Sender
from ingest.api.schema import read_event
from ingest.api.tracking import Body, read_points
from ingest.kinds.points import STREAMS
from ingest.queue import keys
from ingest.queue.transitions import Transitions
from ingest.spool.rows import insert
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import DatabaseFacts, DatabaseState
from tests.console.api.conftest import problem_of
from tests.console.conftest import Jobs
from tests.ingest.spool.conftest import job

pytestmark = pytest.mark.django_db

SENDER = Sender("s", frozenset({"ingest"}), None)


def test_c6_health_says_what_is_wrong_and_is_200_while_degraded(local: Client, jobs: Jobs) -> None:
    jobs.fail(101)
    response = local.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert health["status"] == "degraded"
    assert health["redis"]["status"] == "connected"
    assert health["database"] == {"status": "connected"}
    assert health["queues"]["high"]["failed"] == 101
    assert "101 dead letters wait for a decision." in health["reasons"]
    assert health["workers"] == {"total": 0, "busy": 0}
    assert response["Cache-Control"] == "no-store"


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    away = DatabaseFacts(DatabaseState("disconnected"))
    monkeypatch.setattr(metrics, "database_facts", lambda: away)


@pytest.mark.usefixtures("no_redis", "no_database")
def test_c6_health_is_503_when_nothing_can_be_accepted(local: Client) -> None:
    response = local.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert response.json()["redis"]["status"] == "disconnected"


@pytest.mark.usefixtures("no_redis")
def test_c6_health_is_degraded_and_200_while_the_spool_takes_events(local: Client) -> None:
    insert([job("x"), job("y")])
    response = local.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert (health["status"], health["spool"]["count"]) == ("degraded", 2)
    assert any(reason.startswith("2 events wait in the spool") for reason in health["reasons"])


def test_health_tells_strangers_the_word_alone(empty_redis: redis.Redis, settings: Any) -> None:
    settings.INGEST_REQUIRE_KEY = True
    assert Client().get("/health").json() == {"status": "degraded"}


def test_healthz_is_alive_even_without_redis(local: Client, no_redis: None) -> None:
    assert local.get("/healthz").json() == {"status": "alive"}


def test_readyz_is_whether_events_are_stored(local: Client, empty_redis: redis.Redis) -> None:
    assert local.get("/readyz").json() == {"status": "ready"}


@pytest.mark.usefixtures("no_redis")
def test_readyz_without_redis_is_ready_as_the_spool_takes_events(local: Client) -> None:
    assert local.get("/readyz").json() == {"status": "ready"}


@pytest.mark.usefixtures("no_redis", "no_database")
def test_readyz_without_redis_and_database_is_503(local: Client) -> None:
    response = local.get("/readyz")
    problem = problem_of(response, 503, "not_ready")
    assert problem["retryable"] is True
    assert response["Retry-After"] == "5"


def test_a12_queue_health_by_keeps_names(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(5, queue="critical")
    jobs.start(queue="critical", limit=2)
    jobs.fail(3, queue="low")
    health = local.get("/api/admin/queue/health").json()
    assert health == {
        "redis_available": True,
        "queue_status": "healthy",
        "metrics": {
            "enqueued:critical": 5,
            "enqueued:high": 0,
            "enqueued:medium": 0,
            "enqueued:low": 3,
            "total_enqueued": 8,
            "dequeued:critical": 2,
            "dequeued:high": 0,
            "dequeued:medium": 0,
            "dequeued:low": 3,
            "total_dequeued": 5,
            "successfully_processed": 0,
            "processing_failures": 3,
            "queue_length:critical": 3,
            "queue_length:high": 0,
            "queue_length:medium": 0,
            "queue_length:low": 0,
            "processing_queue_length": 2,
            "dead_letter_queue_length": 3,
        },
    }


def test_a12_thresholds(local: Client, empty_redis: redis.Redis) -> None:
    def status() -> str:
        return str(local.get("/api/admin/queue/health").json()["queue_status"])

    live = keys.SCORE_OFFSET * 2
    empty_redis.zadd(keys.started("high"), {f"{n}:x": live for n in range(1000)})
    assert status() == "healthy"
    empty_redis.zadd(keys.started("high"), {"more:x": live})
    assert status() == "backlogged"
    empty_redis.zadd(keys.failed("low"), {str(n): live for n in range(101)})
    assert status() == "errors"


@pytest.mark.usefixtures("no_redis")
def test_a12_unavailable_without_redis(local: Client) -> None:
    response = local.get("/api/admin/queue/health")
    assert (response.status_code, response.json()) == (
        200,
        {"redis_available": False, "queue_status": "unavailable", "metrics": {}},
    )


def test_c6_queue_status(local: Client, jobs: Jobs) -> None:
    jobs.enqueue(2, queue="medium")
    jobs.fail(1, queue="low")
    status = local.get("/queue/status").json()
    assert status["total_pending"] == 2
    assert status["queues"]["medium"] == {
        "pending": 2,
        "parked": 0,
        "paused": False,
        "scheduled": 0,
        "processing": 0,
        "stalled": 0,
        "failed": 0,
        "trash": 0,
    }
    assert status["processor"]["failed"] == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_the_probes_can_only_be_read(path: str, method: str) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    response = strict.generic(method, path)
    problem_of(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"
    assert strict.head("/healthz").status_code == 200


def test_c2_each_stream_says_what_is_pending_and_what_became_of_it(admin: Client, empty_redis: redis.Redis) -> None:
    def pending() -> dict[str, int]:
        status = admin.get("/queue/status").json()
        return {stream: status[f"{stream}_points"]["pending"] for stream in STREAMS}

    at = {"device_id": "a", "time": 1795348798, "lat": 1, "lon": 2}
    assert set(pending().values()) == {0}
    for path in ("/tracking/live", "/tracking/upload", "/tracking/flymaster/upload/file", "/tracking/upload"):
        accept(read_points(path.split("/")[2], Body(json.dumps([at] * 1_500).encode(), ""), SENDER))  # type: ignore[arg-type]
    event = read_event(json.dumps({"kind": "point", **at}).encode(), SENDER)
    assert isinstance(event, Incoming)
    accept([event])
    assert pending() == {"live": 3, "upload": 4, "flymaster": 2, "scoring": 0}

    transitions = Transitions(empty_redis)
    claim = transitions.claim("w", ["low"], claim_id="c", limit=2, lease=30)
    assert claim is not None
    first, second = (job.id for job in claim.jobs)
    transitions.complete("low", claim.id, "w", [first])
    assert pending()["flymaster"] == 1
    transitions.fail("low", claim.id, "w", [Jobs.failure(second)])
    assert pending()["flymaster"] == 0, "a dead letter is not pending"
    transitions.requeue("low", [second])
    assert pending()["flymaster"] == 1
    transitions.discard("low", [second])
    assert pending() == {"live": 3, "upload": 4, "flymaster": 0, "scoring": 0}
