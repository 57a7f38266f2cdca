"""Is every accepted job accounted for? Proved on a live system, by reads alone.

Two questions, asked apart. Do the counters add up: at one instant, per queue, what came in is what is there
plus what ended. And is each job in exactly one place: all places and all jobs are walked through, and what
looks wrong, since it may have moved meanwhile, is looked at again inside one script.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from ingest.models import SpooledEvent
from ingest.queue import keys
from ingest.queue.transitions import Transitions

#: Entries read in one command: 1,000 take Redis under a millisecond.
PAGE: Final = 1000
#: Looks at a suspect before it counts as wrong: a job between two looks may have moved each time.
LOOKS: Final = 3

#: What came in and went out, as the counters say, and what is there, in the order of the table.
CAME: Final = ("enqueued", "moved_in")
ENDED: Final = ("completed", "purged", "canceled", "moved_out")
HELD: Final = ("waiting", "scheduled", "started", "failed", "trash")

#: RQ's status → the place that holds the job then.
_PLACES: Final = {
    **{"queued": "queued", "created": "queued", "scheduled": "scheduled", "started": "started"},
    **{"failed": "failed", "stopped": "failed", "finished": "finished", "canceled": "canceled"},
}


@dataclass(frozen=True, slots=True)
class Balance:
    """One queue at one instant: its counters, and how many jobs each place holds."""

    queue: str
    counts: dict[str, int]
    held: dict[str, int]
    #: Jobs of stock clients among those held; they are in no counter of ours.
    foreign: int

    @property
    def difference(self) -> int:
        """Jobs that came in and are not accounted for; negative: more are there than came in."""
        came = sum(self.counts.get(name, 0) for name in CAME)
        ended = sum(self.counts.get(name, 0) for name in ENDED)
        return came - ended - (sum(self.held.values()) - self.foreign)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A job that is not in exactly one place, or not in the one that it names."""

    id: str
    queue: str
    #: RQ's status; empty where a place names a job that does not exist.
    status: str
    places: tuple[str, ...]

    @property
    def problem(self) -> Literal["nowhere", "twice", "misplaced", "missing"]:
        if not self.status:
            return "missing"
        if not self.places:
            return "nowhere"
        return "twice" if len(self.places) > 1 else "misplaced"


@dataclass(frozen=True, slots=True)
class Report:
    balances: tuple[Balance, ...]
    wrong: tuple[Wrong, ...]
    #: Jobs looked at, of these brought by stock clients.
    looked_at: int
    foreign: int
    #: Stock workers that are registered: what they finish is in no counter of ours.
    stock_workers: tuple[str, ...]
    #: All jobs were looked at, not a sample.
    whole: bool
    #: Events in the spool, which are in no counter before they are drained; None: nobody knows.
    spooled: int | None = None

    @property
    def provable(self) -> bool:
        """Whether the counters must add up: no stock worker may have taken a job of ours."""
        return not self.stock_workers

    @property
    def difference(self) -> int:
        return sum(balance.difference for balance in self.balances)

    @property
    def holds(self) -> bool:
        return not self.wrong and (not self.provable or all(not balance.difference for balance in self.balances))

    @property
    def accepted(self) -> int:
        return sum(balance.counts.get("enqueued", 0) for balance in self.balances)

    @property
    def sentence(self) -> str:
        accepted = self.accepted
        text = f"{accepted:,} accepted, {accepted - self.difference:,} accounted for"
        if not self.provable:
            text += f"; not provable while stock workers run ({', '.join(self.stock_workers)})"
        if self.wrong:
            found = Counter(wrong.problem for wrong in self.wrong)
            text += "; " + ", ".join(f"{number:,} {problem}" for problem, number in sorted(found.items()))
        return f"{text}."


def verify(connection: redis.Redis, *, sample: int | None = None) -> Report:
    """Account for all jobs, or for about `sample` of them, chosen by Redis. Raises redis.RedisError.

    Memory grows with the jobs looked at, about 300 bytes each. Redis is held up for milliseconds at a time.
    """
    look = _Look(connection)
    if sample is None:
        look.at_everything()
    else:
        look.at_some(sample)
    wrong = look.again()
    return Report(
        balances=tuple(_balances(connection, look.foreign_by_queue if sample is None else Counter())),
        wrong=tuple(sorted(wrong, key=lambda each: (each.queue, each.id))),
        looked_at=look.looked_at,
        foreign=sum(look.foreign_by_queue.values()),
        stock_workers=tuple(_stock_workers(connection)),
        whole=sample is None,
    )


def spooled() -> int | None:
    """Events in the spool; None: the database does not answer."""
    try:
        return SpooledEvent.objects.count()
    except (DatabaseError, InterfaceError):
        connections["default"].close()
        return None


@dataclass(slots=True)
class _Look:
    """The walk through all places and jobs, and the suspects that it leaves."""

    connection: redis.Redis
    looked_at: int = 0
    foreign_by_queue: Counter[str] = field(default_factory=Counter)
    #: Job id → the queue that it is of, as far as is known.
    suspects: dict[str, str] = field(default_factory=dict)

    def at_everything(self) -> None:
        seen: dict[str, tuple[str, str]] = {}
        for queue in settings.PRIORITIES:
            for place, job_id in self._entries(queue):
                if job_id in seen:
                    self.suspects[job_id] = queue
                seen[job_id] = (queue, place)
        for jobs in self._pages_of_jobs():
            for job_id, _, queue, place, ours in jobs:
                self._count(queue, place, ours)
                if seen.pop(job_id, None) != (queue, place):
                    self.suspects[job_id] = queue
        # What is left has no job; it may have ended since.
        self.suspects.update((job_id, queue) for job_id, (queue, place) in seen.items() if place != "finished")

    def at_some(self, number: int) -> None:
        """Chosen by RANDOMKEY. Each is searched for only where its status says, and near the head of its list."""
        pipeline = self.connection.pipeline(transaction=False)
        for _ in range(number * 2):
            pipeline.randomkey()
        prefix = keys.job("").encode()
        ids = {name[len(prefix) :].decode() for name in pipeline.execute() if name and name.startswith(prefix)}
        heads = {queue: _enqueued_at(self.connection, queue) for queue in settings.PRIORITIES}
        for job_id, _, queue, place, ours in self._jobs(sorted(ids)[:number]):
            self._count(queue, place, ours)
            if place == "queued":
                # What came after the head of its list has not had its turn; a whole list is not searched for it.
                since = _text(self.connection.hget(keys.job(job_id), "enqueued_at"))
                lost = not heads.get(queue) or since < heads[queue]
            elif place == "started":
                lost = not any(True for _ in self.connection.zscan_iter(keys.started(queue), match=f"{job_id}:*"))
            else:
                lost = self.connection.zscore(_KEYS[place](queue), job_id) is None
            if lost:
                self.suspects[job_id] = queue

    def again(self) -> list[Wrong]:
        """What is wrong at every look: all places of a job are read at one instant."""
        wrong: dict[str, Wrong] = {}
        suspects = self.suspects
        transitions = Transitions(self.connection)
        for _ in range(LOOKS):
            wrong = {}
            statuses = {job_id: (status, queue, place) for job_id, status, queue, place, _ in self._jobs(suspects)}
            for queue in settings.PRIORITIES:
                # By what the job says now: it may have moved to another queue.
                own = [i for i, before in suspects.items() if statuses.get(i, ("", before, ""))[1] == queue]
                for job_id, places in transitions.where(queue, own).items():
                    status, _, place = statuses.get(job_id, ("", queue, ""))
                    if places != ([place] if place else []):
                        wrong[job_id] = Wrong(job_id, queue, status, tuple(places))
            suspects = {job_id: each.queue for job_id, each in wrong.items()}
        return list(wrong.values())

    def _count(self, queue: str, place: str, ours: bool) -> None:
        self.looked_at += 1
        if not ours and place in ("queued", "scheduled", "started", "failed"):
            self.foreign_by_queue[queue] += 1

    def _entries(self, queue: str) -> Iterator[tuple[str, str]]:
        """Every entry of every place, as (place, job id). What does not move meanwhile is never missed."""
        buried = {member.decode() for member in self.connection.sscan_iter(keys.tombstones(queue), count=PAGE)}
        lists = [keys.queue(queue), f"{keys.queue(queue)}:intermediate"]
        lists += [keys.parked_jobs(queue, _text(bucket)) for bucket in self.connection.hkeys(keys.parked(queue))]
        for name in lists:
            for job_id in self._list(name):
                if job_id in buried:
                    buried.discard(job_id)
                else:
                    yield "queued", job_id
        for member, _ in self.connection.zscan_iter(keys.behind(queue), count=PAGE):
            yield "queued", _text(member)
        for member, _ in self.connection.zscan_iter(keys.started(queue), count=PAGE):
            yield "started", _text(member).rpartition(":")[0]
        for place, name_of in _KEYS.items():
            for member, _ in self.connection.zscan_iter(name_of(queue), count=PAGE):
                yield place, _text(member)

    def _list(self, name: str) -> Iterator[str]:
        """From the tail: workers take from the head, which moves nothing that is still to be read."""
        seen: set[str] = set()
        end = -1
        while page := [_text(job_id) for job_id in self.connection.lrange(name, end - PAGE + 1, end)]:
            # New ids push those that were read already back into this page, at its end.
            while page and page[-1] in seen:
                page.pop()
            yield from page
            seen.update(page)
            end -= PAGE

    def _pages_of_jobs(self) -> Iterator[Iterable[tuple[str, str, str, str, bool]]]:
        prefix = keys.job("")
        ids: list[str] = []
        for name in self.connection.scan_iter(f"{prefix}*", count=PAGE):
            ids.append(_text(name)[len(prefix) :])
            if len(ids) == PAGE:
                yield self._jobs(ids)
                ids = []
        yield self._jobs(ids)

    def _jobs(self, ids: Iterable[str]) -> Iterator[tuple[str, str, str, str, bool]]:
        """(id, status, queue, the place that it should be in, ours) of those that exist."""
        every = list(ids)
        for start in range(0, len(every), PAGE):
            part = every[start : start + PAGE]
            pipeline = self.connection.pipeline(transaction=False)
            for job_id in part:
                pipeline.hmget(keys.job(job_id), "status", "origin", keys.KIND, keys.TRASHED_AT)
            for job_id, (status, queue, kind, trashed) in zip(part, pipeline.execute(), strict=True):
                # Without a status it is what a stock heartbeat leaves behind after a deletion.
                if status is not None and _text(queue) in settings.PRIORITIES:
                    place = "trash" if trashed else _PLACES.get(_text(status), _text(status))
                    yield job_id, _text(status), _text(queue), place, kind is not None


_KEYS: Final = {
    "scheduled": keys.scheduled,
    "failed": keys.failed,
    "canceled": keys.canceled,
    "finished": keys.finished,
    "trash": keys.trash,
}


def _balances(connection: redis.Redis, foreign: Counter[str]) -> Iterator[Balance]:
    """Each queue at one instant."""
    for queue in settings.PRIORITIES:
        pipeline = connection.pipeline(transaction=True)
        pipeline.hgetall(keys.counters(queue))
        pipeline.llen(keys.queue(queue))
        pipeline.scard(keys.tombstones(queue))
        pipeline.hvals(keys.parked(queue))
        for place in (keys.scheduled, keys.started, keys.failed, keys.trash):
            pipeline.zcard(place(queue))
        counters, listed, buried, parked, *sets = pipeline.execute()
        waiting = listed - buried + sum(int(number) for number in parked)
        held: Sequence[int] = (waiting, *sets)
        yield Balance(
            queue,
            {_text(name): int(number) for name, number in counters.items()},
            dict(zip(HELD, held, strict=True)),
            foreign[queue],
        )


def _stock_workers(connection: redis.Redis) -> Iterator[str]:
    """A worker of ours says how many jobs it holds."""
    for key in sorted(connection.smembers(keys.WORKERS)):
        if connection.exists(key) and not connection.hexists(_text(key), "held"):
            yield _text(key).rpartition(":")[2]


def _enqueued_at(connection: redis.Redis, queue: str) -> str:
    head = connection.lindex(keys.queue(queue), 0)
    return _text(connection.hget(keys.job(_text(head)), "enqueued_at")) if head else ""


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
