"""Jobs in Redis, made through the same scripts as in production, and people who may look or act."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Group, User
from django.db import OperationalError, transaction
from msgspec.structs import replace
from pytest_django.fixtures import Settings
from redis.backoff import NoBackoff

from ingest import points, problems
from ingest.kinds.alerts import ACTIONS
from ingest.kinds.points import read_point
from ingest.models import Alert, RedisLoss
from ingest.queue import connections, keys
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import Failure, NewJob, Transitions, new_id
from queueadmin.console.figures import metrics
from queueadmin.console.models import AuditEntry

WORKER = "test-worker"


def outcome() -> AuditEntry:
    """The audit log's latest outcome."""
    return AuditEntry.objects.filter(step="outcome").latest("id")


def report(identity: str, action: str = "trigger", minutes_ago: float = 0, **fields: Any) -> Alert:
    """A report on the problem, as a worker writes it; the problem after it."""
    values: dict[str, Any] = {"tenant": "", "source": "test", "title": "disk full", "labels": {}, "priority": "high"}
    values |= {"event": new_id(), **fields}
    values["labels"] = problems.lines_of(values["labels"])
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    with transaction.atomic():
        problems.save_reports([problems.Said(identity=identity, action=ACTIONS[action], at=at, **values)])
    return Alert.objects.get(identity=identity)


def track(device_id: str, *seconds_ago: float, tenant: str = "", **fields: Any) -> str:
    """Points of a device so many seconds ago, a second by default, as a worker keeps them; the job's id."""
    now = datetime.now(UTC)
    given = {"lat": 46.5, "lon": 7.25} | fields
    rows = [read_point({"device_id": device_id, "time": now.timestamp() - ago, **given}) for ago in seconds_ago or (1,)]
    job = new_id()
    with transaction.atomic():
        points.save_points([points.Chunk(job, tenant, "live", now, rows)])
    return job


def lose(kind: str = "empty", **counts: int) -> RedisLoss:
    """A loss of Redis as maintenance writes it down: how many jobs it held, by state, and `missing`."""
    now = datetime.now(UTC)
    held = dict.fromkeys(("waiting", "scheduled", "started", "failed", "trash", "missing"), 0) | counts
    return RedisLoss.objects.create(kind=kind, detected_at=now, mirrored_at=now, **held)


def worker(client: redis.Redis, name: str, *, queues: str = "critical,high,medium,low", **fields: Any) -> None:
    """A worker as Redis knows it; `silent`: seconds since it was heard of."""
    seconds, _ = client.time()
    beat = seconds - fields.pop("silent", 0)
    written = datetime.fromtimestamp(beat, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    client.sadd(keys.WORKERS, keys.worker(name))
    client.hset(keys.worker(name), mapping={"queues": queues, "last_heartbeat": written, "state": "idle", **fields})


class Jobs:
    """Puts jobs where a test wants them."""

    def __init__(self, client: redis.Redis) -> None:
        self.transitions = Transitions(client)
        self.numbers = itertools.count(1)

    def enqueue(
        self,
        count: int = 1,
        *,
        queue: str = "high",
        retries: tuple[float, ...] = (),
        result_ttl: int = 0,
        **fields: str,
    ) -> list[str]:
        """Their ids, in the queue's order."""
        jobs = [replace(self._job(queue, retries, fields), result_ttl=result_ttl) for _ in range(count)]
        assert all(result.outcome == "queued" for result in self.transitions.enqueue(jobs))
        return [job.id for job in jobs]

    def start(self, *, queue: str = "high", limit: int = 100, lease: float = 30) -> str:
        """Claim what waits in a queue; the claim's id."""
        claim = self.transitions.claim(WORKER, [queue], claim_id=new_id(), limit=limit, lease=lease)
        assert claim is not None
        self.claimed = [job.id for job in claim.jobs]
        return claim.id

    def fail(self, count: int = 1, *, queue: str = "high", reason: str = "error", **fields: str) -> list[str]:
        """Dead letters, by the way that a worker makes them."""
        ids = self.enqueue(count, queue=queue, **fields)
        while ids_left := self.transitions.claim(WORKER, [queue], claim_id=new_id(), limit=100, lease=30):
            failures = [self.failure(job.id, reason=reason) for job in ids_left.jobs]
            self.transitions.fail(queue, ids_left.id, WORKER, failures)
        return ids

    @staticmethod
    def failure(job_id: str, *, reason: str = "error", retry: bool = False) -> Failure:
        return Failure(
            job_id=job_id,
            error="Traceback (most recent call last):\nValueError: no such device",
            reason=reason,
            retry=retry,
            error_type="ValueError",
            message="no such device",
        )

    def _job(self, queue: str, retries: tuple[float, ...], fields: dict[str, str]) -> NewJob:
        number = next(self.numbers)
        job_id = f"{number:032x}"
        received_at = datetime.now(UTC)
        source, tenant = fields.get("source", "test"), fields.get("tenant", "")
        body = fields.get("body", f'{{"title":"Problem {number}"}}').encode()
        event_id = fields.get("event_id", f"client-{number}")
        data = encode(Payload(job_id, "alert", received_at, queue, source, tenant, event_id, body))
        return NewJob(
            id=job_id,
            queue=queue,
            data=data,
            kind="alert",
            source=source,
            tenant=tenant,
            event_id=event_id,
            received_at=received_at,
            retry_delays=retries,
        )


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Each test is a process that never saw Redis before."""
    metrics.forget()
    yield
    metrics.forget()


@pytest.fixture
def jobs(empty_redis: redis.Redis) -> Jobs:
    return Jobs(empty_redis)


@pytest.fixture
def no_redis(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis is away: nothing listens where the settings point. It is tried as often as ever, without the waits."""
    connections.close_connections()
    monkeypatch.setattr(connections, "ExponentialWithJitterBackoff", lambda **_: NoBackoff())
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    yield
    connections.close_connections()


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(name: str, group: str | None = None, *, superuser: bool = False) -> User:
        user = User.objects.create(username=name, is_superuser=superuser)
        if group:
            user.groups.add(Group.objects.get_or_create(name=group)[0])
        return user

    return make


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Call it with True and the audit log's table is away, with False and it is back."""
    save = AuditEntry.save

    def refuse(self: AuditEntry, **kwargs: Any) -> None:
        raise OperationalError("no database")

    def switch(away: bool) -> None:
        monkeypatch.setattr(AuditEntry, "save", refuse if away else save)

    return switch
