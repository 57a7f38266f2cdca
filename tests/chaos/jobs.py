"""Where a product keeps the jobs that are not done: in Redis, or with REDIS=false in the spool."""

import json
from typing import Any, Final, Protocol

import redis

from ingest.queue import keys
from ingest.queue.payload import body_of
from tests.chaos.conservation import unbalanced
from tests.chaos.databases import Database

QUEUES: Final = ("critical", "high", "medium", "low")


class Jobs(Protocol):
    """Looks from outside. The methods raise the store's errors."""

    def started(self) -> int:
        """How many run."""

    def unfinished(self) -> int:
        """How many are still to be worked off, at one instant: between two looks one may move to another place."""

    def dead_letters(self, source: str) -> list[str]:
        """The names of this source's events that failed for good."""

    def unbalanced(self) -> list[str]:
        """What does not add up, a sentence each."""

    def looked_up(self, job_id: str) -> str:
        """What is known of a job, for whoever looks for the reason."""


def name_of(event_id: str | None, body: bytes | str | None) -> str:
    """The name of an event in the ledger: the id that its sender gave it, or its `n`."""
    if event_id is not None or not body:
        return event_id or ""
    event: dict[str, Any] = json.loads(body)
    return str(event["n"])


class InRedis:
    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def started(self) -> int:
        return sum(int(self._client.zcard(keys.started(queue))) for queue in QUEUES)

    def unfinished(self) -> int:
        pipeline = self._client.pipeline(transaction=True)
        for queue in QUEUES:
            pipeline.llen(keys.queue(queue))
            pipeline.scard(keys.tombstones(queue))
            pipeline.hvals(keys.parked(queue))
            pipeline.zcard(keys.started(queue))
            pipeline.zcard(keys.scheduled(queue))
        found = iter(pipeline.execute())
        return sum(
            waiting - tombstones + sum(map(int, parked)) + started + scheduled
            for waiting, tombstones, parked, started, scheduled in zip(*[found] * 5, strict=True)
        )

    def dead_letters(self, source: str) -> list[str]:
        found = []
        for queue in QUEUES:
            for job_id in self._client.zrange(keys.failed(queue), 0, -1):
                whose, event_id, data = self._client.hmget(
                    keys.job(job_id.decode()), keys.SOURCE, keys.EVENT_ID, "data"
                )
                if whose == source.encode():
                    found.append(name_of(event_id.decode() if event_id else None, body_of(data or b"")))
        return found

    def unbalanced(self) -> list[str]:
        return [sentence for queue in QUEUES for sentence in unbalanced(self._client, queue)]

    def looked_up(self, job_id: str) -> str:
        names = ("status", "reason", "error_type", "error_message", "attempts", "crashes")
        values = self._client.hmget(keys.job(job_id), names)
        known = {name: value.decode() for name, value in zip(names, values, strict=True) if value is not None}
        return ", ".join(f"{name} {value}" for name, value in known.items()) or "no such job in Redis"


class InSpool:
    def __init__(self, database: Database) -> None:
        self._database = database

    def started(self) -> int:
        return self._count("state = 'started'")

    def unfinished(self) -> int:
        return self._count("state IN ('spooled', 'started', 'retrying')")

    def dead_letters(self, source: str) -> list[str]:
        rows = self._database.read(
            "SELECT event_id, data FROM ingest_spooledevent WHERE state = 'failed' AND source = %s", source
        )
        return [name_of(event_id, body_of(bytes(data))) for event_id, data in rows]

    def unbalanced(self) -> list[str]:
        return []

    def looked_up(self, job_id: str) -> str:
        query = (
            "SELECT state, reason, error_type, error_message, attempts, crashes FROM ingest_spooledevent WHERE id = %s"
        )
        return "; ".join(str(row) for row in self._database.read(query, job_id)) or "no such job in the spool"

    def _count(self, condition: str) -> int:
        query = f"SELECT COUNT(*) FROM ingest_spooledevent WHERE {condition}"  # noqa: S608 - of this class
        return int(self._database.read(query)[0][0])
