"""Replays stepped by hand, with a worker that does as it is told."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from ingest.models import Event
from ingest.queue import keys
from ingest.queue.transitions import Failure, new_id
from queueadmin.console import operations
from queueadmin.console.filters import parse
from queueadmin.console.models import Replay
from queueadmin.console.replays import Options, engine
from queueadmin.console.replays.engine import Engine
from tests.console.conftest import WORKER, Jobs

#: At once, and nothing stops it.
FAST = {"canary": 0, "ramp": (0,), "stop_percent": None, "stop_new_errors": 0, "stop_wait": False}


class Stage:
    """Redis, the leader's engine, and a worker."""

    def __init__(self, client: redis.Redis, jobs: Jobs) -> None:
        self.redis, self.jobs = client, jobs
        self.seconds = 0.0
        self.restart()
        #: Ids in the order of their executions.
        self.ran: list[str] = []

    def start(self, words: str = "", *, kind: str = "retry", reason: str = "fixed", **more: Any) -> Replay:
        options = Options(**{**FAST, **{name: more.pop(name) for name in list(more) if name in FAST}})
        return operations.start_replay(
            parse(words), kind=Replay.Kind(kind), options=options, actor="ada", reason=reason, **more
        ).replay

    def restart(self) -> None:
        """Another process leads."""
        self.engine = Engine(self.redis, lambda: self.seconds)

    def step(self, replay: Replay) -> Replay:
        """A second later."""
        self.seconds += 1
        self.engine.step()
        replay.refresh_from_db()
        return replay

    def work(self, *, fails: Iterable[str] = (), error: str = "ValueError", queue: str = "high") -> list[str]:
        """Run all that waits; those named fail."""
        ran: list[str] = []
        failing = set(fails)
        while claim := self.jobs.transitions.claim(WORKER, [queue], claim_id=new_id(), limit=100, lease=30):
            ids = [job.id for job in claim.jobs]
            ran += ids
            done = [job_id for job_id in ids if job_id not in failing]
            self.processed(done, queue)
            self.jobs.transitions.complete(queue, claim.id, WORKER, done)
            failures = [
                Failure(job_id, "Traceback", retry=True, error_type=error, message="no such device")
                for job_id in ids
                if job_id in failing
            ]
            if failures:
                self.jobs.transitions.fail(queue, claim.id, WORKER, failures)
        self.ran += ran
        return ran

    @staticmethod
    def processed(ids: Iterable[str], queue: str = "high") -> None:
        """A worker's rows of events that are done."""
        now = datetime.now(UTC)
        Event.objects.bulk_create(
            [Event(id=i, received_at=now, kind="alert", priority=queue, body="{}", processed_at=now) for i in ids]
        )

    def dead(self, queue: str = "high") -> list[str]:
        return [job_id.decode() for job_id in self.redis.zrange(keys.failed(queue), 0, -1)]


@pytest.fixture
def stage(empty_redis: redis.Redis, jobs: Jobs) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patched:
        # In half a second a busy machine releases a part of what a test takes for gone.
        patched.setattr(engine, "TURN", 60.0)
        yield Stage(empty_redis, jobs)
