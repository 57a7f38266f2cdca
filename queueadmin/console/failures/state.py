"""How far the index is, told by whoever writes it to whoever reads it."""

from typing import Final

import msgspec
import redis

from ingest.queue import keys

#: Seconds after which nobody seems to write it any more.
LAPSES: Final = 15


class State(msgspec.Struct, frozen=True):
    #: Every dead letter was looked at since this writer began: what is missing are the newest.
    complete: bool
    #: Rows, and dead letters in the registries, at the same moment.
    rows: int
    dead_letters: int
    #: Dead letters that it cannot hold: their ids have more than 255 characters.
    left_out: int = 0
    #: By queue, the newest place that was read; None: nothing stood there.
    read: dict[str, tuple[float, str] | None] = {}

    @property
    def behind(self) -> int:
        """Dead letters that have no row yet."""
        return max(0, self.dead_letters - self.left_out - self.rows)


def state(client: redis.Redis) -> State | None:
    """None: nobody writes the index at the moment. Raises RedisError."""
    text = client.get(keys.FAILURES)
    try:
        return msgspec.json.decode(text, type=State) if text else None
    except msgspec.MsgspecError:
        return None  # written by another version


def tell(client: redis.Redis, found: State) -> None:
    """Raises RedisError."""
    client.set(keys.FAILURES, msgspec.json.encode(found), ex=LAPSES)
