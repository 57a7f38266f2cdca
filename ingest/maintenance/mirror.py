"""Notices a Redis that came back empty, or older than it was, and says how much is gone.

Redis keeps a generation id that is made once for each life of its data, and counters that never fall. Both are
mirrored to one row in the database about each second. Another generation, or a counter below its mirror, is a loss:
it is written down once, and then the new state is mirrored.

A Redis that lost its last writes without a crash of ours can bring jobs back that ran already: their rows catch that.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ingest.models import RedisLoss, RedisMirror
from ingest.queue import keys
from ingest.queue.connections import server_time

logger = logging.getLogger(__name__)

#: The key of the one row.
_ROW: Final = 1
_STATES: Final = ("waiting", "scheduled", "started", "failed", "trash")

Counters = Mapping[str, Mapping[str, int]]


def open_loss() -> RedisLoss | None:
    """The first loss that nobody has acknowledged; None when there is none."""
    return RedisLoss.objects.filter(acknowledged_at=None).order_by("id").first()


def acknowledge(loss_id: int, *, by: str = "") -> bool:
    """Somebody has seen this loss. False when it is not open (any more)."""
    seen = RedisLoss.objects.filter(pk=loss_id, acknowledged_at=None)
    return bool(seen.update(acknowledged_at=timezone.now(), acknowledged_by=by[:200]))


@dataclass(frozen=True, slots=True)
class Reading:
    """What Redis holds, at one instant."""

    generation: str
    counters: Counters
    #: Number of jobs by state.
    held: Mapping[str, int]


class Mirror:
    """The leader's step that mirrors and compares."""

    def __init__(self, connection: redis.Redis, queues: Sequence[str]) -> None:
        self._connection = connection
        self._queues = queues
        #: The row as this process wrote or read it last.
        self._row: RedisMirror | None = None

    def step(self) -> None:
        """Compare Redis with its mirror, then write the mirror if anything changed.

        Raises RedisError and DatabaseError: the next step begins anew. Two leaders at once, or one that was stopped
        in the middle, do no harm: a row that another has written since is read again before it is compared.
        """
        # The row first: what is read of Redis after it cannot be older than what the row says.
        row = self._row or RedisMirror.objects.filter(pk=_ROW).first()
        reading = read(self._connection, self._queues, later_than=row.generation if row else "")
        if row is None:
            # Nothing is known of an earlier life, so nothing can have been lost.
            self._row = self._created(reading)
        elif (kind := loss_of(row, reading)) and any(row.counters.values()):
            self._row = self._lost(row, reading, kind)
        elif _differs(row, reading):
            self._row = self._written(row, reading)
        else:
            self._row = row

    def _created(self, reading: Reading) -> RedisMirror | None:
        row = RedisMirror(pk=_ROW, mirrored_at=server_time(self._connection), **_fields(reading))
        row, created = RedisMirror.objects.get_or_create(pk=_ROW, defaults=_columns(row))
        return row if created else None

    def _written(self, row: RedisMirror, reading: Reading) -> RedisMirror | None:
        """The new row; None when another leader wrote it meanwhile."""
        fields = {**_fields(reading), "mirrored_at": server_time(self._connection)}
        unchanged = RedisMirror.objects.filter(pk=_ROW, version=row.version)
        if not unchanged.update(version=F("version") + 1, **fields):
            return None
        return RedisMirror(pk=_ROW, version=row.version + 1, **fields)

    @transaction.atomic
    def _lost(self, row: RedisMirror, reading: Reading, kind: RedisLoss.Kind) -> RedisMirror | None:
        """Write the loss down in one step with the new mirror, and so once."""
        written = self._written(row, reading)
        if written is None:
            return None
        held = {state: getattr(row, state) for state in _STATES}
        loss = RedisLoss.objects.create(
            detected_at=written.mirrored_at,
            kind=kind,
            mirrored_at=row.mirrored_at,
            missing=_missing(row, reading, kind),
            **held,
        )
        logger.critical(
            "Redis came back %s: it had held %d jobs, and at least %d accepted events are missing (loss %d)",
            "empty" if kind == RedisLoss.Kind.EMPTY else "older than it was",
            *(loss.held, loss.missing, loss.pk),
        )
        return written


def read(connection: redis.Redis, queues: Sequence[str], *, later_than: str = "") -> Reading:
    """Everything in one transaction; a Redis without a generation id gets one, later than that."""
    generation, counters, held = _read(connection, queues)
    if generation is None:
        # Set before the loss is written down: were it the other way round, a crash in between would make it two.
        connection.set(keys.GENERATION, _new_generation(server_time(connection), later_than), nx=True)
        generation, counters, held = _read(connection, queues)
    return Reading(generation or "", counters, held)


def _read(connection: redis.Redis, queues: Sequence[str]) -> tuple[str | None, Counters, Mapping[str, int]]:
    pipe = connection.pipeline(transaction=True)
    pipe.get(keys.GENERATION)
    for queue in queues:
        pipe.hgetall(keys.counters(queue))
        pipe.llen(keys.queue(queue))
        pipe.scard(keys.tombstones(queue))
        pipe.hvals(keys.parked(queue))
        pipe.zcard(keys.scheduled(queue))
        pipe.zcard(keys.started(queue))
        pipe.zcard(keys.failed(queue))
        pipe.zcard(keys.trash(queue))
    generation, *rest = pipe.execute()
    counters: dict[str, dict[str, int]] = {}
    held = dict.fromkeys(_STATES, 0)
    for position, queue in enumerate(queues):
        counted, length, tombstones, parked, scheduled, started, failed, trash = rest[position * 8 : position * 8 + 8]
        counters[queue] = {name.decode(): int(number) for name, number in counted.items()}
        held["waiting"] += max(length - tombstones, 0) + sum(int(number) for number in parked)
        held["scheduled"] += scheduled
        held["started"] += started
        held["failed"] += failed
        held["trash"] += trash
    return generation.decode() if generation else None, counters, held


def loss_of(row: RedisMirror, reading: Reading) -> RedisLoss.Kind | None:
    """What the mirror says that Redis does not know any more; None: it knows everything."""
    if reading.generation != row.generation:
        # Generations sort by time: an earlier one is that of an older copy.
        return RedisLoss.Kind.EMPTY if reading.generation > row.generation else RedisLoss.Kind.OLDER
    for queue, counted in row.counters.items():
        now = reading.counters.get(queue)
        # A queue that the settings no longer name is not read.
        if now is not None and any(now.get(name, 0) < number for name, number in counted.items()):
            return RedisLoss.Kind.OLDER
    return None


def _missing(row: RedisMirror, reading: Reading, kind: RedisLoss.Kind) -> int:
    if kind == RedisLoss.Kind.EMPTY:
        return sum(getattr(row, state) for state in _STATES)
    return sum(
        max(counted.get("enqueued", 0) - reading.counters.get(queue, {}).get("enqueued", 0), 0)
        for queue, counted in row.counters.items()
    )


def _new_generation(now: datetime, later_than: str) -> str:
    """Milliseconds and chance. It sorts after the one before also where the clock went back."""
    before = int(later_than.partition("-")[0] or 0)
    return f"{max(int(now.timestamp() * 1000), before + 1):013d}-{secrets.token_hex(8)}"


def _differs(row: RedisMirror, reading: Reading) -> bool:
    return any(getattr(row, field) != value for field, value in _fields(reading).items())


def _fields(reading: Reading) -> dict[str, Any]:
    return {"generation": reading.generation, "counters": reading.counters, **reading.held}


def _columns(row: RedisMirror) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.fields if not field.primary_key}
