"""Writes down exactly what matched when somebody pressed, in bounded steps, however many there are.

Nothing that failed after that moment is in it, so it may be written later and, after a crash, anew: what has moved
meanwhile is not there to be met, and would have been left anyway.
"""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import redis
from django.db import transaction

from queueadmin.console import undoing
from queueadmin.console.dead_letters import Record
from queueadmin.console.dead_letters.left_out import Why, why_left
from queueadmin.console.failures import matching
from queueadmin.console.filters import parse
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import marks, versions

#: Members of a chunk: one row of 25 KB, of which a step rewrites the marks alone.
CHUNK: Final = 500
#: Groups of errors that are remembered; with more, no error counts as new.
MOST_GROUPS: Final = 2_000
#: Records between two looks at the clock.
_LOOK: Final = 100


class Freezing:
    """The writing of one replay's set. A new one begins from the start."""

    def __init__(self, client: redis.Redis, replay: Replay) -> None:
        self._replay_id = replay.pk
        self._version = replay.version
        self._records = undone(client, replay.undoes) if replay.undoes else members(client, replay)
        self._waiting: dict[str, list[tuple[str, float]]] = {}
        self._groups: set[str] = set(replay.groups)
        self._number = 0

    @property
    def version(self) -> int:
        """Of the row as this left it; another one means that somebody else changed it."""
        return self._version

    def step(self, replay: Replay, now: datetime, seconds: float) -> None:
        """Go on for about so long, and save. Raises Overtaken, RedisError and DatabaseError."""
        until = time.monotonic() + seconds
        chunks: list[ReplayChunk] = []
        ended = False
        while not ended and time.monotonic() < until:
            for _ in range(_LOOK):
                record = next(self._records, None)
                if record is None:
                    ended = True
                    break
                self._take(replay, record, chunks)
        if ended:
            chunks += [self._chunk(replay, queue) for queue in list(self._waiting)]
            replay.chunk, replay.position = self._number - 1, 0
            replay.frozen_at = replay.step_began_at = now
        replay.groups = sorted(self._groups) if len(self._groups) <= MOST_GROUPS else []
        if len(self._groups) > MOST_GROUPS:
            replay.stop_new_errors = 0
        with transaction.atomic():
            versions.save(replay, "size", "poison_left", "permanent_left", "groups", "queues", "stop_new_errors",
                          "chunk", "position", "frozen_at", "step_began_at")  # fmt: skip
            ReplayChunk.objects.bulk_create(chunks)
        self._version = replay.version

    def _take(self, replay: Replay, record: Record, chunks: list[ReplayChunk]) -> None:
        match _why_left(replay, record):
            case "poison":
                replay.poison_left += 1
                return
            case "permanent":
                replay.permanent_left += 1
                return
        replay.size += 1
        self._groups.add(record.shown["group"])
        if record.queue not in replay.queues:
            replay.queues = [*replay.queues, record.queue]
        members = self._waiting.setdefault(record.queue, [])
        members.append((record.id, record.score))
        if len(members) == CHUNK:
            chunks.append(self._chunk(replay, record.queue))

    def _chunk(self, replay: Replay, queue: str) -> ReplayChunk:
        places = self._waiting.pop(queue)[::-1]
        made = ReplayChunk(
            replay=replay,
            number=self._number,
            queue=queue,
            places=json.dumps(places),
            marks=marks.WAITING * len(places),
        )
        self._number += 1
        return made


def begin(replay: Replay) -> None:
    """Forget what was written before a crash. Raises Overtaken and DatabaseError."""
    replay.size = replay.poison_left = replay.permanent_left = 0
    replay.groups, replay.queues = [], []
    with transaction.atomic():
        versions.save(replay, "size", "poison_left", "permanent_left", "groups", "queues")
        ReplayChunk.objects.filter(replay=replay).delete()


def members(client: redis.Redis, replay: Replay) -> Iterator[Record]:
    """What matched when it was pressed, the newest first, with what is left out. Raises redis.RedisError."""
    trash = replay.kind == Replay.Kind.RESTORE
    for record in matching(client, parse(replay.filter), now=replay.created_at, trash=trash):
        # A stock worker's registry does not tell when a job failed; its hash does.
        at: Any = record.shown["error"]["at"]
        if trash or at is None or at <= replay.created_at:
            yield record


def undone(client: redis.Redis, operation: str) -> Iterator[Record]:
    """What this operation put into the trash, the last first. Raises redis.RedisError."""
    for each in undoing.backwards(client, operation):
        yield Record(each.id, each.queue, each.score, {"group": ""})


def _why_left(replay: Replay, record: Record) -> Why:
    if replay.kind != Replay.Kind.RETRY:
        return ""
    return why_left(
        record.shown["error"]["reason"],
        permanent=record.shown["permanent"],
        include_poison=replay.include_poison,
        include_permanent=replay.include_permanent,
    )
