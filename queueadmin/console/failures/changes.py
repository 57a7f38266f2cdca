"""Dead letters that were changed where they stand while the database did not answer: their rows are to be read anew.

Neither their scores nor anything else that the index is compared by tells of it, so their ids wait in Redis.
"""

from collections.abc import Iterable
from typing import Final

import redis

from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.reading.fields import text

#: Ids in one call.
_SAID: Final = 500


def note(client: redis.Redis, ids: Iterable[str]) -> None:
    """Raises RedisError."""
    for some in chunks(ids, _SAID):
        client.sadd(keys.FAILURES_CHANGED, *some)


def waiting(client: redis.Redis, most: int) -> list[str]:
    """Some of them. Raises RedisError."""
    return [text(job_id) for job_id in client.srandmember(keys.FAILURES_CHANGED, most) or ()]


def done(client: redis.Redis, ids: Iterable[str]) -> None:
    """Their rows say it now, or are gone. Raises RedisError."""
    for some in chunks(ids, _SAID):
        client.srem(keys.FAILURES_CHANGED, *some)
