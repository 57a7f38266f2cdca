"""Runs spooled events while Redis is away, of kinds that say so: points go straight into their table (C4).

An event's row and its effects are one transaction, then it leaves the spool. So whatever else runs it, another one who
does this, Redis when it comes back in between, or a second time after a crash, meets the row and does nothing.
What is left for Redis: events with an id of their sender's, of which a copy must be recognised there, with a callback,
delayed ones, those that are to fail on purpose, and those that failed here.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import redis

from ingest import database, jobs
from ingest.kinds import KINDS, Kind
from ingest.kinds.faults import fault_of
from ingest.models import SpooledEvent
from ingest.queue.payload import Payload, Unreadable, decode
from ingest.spool.rows import State, delete, rest

logger = logging.getLogger(__name__)

#: Events of one transaction: 10 chunks of 1,000 points hold SQLite's one lock for 0.1 s, and senders wait 0.9 s.
EVENTS: Final = 10
#: After a look that found nothing, none for so many times as long.
LOOKING: Final = 10.0
#: Seconds of one step; the next one begins at once, or a second after this one began.
LONGEST: Final = 5.0


class Direct:
    """A step of every process of maintenance, leader or not."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        #: Those that did not go; forgotten when Redis is back.
        self._left: set[str] = set()
        #: time.monotonic() before which nothing is looked for.
        self._quiet_until = 0.0

    def step(self) -> None:
        """Run what may be, for LONGEST seconds while Redis is away. Raises DatabaseAway and DatabaseError."""
        begun = time.monotonic()
        if begun < self._quiet_until:
            return
        end, count = begun + LONGEST, 0
        while time.monotonic() < end and (entries := self._next()):
            if self._redis_answers():
                self._left.clear()
                break
            count += self._run(entries)
        if not count:
            # Among a million other spooled events a look takes a second.
            self._quiet_until = time.monotonic() + LOOKING * (time.monotonic() - begun)
        else:
            logger.info("Redis is away: %d spooled events were run without it", count)

    def _next(self) -> list[tuple[Kind, Payload]]:
        """Some of one kind, the most urgent first."""
        direct = [name for name, kind in KINDS.items() if kind.direct]
        rows = SpooledEvent.objects.filter(
            kind__in=direct, state=State.SPOOLED, event_id=None, ordering_key="", due_at__lte=datetime.now(UTC)
        )
        found: list[tuple[Kind, Payload]] = []
        for row in rows.exclude(id__in=self._left).order_by("rank", "place")[:EVENTS]:
            kind = KINDS[row.kind]
            try:
                payload = decode(bytes(row.data), row.id)
            except Unreadable:
                self._left.add(row.id)
                continue
            if rest(row).callback or fault_of(payload.body):
                self._left.add(row.id)
            elif not found or found[0][0] is kind:
                found.append((kind, payload))
        return found

    def _redis_answers(self) -> bool:
        try:
            return bool(self._connection.ping())
        except redis.RedisError:
            return False

    def _run(self, entries: Sequence[tuple[Kind, Payload]]) -> int:
        """All in one transaction; if that fails, each half again, until the bad one stands alone."""
        kind = entries[0][0]
        try:
            jobs.process(kind, [(payload, 0) for _, payload in entries])
        except database.DatabaseAway:
            raise
        except Exception:
            if len(entries) == 1:
                job_id = entries[0][1].id
                logger.exception("event %s cannot be run without Redis; it waits for it", job_id)
                self._left.add(job_id)
                return 0
        else:
            database.in_transaction(lambda: delete(payload.id for _, payload in entries))
            return len(entries)
        middle = len(entries) // 2
        return self._run(entries[:middle]) + self._run(entries[middle:])
