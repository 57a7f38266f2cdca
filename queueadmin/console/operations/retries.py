"""Dead letters back into their queues."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.batching import CHUNK, chunks
from ingest.queue.connections import NeedsRedis, connection, server_time
from ingest.queue.transitions import Transitions
from ingest.reading.fields import pipelined, text
from ingest.spool import reading
from queueadmin.console.audit import audited
from queueadmin.console.dead_letters import left_out
from queueadmin.console.dead_letters.ahead import ahead
from queueadmin.console.dead_letters.left_out import Why, why_left
from queueadmin.console.operations import spooled
from queueadmin.console.operations.moving import MoveResult, move_jobs
from queueadmin.console.operations.naming import known
from queueadmin.console.words import jobs, joined


@dataclass(frozen=True, slots=True)
class RetryAllResult:
    """How many dead letters went back to their queues, and how many were left out, being poison or marked permanent."""

    moved: int
    poison: int
    permanent: int = 0

    @property
    def sentence(self) -> str:
        parts = [f"{jobs(self.moved)} put back into the queue"] if self.moved else []
        if left := left_out.told(self.poison, self.permanent):
            parts.append(left)
        return joined(parts) if parts else "There was no dead letter to retry."


def retry(ids: Sequence[str], *, to: str | None = None, actor: str, reason: str = "", of: str = "") -> MoveResult:
    """Put these dead letters back into their queues, or into the queue `to`, with all their retries.

    Raises ValueError for an unknown queue, redis.RedisError when Redis is away, AuditUnavailable when the
    database is.
    """
    if to is not None:
        known(to)
    if not settings.REDIS or (to is None and spooled.hold(ids)):
        if to is not None:
            raise NeedsRedis
        return spooled.retry(ids, actor=actor, reason=reason)
    return move_jobs(
        ids,
        actor=actor,
        action="retry",
        done="put back into the queue" if to is None else f"put into {to}",
        reason=reason,
        of=of,
        step=lambda transitions, name, chunk, _: transitions.requeue(name, chunk, to=to, by=actor),
    )


def retry_all(
    *,
    actor: str,
    queue: str | None = None,
    include_poison: bool = False,
    include_permanent: bool = False,
    reason: str = "",
) -> RetryAllResult:
    """Retry every dead letter that failed before this call, of one queue or of all.

    Those that fail again meanwhile stay dead. Raises ValueError for an unknown queue,
    redis.RedisError when Redis is away, AuditUnavailable when the database is.
    """
    names = [known(queue)] if queue is not None else list(settings.PRIORITIES)
    if not settings.REDIS:
        return _retry_all_spooled(names, queue or "all", actor, reason, include_poison)
    client = connection()
    asked = sum(client.zcard(keys.failed(name)) for name in names)
    with audited(actor=actor, action="retry_all", target=queue or "all", count=asked, reason=reason) as outcome:
        pressed = server_time(client)
        transitions = Transitions(client)
        moved = 0
        whys: Counter[Why] = Counter()
        for name in names:
            left: set[str] = set()
            for chunk in _failed_before(client, name, pressed, left):
                why = _why_left(client, list(chunk), include_poison=include_poison, include_permanent=include_permanent)
                whys.update(why.values())
                left.update(why)
                chosen = [job_id for job_id in chunk if job_id not in why]
                moved += len(transitions.requeue(name, chosen, by=actor, scores=chunk)) if chosen else 0
                outcome.count = moved
                outcome.sentence = RetryAllResult(moved, whys["poison"], whys["permanent"]).sentence
        # Those of a time with REDIS=false; they go on into Redis by themselves.
        spooled_moved, spooled_poison = spooled.retry_all(names, include_poison=include_poison)
        result = RetryAllResult(moved + spooled_moved, whys["poison"] + spooled_poison, whys["permanent"])
        outcome.count, outcome.sentence = result.moved, result.sentence
    return result


def _retry_all_spooled(
    names: Sequence[str], target: str, actor: str, reason: str, include_poison: bool
) -> RetryAllResult:
    asked = reading.dead_letters(names).count()
    with audited(actor=actor, action="retry_all", target=target, count=asked, reason=reason) as outcome:
        result = RetryAllResult(*spooled.retry_all(names, include_poison=include_poison))
        outcome.count, outcome.sentence = result.moved, result.sentence
    return result


def _failed_before(client: redis.Redis, name: str, pressed: datetime, left: set[str]) -> Iterator[dict[str, float]]:
    """Chunks of dead letters, with their scores, that failed before `pressed`, oldest first, each once; then those that
    lie ahead of it.

    The caller moves what it is given or adds it to `left`; what stays is skipped by its rank.
    """
    highest = f"({pressed.timestamp() + keys.SCORE_OFFSET:.6f}"
    beyond = [(job_id, score) for _, job_id, score in ahead(client, [name], now=pressed)]
    seen: set[str] = set()
    skip = 0
    while found := _scores(client.zrangebyscore(keys.failed(name), "-inf", highest, skip, CHUNK, withscores=True)):
        fresh = {job_id: score for job_id, score in found.items() if job_id not in seen}
        seen.update(fresh)
        if fresh:
            yield fresh
        skip += len(found) - len(fresh) + sum(job_id in left for job_id in fresh)
    for some in chunks([(job_id, score) for job_id, score in reversed(beyond) if job_id not in seen]):
        yield dict(some)


def _scores(found: Any) -> dict[str, float]:
    return {text(member): float(score) for member, score in found}


def _why_left(client: redis.Redis, ids: Sequence[str], **include: bool) -> dict[str, Why]:
    """Those of these that are left out."""
    told = pipelined(client, "hmget", [keys.job(job_id) for job_id in ids], (keys.REASON, keys.PERMANENT))
    whys = (why_left(text(reason), permanent=bool(permanent), **include) for reason, permanent in told)
    return {job_id: why for job_id, why in zip(ids, whys, strict=True) if why}
