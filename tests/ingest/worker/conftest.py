"""A burst worker in this process, over the shared Valkey and a real database; and real workers beside it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django_rq
import msgspec
import pytest
import redis
from django.db import connection
from rq.job import Job
from rq.serializers import JSONSerializer

from ingest.kinds import KINDS, Context, Kind
from ingest.queue import keys
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import NewJob, Transitions, new_id
from ingest.worker import BatchWorker
from tests.conftest import Valkey, wait_until
from tests.programs import Program, Start
from tests.workshop.kinds import KINDS as WORKSHOP_KINDS

QUEUES = ("critical", "high", "medium", "low")


class Work:
    """Puts events into the queue and works them off."""

    def __init__(self, client: redis.Redis) -> None:
        self.redis = client
        self.transitions = Transitions(client)

    def put(self, *events: dict[str, Any], queue: str = "high", **job: Any) -> list[str]:
        """Enqueue events as acceptance does; return their ids."""
        jobs = []
        kind = KINDS.get(job.get("kind", "alert"))
        as_kind = {"mode": kind.mode, "result_ttl": kind.result_ttl, "dead_letters": kind.dead_letters} if kind else {}
        for event in events:
            job_id = new_id()
            payload = Payload(
                id=job_id,
                kind=job.get("kind", "alert"),
                received_at=datetime.now(UTC),
                priority=queue,
                source="test",
                tenant="",
                event_id=None,
                body=msgspec.json.encode(event),
            )
            defaults = {"data": encode(payload), "kind": "alert", "retry_delays": (0, 0, 0), **as_kind}
            jobs.append(NewJob(**{"id": job_id, "queue": queue, **defaults, **job}))
        assert all(result.accepted for result in self.transitions.enqueue(jobs))
        return [new.id for new in jobs]

    def worker(self, *queues: str) -> BatchWorker:
        worker = django_rq.get_worker(*(queues or QUEUES))
        assert isinstance(worker, BatchWorker)
        for kind in KINDS:
            worker._pace.ran(kind, 1000, 0.1)  # as a worker knows them that has run for a while
        return worker

    def off(self, *queues: str) -> BatchWorker:
        """Run until the queues are empty."""
        worker = self.worker(*queues)
        worker.work(burst=True)
        return worker

    def field(self, job_id: str, name: str) -> str | None:
        value = self.redis.hget(keys.job(job_id), name)
        return value.decode() if value is not None else None

    def count(self, name: str, queue: str = "high") -> int:
        return int(self.redis.hget(keys.counters(queue), name) or 0)

    def waiting(self, queue: str = "high") -> list[str]:
        return [job_id.decode() for job_id in self.redis.lrange(keys.queue(queue), 0, -1)]

    def result(self, job_id: str) -> Any:
        """What the handler returned."""
        return Job.fetch(job_id, connection=self.redis, serializer=JSONSerializer).return_value()

    def log(self, job_id: str) -> list[str]:
        return [line.decode() for line in self.redis.lrange(keys.log(job_id), 0, -1)]

    def started(self, queue: str = "high") -> int:
        return int(self.redis.zcard(keys.started(queue)))

    def dead(self, queue: str = "high") -> list[str]:
        return [job_id.decode() for job_id in self.redis.zrange(keys.failed(queue), 0, -1)]


@pytest.fixture
def work(empty_redis: redis.Redis, transactional_db: None) -> Iterator[Work]:
    yield Work(empty_redis)
    connection.close()


class Shop:
    """Real processes with the workshop's kinds, over a Valkey and a home of their own."""

    def __init__(self, client: redis.Redis, valkey: Valkey, home: Path, start: Start) -> None:
        self.work = Work(client)
        self.redis = client
        self.valkey = valkey
        self._home = home
        self._start = start

    def start(self, *command: str, **settings: str) -> Program:
        return self._start(*command, **{"DJANGO_SETTINGS_MODULE": "tests.workshop.settings", **settings})

    def worker(self, *options: str, **settings: str) -> Program:
        """`manage.py rqworker` on all queues; returns when it is registered."""
        before = self.redis.scard(keys.WORKERS)
        program = self.start("rqworker", *QUEUES, *options, **settings)
        wait_until(lambda: self.redis.scard(keys.WORKERS) > before, what="the worker's start")
        return program

    def name(self) -> str:
        """Of the one worker."""
        (key,) = self.redis.smembers(keys.WORKERS)
        return key.decode().removeprefix(keys.worker(""))

    def put(self, kind: str, *events: dict[str, Any], **job: Any) -> list[str]:
        return self.work.put(*(events or ({},)), kind=kind, **job)

    def effects(self, what: str = "") -> list[tuple[str, int, int]]:
        """(kind, the event's n, pid) of what handlers have written, in order."""
        log = self._home / "effects.log"
        lines = [line.split(maxsplit=3) for line in (log.read_text() if log.exists() else "").splitlines()]
        return [(kind, int(number), int(pid)) for kind, number, pid, said in lines if said == what or not what]

    def completed(self, number: int, queue: str = "high") -> None:
        wait_until(lambda: self.work.count("completed", queue) >= number, what=f"{number} completions")


@pytest.fixture
def shop(own_valkey: Valkey, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for kind in WORKSHOP_KINDS:
        monkeypatch.setitem(KINDS, kind.name, kind)
    with redis.Redis.from_url(own_valkey.url) as client:
        yield Shop(client, own_valkey, tmp_path, start)


@pytest.fixture
def effect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kind]:
    """Register an effect handler's kind, `mail`, for one test."""

    def register(handler: Callable[[Payload, Context], Any], **fields: Any) -> Kind:
        kind = Kind(name="mail", validate=lambda event: None, handler=handler, batch=False, **fields)
        monkeypatch.setitem(KINDS, "mail", kind)
        return kind

    return register


@pytest.fixture
def handle_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the alert's handler (and other fields of its kind) for one test."""

    def replace(handler: Callable[[Sequence[Payload]], None], **fields: Any) -> None:
        alert = KINDS["alert"]
        monkeypatch.setitem(KINDS, "alert", Kind(name="alert", validate=alert.validate, handler=handler, **fields))

    return replace
