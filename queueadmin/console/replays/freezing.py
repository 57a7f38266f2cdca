"""Writes down exactly what matched when somebody pressed, in bounded steps, however many there are.

Nothing that failed, or came back, after that moment is in it, so it may be written later. Each step saves what it met
together with where it was, so whatever is away in between, the next one goes on there: no member is met twice, and none
is left out. What has moved meanwhile is not there to be met, and would have been left anyway.
"""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from django.db import transaction

from ingest.queue.connections import server_time
from queueadmin.console import undoing
from queueadmin.console.dead_letters import Record
from queueadmin.console.dead_letters.left_out import Why, why_left
from queueadmin.console.failures.walking import Position, Walk
from queueadmin.console.filters import parse
from queueadmin.console.models import Replay, ReplayChunk
from queueadmin.console.replays import apart, marks, versions

#: Members of a chunk: one row of 25 KB, of which a step rewrites the marks alone.
CHUNK: Final = 500
#: Pages that a step reads in any case, so that a small set is whole in one, however slow the machine.
LEAST: Final = 3
#: Groups of errors that are remembered; with more, no error counts as new.
MOST_GROUPS: Final = 2_000


class Written(msgspec.Struct):
    """How far it is, as `Replay.written` keeps it."""

    #: Of what a filter chooses; None: it has not begun.
    walk: Position | None = None
    #: Of what an operation put into the trash: how many of its list were not read yet.
    listed: int | None = None
    #: By queue the newest members that are in no chunk yet, fewer than CHUNK: id and score.
    members: dict[str, list[tuple[str, float]]] = {}
    #: Chunks so far.
    chunks: int = 0
    #: There are more than MOST_GROUPS.
    many_groups: bool = False


class Freezing:
    """The writing of one replay's set. A new one goes on where the row says that the last one was."""

    def __init__(self, client: redis.Redis, replay: Replay) -> None:
        self._client = client
        self._replay_id = replay.pk
        self._version = replay.version
        self._written = msgspec.json.decode(replay.written, type=Written) if replay.written else Written()
        self._groups: set[str] = set(replay.groups)
        self._pages = self._listed(replay) if replay.undoes else self._walked(replay)

    @property
    def version(self) -> int:
        """Of the row as this left it; another one means that somebody else changed it."""
        return self._version

    def step(self, replay: Replay, now: datetime, seconds: float) -> None:
        """Go on for about so long, and save. Raises Overtaken, RedisError and DatabaseError: then it cannot go on, and
        a new one does."""
        until = time.monotonic() + seconds
        chunks: list[ReplayChunk] = []
        page: list[Record] | None = []
        read = 0
        while page is not None and (read < LEAST or time.monotonic() < until):
            page, read = next(self._pages, None), read + 1
            for record in page or ():
                self._take(replay, record, chunks)
        if page is None:
            chunks += [self._chunk(replay, queue) for queue in list(self._written.members)]
            replay.chunk, replay.position = self._written.chunks - 1, 0
            replay.frozen_at = replay.step_began_at = now
        self._written.many_groups = self._written.many_groups or len(self._groups) > MOST_GROUPS
        replay.groups = [] if self._written.many_groups else sorted(self._groups)
        if self._written.many_groups:
            replay.stop_new_errors = 0
        replay.written = "" if replay.frozen_at else msgspec.json.encode(self._written).decode()
        with transaction.atomic():
            versions.save(replay, "size", "poison_left", "permanent_left", "groups", "queues", "stop_new_errors",
                          "chunk", "position", "frozen_at", "step_began_at", "written")  # fmt: skip
            ReplayChunk.objects.bulk_create(chunks)
        self._version = replay.version
        if replay.frozen_at:
            apart.forget(self._client, replay.apart)

    def _walked(self, replay: Replay) -> Iterator[list[Record]]:
        """What matched when it was pressed, the newest first, with what is left out."""
        trash = replay.kind == Replay.Kind.RESTORE
        walk = Walk(
            self._client,
            parse(replay.filter),
            now=replay.created_at,
            apart=replay.apart,
            trash=trash,
            stood=self._written.walk,
        )
        for page in walk.pages():
            self._written.walk = walk.position
            if not trash:
                # After the page was read: what somebody moved meanwhile was moved before this.
                now = server_time(self._client) if any(_is_moved(replay, record) for record in page) else None
                page = [record for record in page if _was_dead(replay, record, now)]
            yield page

    def _listed(self, replay: Replay) -> Iterator[list[Record]]:
        """What the operation put into the trash, the last first."""
        for page, rest in undoing.backwards(self._client, replay.undoes, self._written.listed):
            self._written.listed = rest
            yield [Record(each.id, each.queue, each.score, {"group": ""}) for each in page]

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
        members = self._written.members.setdefault(record.queue, [])
        members.append((record.id, record.score))
        if len(members) == CHUNK:
            chunks.append(self._chunk(replay, record.queue))

    def _chunk(self, replay: Replay, queue: str) -> ReplayChunk:
        places = self._written.members.pop(queue)[::-1]
        made = ReplayChunk(
            replay=replay,
            number=self._written.chunks,
            queue=queue,
            places=json.dumps(places),
            marks=marks.WAITING * len(places),
        )
        self._written.chunks += 1
        return made


def begin(replay: Replay) -> None:
    """Forget what an earlier version wrote, which did not say how far it was. Raises Overtaken and DatabaseError."""
    replay.size = replay.poison_left = replay.permanent_left = 0
    replay.groups, replay.queues = [], []
    with transaction.atomic():
        versions.save(replay, "size", "poison_left", "permanent_left", "groups", "queues")
        ReplayChunk.objects.filter(replay=replay).delete()


def _is_moved(replay: Replay, record: Record) -> bool:
    return record.moved_at is not None and record.moved_at > replay.created_at


def _was_dead(replay: Replay, record: Record, now: datetime | None) -> bool:
    """Whether it stood there when it was pressed: not what came back to its place since, out of the trash or from
    another replay. What was moved after `now` was moved before Redis' clock was set back."""
    if now is not None and record.moved_at is not None and replay.created_at < record.moved_at <= now:
        return False
    # Where nothing was set apart, a stock worker's hash alone tells when its job failed.
    at: Any = record.shown["error"]["at"]
    return bool(replay.apart) or at is None or at <= replay.created_at


def _why_left(replay: Replay, record: Record) -> Why:
    if replay.kind != Replay.Kind.RETRY:
        return ""
    return why_left(
        record.shown["error"]["reason"],
        permanent=record.shown["permanent"],
        include_poison=replay.include_poison,
        include_permanent=replay.include_permanent,
    )
