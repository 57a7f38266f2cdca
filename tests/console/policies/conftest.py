"""Dead letters of chosen ages, their index, and policies that are in force."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console.failures import Indexer
from queueadmin.console.models import Failure, FailureGroup, RetentionPolicy
from queueadmin.console.policies.applying import Policies
from queueadmin.console.policies.due import Due, Entry
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import fail


class Shelf:
    """Redis, the index, and the leader's step for policies."""

    def __init__(self, client: redis.Redis, jobs: Jobs) -> None:
        self.redis, self.jobs, self.seconds = client, jobs, 0.0
        self.indexer = Indexer(client, lambda: True)
        self.policies = Policies(client, lambda: self.seconds)

    def fail(self, *days: float, message: str = "no such device", **more: Any) -> list[str]:
        """Dead letters of one cause that failed so many days ago, as the index has them."""
        ids = fail(self.jobs, len(days), message=message, **more)
        self.age(ids, *days)
        return ids

    def age(self, ids: list[str], *days: float) -> None:
        self.indexer.step()
        for job_id, ago in zip(ids, days, strict=True):
            Failure.objects.filter(job_id=job_id).update(failed_at=self.now - timedelta(days=ago))
        self._count()

    def _count(self) -> None:
        for group in FailureGroup.objects.all():
            group.count = Failure.objects.filter(fingerprint=group.pk).count()
            group.save()

    def keep(self, days: int | None = None, count: int | None = None, group: str = "", **more: Any) -> RetentionPolicy:
        """A policy whose notice is over."""
        at = self.now - timedelta(days=2)
        return RetentionPolicy.objects.create(
            **{"fingerprint": group, "keep_days": days, "keep_count": count, "set_by": "ada", "set_at": at}
            | {"reason": "nobody looks", "starts_at": at + timedelta(days=1)}
            | more
        )

    def group_of(self, job_id: str) -> str:
        return Failure.objects.get(job_id=job_id).fingerprint

    def due(self, policy: RetentionPolicy, at: datetime) -> list[Entry]:
        """What goes at that moment, in one round."""
        return Due(self.redis, policy, at, lambda: 0).round()

    def step(self) -> None:
        """Ten minutes later."""
        self.seconds += 600
        self.policies.step()

    def dead(self, queue: str = "high") -> set[str]:
        return {job_id.decode() for job_id in self.redis.zrange(keys.failed(queue), 0, -1)}

    @property
    def now(self) -> datetime:
        return server_time(self.redis)


@pytest.fixture
def shelf(empty_redis: redis.Redis, jobs: Jobs) -> Shelf:
    return Shelf(empty_redis, jobs)
