"""Finds jobs that are nowhere, and jobs that a dead stock worker holds outside every registry.

Our own scripts lose none. Stock workers and clients change state in several commands, and a job whose worker dies
between two of them says that it waits, runs, is scheduled or failed, while no list or set holds it (RQ1, RQ3, RQ4,
RQ6, RQ7). Each round looks at some hundred hashes; what looks lost twice, PATIENCE seconds apart and unchanged, goes
to `Transitions.heal`, which checks everything again in one step.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import redis
from rq.intermediate_queue import IntermediateQueue

from ingest.queue import keys
from ingest.queue.calls import SEARCHED
from ingest.queue.transitions import Transitions

logger = logging.getLogger(__name__)

#: Keys that one round looks at: 2 ms. A million keys are seen within the hour.
LOOK: Final = 300
#: Seconds between the two looks. A stock worker needs some milliseconds between its two commands.
PATIENCE: Final = 10.0
#: Waiting jobs of one queue that are read whole, 1 ms, to see which are not among them. In a longer queue a job is
#: looked for only once it is clearly older than the front.
WHOLE: Final = 2_000
#: A job is clearly older by so much; jobs of one moment may stand in any order.
CLEARLY: Final = timedelta(seconds=5)
#: The first entries of a list by which its head is judged: a restored job stands there with the time of its return.
HEADS: Final = 20
#: Jobs that are kept in mind at most, and that are healed in one round, in calls of so many: each is searched for
#: in up to SEARCHED entries of each list, 0.4 ms.
SUSPECTS: Final = 1_000
HEALED: Final = 50
CALL: Final = 10
#: Lists of a rate limit's buckets whose heads are read; with more of them a queue is left for later.
BUCKETS: Final = 500

_FIELDS: Final = (
    "status",
    "origin",
    keys.KIND,
    "enqueued_at",
    "started_at",
    "ended_at",
    keys.MOVED_AT,
    keys.ORDERING_KEY,
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a job's hash says of its place. Two that are equal: nothing has happened to it in between."""

    id: str
    status: str
    queue: str
    ours: bool
    enqueued_at: str
    started_at: str
    ended_at: str
    moved_at: str
    ordering_key: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a queue, with what its rate limits hold back: all of it, or its front."""

    #: None: they are too many.
    ids: frozenset[str] | None = None
    #: The earliest time at which any of the first was enqueued; None: it cannot be told.
    since: datetime | None = None
    #: Longer than heal searches: what may stand far behind must not be taken for lost.
    long: bool = False


class Healing:
    """The leader's step."""

    def __init__(self, connection: redis.Redis, transitions: Transitions, queues: Sequence[str]) -> None:
        self._connection = connection
        self._transitions = transitions
        self._queues = queues
        self._cursor = 0
        #: What looked lost, and since when (time.monotonic()).
        self._suspects: dict[Job, float] = {}

    def step(self) -> None:
        """One look. Raises RedisError."""
        now = time.monotonic()
        held = self._held()
        ids = dict.fromkeys((*(suspect.id for suspect in self._suspects), *held, *self._scanned()))
        jobs = self._jobs(ids, held)
        # Nobody else cleans those lists up, since this process holds RQ's locks.
        lost = [job for job in jobs if job.id in held]
        lost += self._lost_looking([job for job in jobs if job.id not in held])
        before = self._suspects
        self._suspects = {job: before.get(job, now) for job in lost[:SUSPECTS]}
        due = [job for job, since in self._suspects.items() if now - since >= PATIENCE][:HEALED]
        for queue in self._queues:
            self._heal(queue, [job.id for job in due if job.queue == queue], held)
        for job in due:
            # What was not lost after all is looked at again when its turn comes.
            del self._suspects[job]

    def forget(self) -> None:
        """Begin to watch anew."""
        self._suspects.clear()

    def _heal(self, queue: str, ids: Sequence[str], held: Mapping[str, str]) -> None:
        for start in range(0, len(ids), CALL):
            chunk = ids[start : start + CALL]
            for job_id in chunk:
                if job_id in held:
                    # A job that waits is nowhere then, also if we die here. One that runs has a lease besides.
                    self._connection.lrem(_intermediate(held[job_id]), 0, job_id)
            if healed := self._transitions.heal(queue, chunk):
                logger.warning("queue %s: %d jobs were in no list and no registry; they are back", queue, len(healed))

    def _scanned(self) -> list[str]:
        scanned: tuple[int, list[Any]] = self._connection.scan(self._cursor, match=keys.job("*"), count=LOOK)
        self._cursor, found = scanned
        return [name.decode(errors="replace").removeprefix(keys.job("")) for name in found]

    def _held(self) -> dict[str, str]:
        """Job id → queue, of what single-queue stock workers took (RQ25): they keep it in a list of their own first."""
        pipe = self._connection.pipeline(transaction=False)
        for queue in self._queues:
            pipe.lrange(_intermediate(queue), 0, LOOK - 1)
        lists: list[list[Any]] = pipe.execute()
        return {
            job_id.decode(errors="replace"): queue
            for queue, ids in zip(self._queues, lists, strict=True)
            for job_id in ids
        }

    def _jobs(self, ids: Iterable[str], held: Mapping[str, str] = MappingProxyType({})) -> list[Job]:
        """Those of our queues; `held` names the queue where there is no hash any more."""
        wanted = list(ids)
        pipe = self._connection.pipeline(transaction=False)
        for job_id in wanted:
            pipe.hmget(keys.job(job_id), *_FIELDS)
        jobs = []
        # A key of another type, under a job's name, is no job.
        for job_id, found in zip(wanted, pipe.execute(raise_on_error=False), strict=True):
            if not isinstance(found, Exception):
                status, queue, kind, *times = (value.decode(errors="replace") if value else "" for value in found)
                jobs.append(Job(job_id, status, queue or held.get(job_id, ""), bool(kind), *times))
        return [job for job in jobs if job.queue in self._queues]

    def _lost_looking(self, jobs: Sequence[Job]) -> list[Job]:
        waiting = self._in_lists([job for job in jobs if job.status == "queued"])
        lines = {queue: self._waiting(queue) for queue in {job.queue for job in waiting}}
        lost = [job for job in waiting if _is_missing(job, lines[job.queue])]
        started = [job for job in jobs if job.status == "started"]
        running = {queue: self._running(queue) for queue in {job.queue for job in started}}
        lost += [job for job in started if job.id not in running[job.queue]]
        in_sets = [job for job in jobs if job.status in {"scheduled", "failed"}]
        pipe = self._connection.pipeline(transaction=False)
        for job in in_sets:
            place = keys.scheduled if job.status == "scheduled" else keys.failed
            pipe.zscore(place(job.queue), job.id)
        lost += [job for job, score in zip(in_sets, pipe.execute(), strict=True) if score is None]
        return lost

    def _in_lists(self, jobs: Sequence[Job]) -> list[Job]:
        """Without those that wait for their turn: they are in a set of their own."""
        ordered = [job for job in jobs if job.ordering_key]
        pipe = self._connection.pipeline(transaction=False)
        for job in ordered:
            pipe.zscore(keys.behind(job.queue), job.id)
        behind = {job.id for job, number in zip(ordered, pipe.execute(), strict=True) if number is not None}
        return [job for job in jobs if job.id not in behind]

    def _waiting(self, queue: str) -> Waiting:
        pipe = self._connection.pipeline(transaction=False)
        pipe.llen(keys.queue(queue))
        pipe.hgetall(keys.parked(queue))
        length, parked = pipe.execute()
        parked.pop(keys.BEHIND.encode(), None)
        lengths = [length, *(int(number) for number in parked.values())]
        whole = sum(lengths) <= WHOLE
        if len(parked) > BUCKETS and not whole:
            return Waiting()
        for line in (keys.queue(queue), *(keys.parked_jobs(queue, bucket.decode()) for bucket in parked)):
            pipe.lrange(line, 0, -1 if whole else HEADS - 1)
        ids = [job_id.decode(errors="replace") for part in pipe.execute() for job_id in part]
        if whole:
            return Waiting(frozenset(ids))
        since = [at for job in self._jobs(ids) if (at := _time(job))]
        return Waiting(since=min(since, default=None), long=max(lengths) > SEARCHED)

    def _running(self, queue: str) -> set[str]:
        members: list[Any] = self._connection.zrange(keys.started(queue), 0, -1)
        return {member.decode(errors="replace").rpartition(":")[0] for member in members}


def _is_missing(job: Job, waiting: Waiting) -> bool:
    """Whether a job that says that it waits is not there, or ought to have had its turn before those at the front."""
    if waiting.ids is not None:
        return job.id not in waiting.ids
    if waiting.long and (job.moved_at or job.ordering_key or not job.ours):
        return False  # moved to the back with its old time, or timed by another machine's clock
    at = _time(job)
    return at is not None and waiting.since is not None and at < waiting.since - CLEARLY


def _time(job: Job) -> datetime | None:
    try:
        at = datetime.fromisoformat(job.enqueued_at)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _intermediate(queue: str) -> str:
    return IntermediateQueue.get_intermediate_queue_key(keys.queue(queue))
