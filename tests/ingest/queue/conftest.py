"""What the tests of the queue share: the smallest valid job, and where a job is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from ingest.queue import keys, payload
from ingest.queue.transitions import Claim, NewJob, Transitions, new_id

RECEIVED_AT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)


def make_payload(**changes: Any) -> payload.Payload:
    values: dict[str, Any] = {
        "id": new_id(),
        "kind": "alert",
        "received_at": RECEIVED_AT,
        "priority": "high",
        "source": "prometheus",
        "tenant": "acme",
        "event_id": "client-1",
        "body": b'{"title":"disk full","n":12345678901234567890}',
    }
    return payload.Payload(**(values | changes))


def make_job(**changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": new_id(),
        "queue": "high",
        "kind": "alert",
        "source": "prometheus",
        "tenant": "acme",
        "event_id": "client-1",
        "received_at": RECEIVED_AT,
    }
    values |= changes
    if "data" not in values:
        values["data"] = payload.encode(make_payload(id=values["id"], priority=values["queue"]))
    return NewJob(**values)


class Queue:
    """The transitions with a worker's part filled in, and plain looks at what is in Redis."""

    def __init__(self, connection: redis.Redis) -> None:
        self.redis = connection
        self.transitions = Transitions(connection)

    def add(self, **changes: Any) -> str:
        job = make_job(**changes)
        (result,) = self.transitions.enqueue([job])
        assert result.accepted
        return job.id

    def claim(self, *queues: str, limit: int = 100, lease: float = 30, worker: str = "w1") -> Claim:
        """What waits must be there."""
        claim = self.transitions.claim(worker, queues or ("high",), claim_id=new_id(), limit=limit, lease=lease)
        assert claim is not None
        return claim

    def lapsed(self, *queues: str, **more: Any) -> Claim:
        """A claim whose lease is over as soon as it is taken."""
        return self.claim(*queues, lease=-1, **more)

    def hash(self, job_id: str) -> dict[str, str]:
        found = self.redis.hgetall(keys.job(job_id))
        return {name.decode(): value.decode(errors="replace") for name, value in found.items()}

    def places(self, job_id: str, *queues: str) -> list[str]:
        """Every place that holds the job, once for each time it is there."""
        found = []
        for queue in queues or ("critical", "high"):
            lists = [keys.queue(queue)]
            lists += [keys.parked_jobs(queue, bucket.decode()) for bucket in self.redis.hkeys(keys.parked(queue))]
            entries = sum([i.decode() for i in self.redis.lrange(name, 0, -1)].count(job_id) for name in lists)
            found += ["queued"] * (entries - self.redis.sismember(keys.tombstones(queue), job_id))
            found += ["queued"] * (self.redis.zscore(keys.behind(queue), job_id) is not None)
            members = [m.decode().rpartition(":")[0] for m in self.redis.zrange(keys.started(queue), 0, -1)]
            found += ["started"] * members.count(job_id)
            for place, key in (
                ("scheduled", keys.scheduled(queue)),
                ("failed", keys.failed(queue)),
                ("finished", keys.finished(queue)),
                ("trash", keys.trash(queue)),
                ("canceled", keys.canceled(queue)),
            ):
                if self.redis.zscore(key, job_id) is not None:
                    found.append(place)
        return found

    def counters(self, queue: str = "high") -> dict[str, int]:
        return {name.decode(): int(value) for name, value in self.redis.hgetall(keys.counters(queue)).items()}

    def waiting(self, queue: str = "high") -> int:
        """How many jobs of the queue wait, as the console counts them."""
        parked = sum(int(number) for number in self.redis.hvals(keys.parked(queue)))
        return self.redis.llen(keys.queue(queue)) - self.redis.scard(keys.tombstones(queue)) + parked

    def rings(self) -> bool:
        """Whether the bell rings; it is silent afterwards."""
        return bool(self.redis.delete(keys.BELL))


@pytest.fixture
def queue(empty_redis: redis.Redis) -> Queue:
    return Queue(empty_redis)


@pytest.fixture
def everything(empty_redis: redis.Redis) -> Callable[[], dict[bytes, bytes]]:
    """All of Redis but the clock, to see that a call changed nothing."""
    return lambda: {key: empty_redis.dump(key) for key in empty_redis.scan_iter()}
