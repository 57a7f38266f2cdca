"""Dead letters that lie ahead of Redis' clock: it was set back after they failed, or it ran ahead and was put right.

They stand there like any other, so whoever lists, counts or moves what failed up to now gets them too, before the
others. What fails after the question is not among them: the clock and the registries are read in one transaction.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import redis

from ingest.queue import keys
from ingest.reading.fields import text


def ahead(
    client: redis.Redis, names: Iterable[str], *, now: datetime, trash: bool = False
) -> list[tuple[str, str, float]]:
    """(queue, id, score) of those that lie ahead of `now` (Redis' time) and of the moment of this, the newest first.

    As many as failed in the time that the clock was set back by: usually none. Raises redis.RedisError.
    """
    queues = list(names)
    place: Callable[[str], str] = keys.trash if trash else keys.failed
    offset = 0 if trash else keys.SCORE_OFFSET
    pipe = client.pipeline(transaction=True)
    pipe.time()
    for name in queues:
        pipe.zrange(place(name), f"({now.timestamp() + offset!r}", "+inf", byscore=True, withscores=True)
    (seconds, microseconds), *found = pipe.execute()
    latest = seconds + microseconds / 1e6 + offset
    entries = [
        (name, text(job_id), float(score))
        for name, members in zip(queues, found, strict=True)
        for job_id, score in members
        if score > latest
    ]
    return sorted(entries, key=lambda entry: -entry[2])
