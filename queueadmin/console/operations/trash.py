"""The trash of a queue, emptied for good: only by somebody who types the queue's name and says why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import redis

from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.queue.connections import connection
from ingest.queue.transitions import Transitions
from ingest.reading.cursors import oldest
from queueadmin.console.audit import audited
from queueadmin.console.operations.naming import known
from queueadmin.console.operations.reasons import ReasonNeeded
from queueadmin.console.words import jobs

#: Jobs that go at one press, the longest in the trash first: some seconds.
MOST_PURGED: Final = 100_000
#: Of these so many are read at once.
_PAGE: Final = 500


class WrongName(ValueError):
    """What was typed is not the queue's name. Nothing was done."""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """How many jobs are gone for good, and how many of those that were in the trash then are left."""

    queue: str
    gone: int
    left: int = 0

    @property
    def sentence(self) -> str:
        if not self.gone:
            return f"Nothing is in the trash of {self.queue}; nothing was changed."
        more = f" {jobs(self.left)} more are there: press again." if self.left else ""
        return f"{jobs(self.gone)} of the trash of {self.queue} deleted for good.{more}"


def purge_trash(queue: str, *, typed: str, actor: str, reason: str, counted_at: datetime | None = None) -> PurgeResult:
    """Delete what is in the queue's trash now, up to MOST_PURGED jobs; what is discarded later stays.

    `counted_at`, by Redis' clock: when whoever presses was told how many; what somebody discarded since stays too.

    Raises ValueError for an unknown queue, WrongName, ReasonNeeded, redis.RedisError when Redis is away and
    AuditUnavailable when it and the database are.
    """
    if typed.strip() != known(queue):
        raise WrongName(f"Type {queue} to delete what is in its trash. Nothing was deleted.")
    client = connection()
    seconds, micros = client.time()
    now = seconds + micros / 1e6
    if counted_at is not None:
        now = min(now, counted_at.timestamp())
    count = int(client.zcount(keys.trash(queue), "-inf", now))
    if count and not reason.strip():
        raise ReasonNeeded(f"{jobs(count)} would be deleted for good; say why.", count)
    with audited(actor=actor, action="purge", target=queue, count=count, reason=reason, in_redis=True) as outcome:
        transitions = Transitions(client)
        gone = looked_at = 0
        while looked_at < MOST_PURGED and (page := _oldest(client, queue, now)):
            looked_at += len(page)
            for chunk in chunks(page):
                scores = dict(chunk)
                gone += len(transitions.purge(queue, scores, scores=scores))
                outcome.count, outcome.sentence = gone, PurgeResult(queue, gone).sentence
        # Counted anew: what somebody brings back meanwhile is there no more.
        result = PurgeResult(queue, gone, int(client.zcount(keys.trash(queue), "-inf", now)))
        outcome.count, outcome.sentence = gone, result.sentence
    return result


def _oldest(client: redis.Redis, queue: str, now: float) -> list[tuple[str, float]]:
    return [(job_id, at) for job_id, at in oldest(client, keys.trash(queue), None, _PAGE) if at <= now]
