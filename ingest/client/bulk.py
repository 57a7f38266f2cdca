"""Many jobs moved at once, in calls of a hundred, so that nobody waits long behind one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from ingest.client import calling
from ingest.client.errors import changes
from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.queue.transitions import CHUNK
from ingest.reading.cursors import oldest
from ingest.reading.fields import kind as kind_of
from ingest.reading.fields import pipelined, text

#: What a dead letter can be chosen by: fields of its hash.
_CHOSEN_BY: Final = (keys.KIND, keys.SOURCE, keys.TENANT, keys.REASON, keys.ERROR_TYPE)
#: A job that killed its worker three times.
_POISON: Final = "poison"


#: Jobs of one script call go into the trash a microsecond after one another, so that their order is kept.
_LAST_CALL: Final = CHUNK / 1e6


@dataclass(frozen=True, slots=True)
class Cleared:
    """What `clear` moved to the trash; `undo_clear` takes it back."""

    queue: str
    jobs: int
    by: str
    #: By Redis' clock, in Unix time.
    began_at: float
    ended_at: float


@changes
def retry_dead(
    *,
    queue: str | None = None,
    kind: str | None = None,
    source: str | None = None,
    tenant: str | None = None,
    reason: str | None = None,
    error_type: str | None = None,
    include_poison: bool = False,
    include_permanent: bool = False,
    by: str = "",
) -> int:
    """All dead letters of now, or those that match, back to the ends of their queues with all their retries again.

    Jobs that crashed their worker three times are left, unless asked for: each would take a worker down. So are those
    that somebody marked permanent. Those that fail again meanwhile stay dead. Returns how many really moved. Raises
    ValueError for an unknown queue or kind.
    """
    wanted = _wanted(kind, source, tenant, reason, error_type)
    include_poison = include_poison or reason == _POISON
    who, run = calling.actor(by), calling.transitions()
    return _each_dead(
        calling.queues(queue),
        wanted,
        include_poison,
        include_permanent,
        None,
        lambda name, scores: run.requeue(name, scores, by=who, scores=scores),
    )


@changes
def remove_dead(
    *,
    older_than: float = 0.0,
    queue: str | None = None,
    kind: str | None = None,
    source: str | None = None,
    tenant: str | None = None,
    reason: str | None = None,
    error_type: str | None = None,
    by: str = "",
) -> int:
    """Dead letters that failed over so many seconds ago, all or those that match, into the trash for 24 hours.

    Returns how many really moved. Raises ValueError for an unknown queue or kind, or a negative age.
    """
    wanted = _wanted(kind, source, tenant, reason, error_type)
    who, run = calling.actor(by), calling.transitions()
    return _each_dead(
        calling.queues(queue),
        wanted,
        True,
        True,
        _age(older_than),
        lambda name, scores: run.discard(name, scores, by=who, scores=scores),
    )


@changes
def clear(queue: str, *, by: str = "") -> Cleared:
    """All that waits in the queue now into the trash, for 24 hours; what comes meanwhile stays. See `undo_clear`."""
    name, who = calling.queue(queue), calling.actor(by)
    client, run = calling.writer(), calling.transitions()
    began_at = server_time(client).timestamp()
    moved, more = 0, True
    while more:
        emptied = run.empty(name, before=began_at, by=who)
        moved, more = moved + emptied.moved, emptied.more
    return Cleared(name, moved, who, began_at, server_time(client).timestamp() + _LAST_CALL)


@changes
def undo_clear(cleared: Cleared) -> int:
    """What was cleared, back to the end of its queue in its order; returns how many jobs came back.

    What the same `by` removed from that queue one by one while it was being cleared comes back too.
    """
    client, run = calling.writer(), calling.transitions()
    trash = keys.trash(cleared.queue)
    restored = stays = 0
    while True:
        ids = [text(i) for i in client.zrangebyscore(trash, cleared.began_at, cleared.ended_at, start=stays, num=CHUNK)]
        hashes = pipelined(client, "hmget", [keys.job(i) for i in ids], keys.MOVED_BY, keys.TRASHED_FROM)
        chosen = [
            job_id
            for job_id, (by, place) in zip(ids, hashes, strict=True)
            if (text(by), text(place)) == (cleared.by, "queued")
        ]
        moved = run.restore(cleared.queue, chosen, by=cleared.by) if chosen else []
        restored += len(moved)
        stays += len(ids) - len(moved)
        if len(ids) < CHUNK:
            return restored


@changes
def clear_completed(older_than: float = 0.0, *, queue: str | None = None) -> int:
    """Delete the stored results of jobs that completed over so many seconds ago; returns how many.

    Their events' rows stay: those go by the retention of their kind. Raises ValueError for a negative age.
    """
    client, run = calling.writer(), calling.transitions()
    before = server_time(client).timestamp() - _age(older_than)
    gone = 0
    for name in calling.queues(queue):
        # At most 1,000 are kept.
        gone += len(run.forget(name, [text(i) for i in client.zrange(keys.finished(name), 0, -1)], before=before))
    return gone


def _wanted(*values: str | None) -> dict[str, str]:
    """By field of the hash, what a dead letter must have there. Raises ValueError for an unknown kind."""
    wanted = {field: value for field, value in zip(_CHOSEN_BY, values, strict=True) if value is not None}
    if keys.KIND in wanted:
        calling.kind(wanted[keys.KIND])
    return wanted


def _age(seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"older_than must be a number of seconds from 0 on, not {seconds}")
    return seconds


def _each_dead(
    queues: Sequence[str],
    wanted: dict[str, str],
    include_poison: bool,
    include_permanent: bool,
    older_than: float | None,
    step: Callable[[str, dict[str, float]], list[str]],
) -> int:
    """Give `step` the dead letters that match, with their scores, in chunks; returns how many it moved."""
    client = calling.writer()
    before = server_time(client).timestamp() - (older_than or 0)
    moved = 0
    for name in queues:
        for chunk in _chunks(client, name, before):
            found = _matching(client, list(chunk), wanted, include_poison, include_permanent)
            chosen = {job_id: chunk[job_id] for job_id in found}
            moved += len(step(name, chosen)) if chosen else 0
    return moved


def _chunks(client: redis.Redis, name: str, before: float) -> Iterator[dict[str, float]]:
    """The dead letters that failed before that time, oldest first, each once, whatever becomes of them meanwhile.

    By id their scores.
    """
    place = None
    while found := oldest(client, keys.failed(name), place, CHUNK):
        chunk = {job_id: score for job_id, score in found if score < before + keys.SCORE_OFFSET}
        if chunk:
            yield chunk
        if len(chunk) < len(found):
            return
        job_id, score = found[-1]
        place = (score, job_id)


def _matching(
    client: redis.Redis, ids: Sequence[str], wanted: dict[str, str], include_poison: bool, include_permanent: bool
) -> Iterator[str]:
    hashes = pipelined(client, "hmget", [keys.job(job_id) for job_id in ids], *_CHOSEN_BY, keys.PERMANENT)
    for job_id, (*values, is_marked) in zip(ids, hashes, strict=True):
        found = dict(zip(_CHOSEN_BY, map(text, values), strict=True))
        found[keys.KIND] = kind_of(found[keys.KIND])
        if (is_marked and not include_permanent) or (not include_poison and found[keys.REASON] == _POISON):
            continue
        if all(found[field] == value for field, value in wanted.items()):
            yield job_id
