"""The severities that no table knows, of all senders, for people who may map them."""

from dataclasses import dataclass
from typing import Any

import msgspec
from django.conf import settings

from ingest.api import mappings, tally
from ingest.priorities import vendor
from ingest.queue import keys
from ingest.queue.connections import connection


@dataclass(frozen=True, slots=True)
class UnknownWord:
    #: "": of events that name none.
    source: str
    #: In small letters, as mappings have it.
    word: str
    #: That came with it since this Redis was empty; with REDIS=false since the start. They were medium.
    events: int
    #: Unix time.
    last_seen: float


def read() -> list[UnknownWord]:
    """The newest first, 500 at most; those that are mapped by now are left out. Raises redis.RedisError."""
    said = mappings.current()
    found = _read() if settings.REDIS else _here()
    return [each for each in found if said.priority(each.word, (each.source, vendor(each.source)), None) is None]


def _read() -> list[UnknownWord]:
    client: Any = connection()
    pipe = client.pipeline(transaction=True)
    pipe.zrange(keys.TALLY_WORDS, 0, tally.WORDS - 1, desc=True, withscores=True)
    pipe.hgetall(keys.TALLY_WORD_COUNTS)
    newest, counts = pipe.execute()
    found = []
    for member, at in newest:
        source, word = msgspec.json.decode(member, type=tuple[str, str])
        found.append(UnknownWord(source, word, int(counts.get(member, 0)), at))
    return found


def _here() -> list[UnknownWord]:
    counts = tally.here()
    newest = sorted(counts.words_seen.items(), key=lambda item: -item[1])
    return [UnknownWord(source, word, counts.words[source, word], at) for (source, word), at in newest]
