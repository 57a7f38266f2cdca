"""What no time tells of a replay's set: kept by name from the moment that it is pressed until the set is written down.

A set is what failed before that moment, by the scores of the registries. Two kinds of dead letters have scores that do
not say so: those that lie ahead of Redis' clock, since it was set back, and those of stock workers, whose scores are no
times and whose hashes have the clocks of other machines. They are named in the transaction that reads the moment, so
what fails after it is not among them.

What nothing tells: what fails after Redis' clock was set back behind that moment, while the set is being written down.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import server_time
from ingest.queue.transitions import new_id

#: Seconds that it is kept at most: maintenance may be stopped, or the database away.
_KEPT: Final = 7 * 24 * 3600


def set_apart(client: redis.Redis, *, trash: bool) -> tuple[str, datetime]:
    """Their name, and the moment. Raises RedisError."""
    place: Callable[[str], str] = keys.trash if trash else keys.failed
    name, offset = new_id(), 0 if trash else keys.SCORE_OFFSET
    # What is up to the moment is read by its score, also what failed between this and that.
    after = f"({server_time(client).timestamp() + offset!r}"
    pipe = client.pipeline(transaction=True)
    pipe.time()
    for queue in settings.PRIORITIES:
        own, stock = keys.set_apart(name, queue), keys.set_apart(name, f"{queue}:stock")
        pipe.zrangestore(own, place(queue), after, "+inf", byscore=True)
        if not trash:
            pipe.zrangestore(stock, place(queue), "-inf", f"({keys.SCORE_OFFSET}", byscore=True)
            pipe.zunionstore(own, [own, stock])
            pipe.delete(stock)
        pipe.expire(own, _KEPT)
    (seconds, microseconds), *_ = pipe.execute()
    return name, datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


def forget(client: redis.Redis, name: str) -> None:
    """The set is written down, or will never be. Raises RedisError."""
    if name:
        client.delete(*(keys.set_apart(name, queue) for queue in settings.PRIORITIES))
