"""How far the index is, told by whoever writes it to whoever reads it."""

from typing import Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from ingest.reading.fields import number, pipelined, text

#: Seconds after which nobody seems to write it any more.
LAPSES: Final = 15


class State(msgspec.Struct, frozen=True):
    #: Every dead letter was looked at since this writer began: what is missing are the newest.
    complete: bool
    #: Rows, and dead letters in the registries, at the same moment.
    rows: int
    dead_letters: int
    #: Dead letters of which nothing is left but their places.
    left_out: int = 0
    #: By queue, the newest place that was read; None: nothing stood there.
    read: dict[str, tuple[float, str] | None] = {}
    #: `come_back` when the last look began of which everything is in the index.
    come_back: int = 0

    @property
    def behind(self) -> int:
        """Dead letters that have no row yet."""
        return max(0, self.dead_letters - self.left_out - self.rows)


def state(client: redis.Redis) -> State | None:
    """None: nobody writes the index at the moment. Raises RedisError."""
    told = client.get(keys.FAILURES)
    try:
        return msgspec.json.decode(told, type=State) if told else None
    except msgspec.MsgspecError:
        return None  # written by another version


def come_back(client: redis.Redis) -> int:
    """How many jobs ever became dead letters again, out of the trash or by a replay that gave them back, to the places
    that they had: nothing else of the registries tells that they are new. Raises RedisError."""
    names = [f"{prefix}{name}" for prefix in ("", "foreign_") for name in ("restored_failed", "returned")]
    found = pipelined(client, "hmget", [keys.counters(queue) for queue in settings.PRIORITIES], names)
    return sum(number(text(each)) for values in found for each in values)


def tells_all(client: redis.Redis) -> bool:
    """Whether all that is dead at this moment has its row, so that the index alone can count it. Raises RedisError."""
    told = state(client)
    return told is not None and told.complete and not told.behind and come_back(client) == told.come_back


def tell(client: redis.Redis, found: State) -> None:
    """Raises RedisError."""
    client.set(keys.FAILURES, msgspec.json.encode(found), ex=LAPSES)
