"""Entries that wait in Redis while the database is away, in the order in which they were made.

Whoever writes the next entry, or the publisher within a second, moves them to the database. An entry is known by its
operation and step, so that one which two move, or one whose mover died in between, is there once.
"""

import logging
from datetime import datetime
from typing import Final

import msgspec
import redis
from django.conf import settings

from ingest.queue import keys
from ingest.queue.connections import NeedsRedis, connection
from queueadmin.console.audit import chain
from queueadmin.console.models import AuditEntry

logger = logging.getLogger(__name__)

#: Entries moved in one transaction.
_AT_ONCE: Final = 100


class Entry(msgspec.Struct, frozen=True):
    """One entry, before it has its place in the chain."""

    at: datetime
    operation: str
    step: str
    actor: str
    action: str
    target: str
    count: int | None
    reason: str
    outcome: str

    def row(self) -> AuditEntry:
        return AuditEntry(**{name: getattr(self, name) for name in self.__struct_fields__})


def put(entry: Entry) -> None:
    """Let it wait. Raises redis.RedisError."""
    if not settings.REDIS:
        raise NeedsRedis
    connection().rpush(keys.AUDIT_WAITING, msgspec.json.encode(entry))


def count(client: redis.Redis) -> int:
    """How many wait. Raises redis.RedisError."""
    return int(client.llen(keys.AUDIT_WAITING))


def drain(client: redis.Redis) -> int:
    """Write all that wait to the database, the first first; how many there were.

    Raises redis.RedisError and django.db.Error: what is not moved waits on.
    """
    moved = 0
    while found := client.lrange(keys.AUDIT_WAITING, 0, _AT_ONCE - 1):
        chain.append([entry.row() for entry in map(_read, found) if entry is not None])
        pipe = client.pipeline(transaction=True)
        for text in found:  # by what each says: another may be moving them as well
            pipe.lrem(keys.AUDIT_WAITING, 1, text)  # type: ignore[arg-type]
        pipe.execute()
        moved += len(found)
    return moved


def _read(text: bytes | str) -> Entry | None:
    try:
        return msgspec.json.decode(text, type=Entry)
    except msgspec.MsgspecError:
        # It would keep all others waiting for ever.
        logger.exception("an entry of the audit log that waited in Redis cannot be read: %r", text)
        return None
