"""How the last due times of a schedule went, and when what waits for its time is due. Only reads."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any, Final, Literal

import redis
from django.conf import settings

from ingest.maintenance.schedules import job_id
from ingest.models import Schedule
from ingest.queue import keys
from ingest.timetable import Wrong, first
from queueadmin.console import queries

#: Due times that are told, and that are looked through for them.
RUNS: Final = 20
_LOOKED_AT: Final = 1_000

#: unknown: nothing fired then, or its row has been removed.
Outcome = Literal["ran", "failed", "waits", "unknown"]
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "finished": "ran",
    "failed": "failed",
    "trash": "failed",
    "canceled": "failed",
}
_WORDS: Final[Mapping[Outcome, str]] = {"failed": "failed", "waits": "under way", "unknown": "skipped or forgotten"}
#: Of a bar and the gap beside it.
_WIDE: Final = 6
#: Until when, in words and in seconds.
_RANGES: Final = (
    ("in 10 s", 10),
    ("in a minute", 60),
    ("in 5 minutes", 300),
    ("in an hour", 3_600),
    ("in a day", 86_400),
)


@dataclass(frozen=True, slots=True)
class Run:
    due: datetime
    job: str
    outcome: Outcome
    #: From its due time until it was done, in seconds; its wait and its retries are in it. None: it did not run.
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """The oldest first."""

    items: Sequence[Run]

    @property
    def bars(self) -> list[tuple[int, Outcome]]:
        """Where each stands in its picture, and what became of it."""
        return [(place * _WIDE, run.outcome) for place, run in enumerate(self.items)]

    @property
    def words(self) -> str:
        """ "all 20 ran", "15 of 20 ran, 5 failed"."""
        counts = Counter(run.outcome for run in self.items)
        ran, total = counts["ran"], len(self.items)
        said = [("ran" if total == 1 else f"all {total} ran") if ran == total else f"{ran} of {total} ran"]
        said += [f"{counts[outcome]} {word}" for outcome, word in _WORDS.items() if counts[outcome]]
        return ", ".join(said)

    @property
    def p95(self) -> float | None:
        """Seconds from the due time within which 95 % of those that ran were done; None: none ran.

        When one began is not kept after its end, so how long it ran alone cannot be told.
        """
        took = sorted(run.took for run in self.items if run.took is not None)
        return took[math.ceil(0.95 * len(took)) - 1] if took else None


@dataclass(frozen=True, slots=True)
class Due:
    """Scheduled and retrying jobs of one range of time."""

    words: str
    #: Queue → jobs, of those that have any.
    queues: Mapping[str, int]

    @property
    def count(self) -> int:
        return sum(self.queues.values())


def dues(schedule: Schedule, most: int = RUNS) -> list[datetime]:
    """The due times up to the last one that it fired, at most so many, the oldest first."""
    last = schedule.last_due
    if last is None:
        return []
    try:
        following = first(schedule.times, last)
    except Wrong:
        return [last]
    # As far back as they are apart now; further when weekends or months lie between.
    apart = following - last if following else timedelta(days=366)
    found = [last]
    for factor in (1, 4, 16):
        start = max(last - apart * most * factor, schedule.created_at)
        between = islice(schedule.times.following(start), _LOOKED_AT)
        found = [due for due in between if due <= last][-most:]
        if len(found) == most or start == schedule.created_at:
            break
    return found or [last]


def runs(schedules: Sequence[Schedule]) -> dict[int, Runs]:
    """By the schedule's primary key. Raises redis.RedisError and DatabaseError."""
    wanted = {each.pk: [(due, job_id(each, due)) for due in dues(each)] for each in schedules}
    found = queries.several([job for each in wanted.values() for _, job in each], located=False)
    return {pk: Runs([_run(due, job, found.get(job)) for due, job in each]) for pk, each in wanted.items()}


def waiting(client: redis.Redis, now: float) -> list[Due]:
    """Jobs that wait for their time, by when it comes; ranges without any are left out. Raises redis.RedisError."""
    edges = [0.0, *(now + seconds for _, seconds in _RANGES), float("inf")]
    words = [*(word for word, _ in _RANGES), "later"]
    names: Sequence[str] = settings.PRIORITIES
    pipe = client.pipeline(transaction=False)
    for low, high in pairwise(edges):
        for name in names:
            pipe.zcount(keys.scheduled(name), f"({low}", high)
    counts = iter(pipe.execute())
    told = [Due(word, {name: count for name in names if (count := next(counts))}) for word in words]
    return [each for each in told if each.queues]


def _run(due: datetime, job_id: str, job: Mapping[str, Any] | None) -> Run:
    outcome: Outcome = "unknown" if job is None else _OUTCOMES.get(job["state"], "waits")
    ended = job["finished_at"] if job and outcome == "ran" else None
    return Run(due, job_id, outcome, max(0.0, (ended - due).total_seconds()) if ended else None)
