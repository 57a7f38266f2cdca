"""C4: while Redis is away spooled points go straight into their table, each once, and are counted."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ingest import jobs as running
from ingest import points, spool
from ingest.accept import Incoming
from ingest.accept.jobs import new_jobs
from ingest.kinds import POINT
from ingest.maintenance.direct import Direct
from ingest.maintenance.draining import Draining
from ingest.models import Event, Point, SpooledEvent
from ingest.priorities import Priority, Severity
from ingest.queue import connections
from ingest.queue.transitions import NewJob
from ingest.reading import jobs as reading
from tests.ingest.spool.conftest import job, spooled
from tests.ingest.worker.conftest import Work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def away(tmp_path: Path) -> Iterator[redis.Redis]:
    """Nobody listens there."""
    client = connections.single_try(redis.Redis(unix_socket_path=f"{tmp_path}/nobody.sock"))
    yield client
    client.close()


def chunk(first: int, number: int = 3, **more: Any) -> NewJob:
    """A job of points a second apart, spooled."""
    given = [{"device_id": "a", "time": 1795348798 + first + n, "lat": 1, "lon": 2} for n in range(number)]
    body = json.dumps({"stream": "upload", "points": given, **more.pop("fields", {})}).encode()
    severity = Severity(None, Priority.MEDIUM, "default")
    [made] = new_jobs([Incoming(POINT, body, "upload", "", more.pop("event_id", None), severity, **more)])
    spool.store([made])
    return made


def counts() -> dict[str, int]:
    return points.totals()["upload"]


def test_points_are_kept_counted_and_told_of_without_redis(away: redis.Redis, settings: Any) -> None:
    first, second = chunk(0), chunk(2)
    Direct(away).step()
    assert spooled() == []
    assert Point.objects.count() == 5
    assert counts() == {"inserted": 5, "duplicates": 1, "rejected": 0}
    settings.REDIS_URL = f"unix://{away.connection_pool.connection_kwargs['path']}"
    connections.close_connections()
    try:
        found = [reading.read(each.id) for each in (first, second)]
    finally:
        connections.close_connections()
    assert [(each.state, each.result) for each in found if each] == [
        ("finished", {"inserted": 3, "duplicates": 0, "rejected": 0}),
        ("finished", {"inserted": 2, "duplicates": 1, "rejected": 0}),
    ]


def test_while_redis_answers_they_are_left_for_it(empty_redis: redis.Redis) -> None:
    waiting = chunk(0)
    Direct(empty_redis).step()
    assert spooled() == [waiting.id]
    assert not Event.objects.exists()


def test_a_crash_before_they_leave_the_spool_doubles_nothing(
    away: redis.Redis, empty_redis: redis.Redis, work: Work
) -> None:
    """Once more by itself, and once more by way of Redis, which is back meanwhile."""
    made = chunk(0)
    [row] = SpooledEvent.objects.values()
    Direct(away).step()
    SpooledEvent.objects.create(**row)
    Direct(away).step()
    assert spooled() == []
    SpooledEvent.objects.create(**row)
    Draining(empty_redis, lambda: True).step()
    assert work.waiting("medium") == [made.id]
    work.off("medium")
    assert work.waiting("medium") == []
    assert (Point.objects.count(), counts()["inserted"], counts()["duplicates"]) == (3, 3, 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: job("an alert"),
        lambda: chunk(0, event_id="mine"),
        lambda: chunk(0, callback="https://example.org/hook"),
        lambda: chunk(0, delay=600.0),
        lambda: chunk(0, fields={"fault": "permanent"}),
    ],
    ids=["another kind", "an id of its sender", "a callback", "delayed", "a fault"],
)
def test_what_needs_redis_waits_for_it(away: redis.Redis, make: Callable[[], NewJob]) -> None:
    waiting = make()
    if waiting.kind == "alert":
        spool.store([waiting])
    other = chunk(100)
    Direct(away).step()
    assert spooled() == [waiting.id]
    assert Event.objects.get().id == other.id


def test_one_that_cannot_be_run_is_left_and_its_neighbours_are_not(
    away: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = [chunk(10 * n) for n in range(5)]
    process = running.process

    def refuse(kind: Any, events: Any) -> Any:
        if any(payload.id == made[2].id for payload, _ in events):
            raise ValueError("no such thing")
        return process(kind, events)

    monkeypatch.setattr(running, "process", refuse)
    direct = Direct(away)
    direct.step()
    direct.step()
    assert spooled() == [made[2].id]
    assert Point.objects.count() == 12
    assert caplog.text.count("cannot be run without Redis") == 1
