"""The one door in: every event that gets a receipt passed `accept` or `accept_async`.

An accepted event is one job in its priority's queue, fsynced when Redis is set as `make run` sets
it. The id is made before anything is sent: a client that repeats an event under its own id meets
the first copy, even when the answer to it was lost.

`accept_async` commits in groups: while one call to Redis is in flight, the events that come collect
and go together next. An idle system waits for nothing, and a busy one shares the fsync.
"""

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal
from weakref import WeakKeyDictionary

import redis
import uuid_utils
from django.conf import settings

from ingest.kinds import Kind
from ingest.priorities import Severity
from ingest.queue.connections import acceptance_connection, async_acceptance_connection
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import CHUNK, AsyncTransitions, EnqueueResult, NewJob, Transitions

logger = logging.getLogger(__name__)

#: Jobs in one call, and so in one script: it is done or not done as a whole.
CALL_JOBS: Final = CHUNK
#: Bytes in one call: what Redis takes in well within the 0.5 s that acceptance waits, and one script.
CALL_BYTES: Final = 2 * 1024 * 1024
#: After Redis failed to answer, nothing is sent for so long; then one call tries again.
BREAK_SECONDS: Final = 1.0
#: From so many events on they are encoded in a thread, to keep the event loop free.
_MANY: Final = 50


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event that was decoded and found valid."""

    kind: Kind
    #: The event as it was sent: one JSON object.
    body: bytes
    source: str
    tenant: str
    #: The client's id.
    event_id: str | None
    #: Its `mapped` is the event's priority.
    severity: Severity
    #: Seconds to wait before it is queued.
    delay: float = 0.0
    #: Whose event it is, where its kind says so: the user's latest one is found by it.
    user: str = ""
    #: Who is told what becomes of it: a URL, or from code of ours a dotted path (see `ingest.callbacks.targets`).
    callback: str = ""
    #: What was odd and taken nevertheless: dicts with at least `code` and `detail`.
    warnings: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event."""

    event: Incoming
    #: Ours: the job's id.
    id: str
    #: `accepted`: durably stored now. `duplicate`: the same event was stored before. `id_reused`:
    #: refused, another body was stored under this id. `full`: refused, its queue is at its limit.
    #: `unavailable`: Redis went away before its turn. `unknown`: during its turn, so it may be stored.
    outcome: Literal["accepted", "duplicate", "id_reused", "full", "unavailable", "unknown"]
    #: A state of the contract: of this job, or for a duplicate of the first copy's.
    state: str

    @property
    def stored(self) -> bool:
        return self.outcome in {"accepted", "duplicate"}


class Unavailable(Exception):
    """Nothing can be stored durably now. With `unknown` the last call's outcome is not known."""

    def __init__(self, detail: str, *, unknown: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.unknown = unknown


def derived_id(kind: str, tenant: str, source: str, event_id: str) -> str:
    """Our id of an event with a client's id: 128 bits, the same for every copy."""
    # NUL parts them unmistakably: no text that was let in holds one.
    return hashlib.sha256("\0".join((kind, tenant, source, event_id)).encode()).hexdigest()[:32]


def user_digest(kind: str, tenant: str, user: str) -> str:
    """What a user's latest job is kept under."""
    return hashlib.sha256("\0".join((kind, tenant, user)).encode()).hexdigest()[:32]


def accept(events: Sequence[Incoming]) -> list[Receipt]:
    """Store events durably; a receipt for each, in their order.

    Returns after Redis has answered, within about 0.5 s a call. When Redis goes away between two
    calls, the rest has the outcome `unavailable`. Raises Unavailable when nothing was stored.
    """
    received_at = datetime.now(UTC)
    calls = _calls(_job(event, received_at) for event in events)
    if len(events) <= CALL_JOBS:
        answered = [(call, _send(call)) for call in calls]
    else:
        # A thread sends, so that the next call is encoded while Redis works on this one.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="accept") as sender:
            sent = [(call, sender.submit(_send, call)) for call in calls]
        answered = [(call, future.result()) for call, future in sent]
    jobs = [job for call, _ in answered for job in call]
    return _receipts(events, jobs, [answer for _, answers in answered for answer in answers])


async def accept_async(events: Sequence[Incoming]) -> list[Receipt]:
    """The same on an event loop, in groups with what other requests bring.

    Cancelling the caller cancels its waiting alone: what was sent by then is stored.
    """
    jobs = _jobs(events) if len(events) < _MANY else await asyncio.to_thread(_jobs, events)
    return _receipts(events, jobs, await _group_commit().enqueue(jobs))


class Breaker:
    """Open after Redis failed: requests are answered at once, and one call a second tries again."""

    def __init__(self) -> None:
        self._open_until = 0.0

    def lets_through(self) -> bool:
        now = time.monotonic()
        if now < self._open_until:
            return False
        if self._open_until:
            # This one tries; the others go on being refused until it knows.
            self._open_until = now + BREAK_SECONDS
        return True

    def trip(self, error: Exception) -> Unavailable:
        """Open. Returns what to tell those whose call failed."""
        if not self._open_until:
            logger.error("Redis does not take events in: %s", error)
        self._open_until = time.monotonic() + BREAK_SECONDS
        return _failure(error)

    def reset(self) -> None:
        if self._open_until:
            logger.warning("Redis takes events in again.")
        self._open_until = 0.0


class GroupCommit:
    """Collects jobs while a call is in flight; one task of its own sends them."""

    def __init__(self, transitions: AsyncTransitions) -> None:
        self._transitions = transitions
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def enqueue(self, jobs: Sequence[NewJob]) -> "list[_Answer]":
        """An answer for each job, in their order."""
        if not jobs:
            return []
        request = _Request(jobs)
        self._waiting.extend(_Waiting(request, position) for position in range(len(jobs)))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await request.answered

    async def _send(self) -> None:
        try:
            while group := self._next_group():
                answers = await self._call([waiting.job for waiting in group])
                for waiting, answer in zip(group, answers, strict=True):
                    waiting.answer(answer)
        except BaseException as error:
            # A fault of ours, or the loop is closing: nobody may wait for ever.
            for waiting in (*group, *self._waiting):
                waiting.request.fail(error)
            self._waiting.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            self._sending = None

    async def _call(self, jobs: list[NewJob]) -> "Sequence[_Answer]":
        if not breaker.lets_through():
            return [_not_sent()] * len(jobs)
        try:
            results = await self._transitions.enqueue(jobs)
        except redis.RedisError as error:
            return [breaker.trip(error)] * len(jobs)
        breaker.reset()
        return results

    def _next_group(self) -> "list[_Waiting]":
        """The oldest that wait, within the bounds of one call; without those whose client is gone."""
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < CALL_JOBS:
            waiting = self._waiting[0]
            if not waiting.request.answered.done():
                size += len(waiting.job.data)
                if group and size > CALL_BYTES:
                    break
                group.append(waiting)
            self._waiting.popleft()
        return group


class _Request:
    """The jobs of one caller, and the future that it awaits."""

    def __init__(self, jobs: Sequence[NewJob]) -> None:
        self.jobs = jobs
        self.answered: asyncio.Future[list[_Answer]] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, _Answer] = {}

    def answer(self, position: int, answer: "_Answer") -> None:
        self._answers[position] = answer
        if len(self._answers) == len(self.jobs) and not self.answered.done():
            self.answered.set_result([self._answers[position] for position in range(len(self.jobs))])

    def fail(self, error: BaseException) -> None:
        if self.answered.done():
            return
        if isinstance(error, Exception):
            self.answered.set_exception(error)
        else:
            self.answered.cancel()


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: _Request
    position: int

    @property
    def job(self) -> NewJob:
        return self.request.jobs[self.position]

    def answer(self, answer: "_Answer") -> None:
        self.request.answer(self.position, answer)


_Answer = EnqueueResult | Unavailable

#: One for the process: both ways in ask the same Redis.
breaker: Final = Breaker()
_group_commits: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit] = WeakKeyDictionary()


@lru_cache(maxsize=2)
def _transitions(connection: redis.Redis) -> Transitions:
    """Kept with its connection: making one hashes every script."""
    return Transitions(connection)


def _group_commit() -> GroupCommit:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _group_commits:
        _group_commits[loop] = GroupCommit(AsyncTransitions(async_acceptance_connection()))
    return _group_commits[loop]


def _send(call: Sequence[NewJob]) -> "Sequence[_Answer]":
    if not breaker.lets_through():
        return [_not_sent()] * len(call)
    try:
        results = _transitions(acceptance_connection()).enqueue(call)
    except redis.RedisError as error:
        return [breaker.trip(error)] * len(call)
    breaker.reset()
    return results


def _jobs(events: Sequence[Incoming]) -> list[NewJob]:
    received_at = datetime.now(UTC)
    return [_job(event, received_at) for event in events]


def _job(event: Incoming, received_at: datetime) -> NewJob:
    if event.event_id is None:
        return job_of(event, uuid_utils.uuid7().hex, received_at, recognise=False)
    return job_of(event, derived_id(event.kind.name, event.tenant, event.source, event.event_id), received_at)


def job_of(event: Incoming, job_id: str, received_at: datetime, *, recognise: bool = True) -> NewJob:
    """The job that carries an event. With `recognise` a second copy under this id is found by its marker."""
    kind = event.kind
    priority = event.severity.mapped.value
    payload = Payload(
        id=job_id,
        kind=kind.name,
        received_at=received_at,
        priority=priority,
        source=event.source,
        tenant=event.tenant,
        event_id=event.event_id,
        body=event.body,
    )
    return NewJob(
        id=job_id,
        queue=priority,
        data=encode(payload),
        kind=kind.name,
        source=event.source,
        tenant=event.tenant,
        event_id=event.event_id,
        received_at=received_at,
        timeout=kind.timeout,
        result_ttl=kind.result_ttl,
        mode=kind.mode,
        dead_letters=kind.dead_letters,
        retry_delays=kind.retry_delays,
        delay=event.delay,
        callback=event.callback,
        queue_limit=settings.QUEUE_LIMITS[priority],
        user=user_digest(kind.name, event.tenant, event.user) if event.user else "",
        body_hash=hashlib.sha256(event.body).hexdigest() if recognise else None,
        marker_seconds=(kind.dedup_seconds or settings.INGEST_DEDUP_SECONDS) if recognise else 0,
    )


def _calls(jobs: Iterable[NewJob]) -> Iterator[list[NewJob]]:
    call: list[NewJob] = []
    size = 0
    for job in jobs:
        if call and (len(call) == CALL_JOBS or size + len(job.data) > CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(job)
        size += len(job.data)
    if call:
        yield call


def _receipts(events: Sequence[Incoming], jobs: Sequence[NewJob], answers: "Sequence[_Answer]") -> list[Receipt]:
    """Raises Unavailable when no event was dealt with."""
    failures = [answer for answer in answers if isinstance(answer, Unavailable)]
    if failures and len(failures) == len(answers):
        # If any call may have stored something, the sender must hear of that one.
        raise next((failure for failure in failures if failure.unknown), failures[0])
    return [_receipt(event, job, answer) for event, job, answer in zip(events, jobs, answers, strict=True)]


def _receipt(event: Incoming, job: NewJob, answer: "_Answer") -> Receipt:
    if isinstance(answer, Unavailable):
        return Receipt(event, job.id, "unknown" if answer.unknown else "unavailable", "")
    match answer.outcome:
        case "queued" | "scheduled":
            return Receipt(event, job.id, "accepted", answer.outcome)
        case "duplicate":
            return Receipt(event, job.id, "duplicate", answer.state)
        case _:
            return Receipt(event, job.id, answer.outcome, answer.state)


#: Answers of Redis, or of our own pool, that mean that nothing was written: out of memory, read only,
#: still loading, wrong password, no connection free.
_REFUSALS: Final = (
    redis.ResponseError,
    redis.exceptions.BusyLoadingError,
    redis.AuthenticationError,
    redis.exceptions.MaxConnectionsError,
)


def _not_sent() -> Unavailable:
    return Unavailable("Redis does not answer; nothing was stored.")


def _failure(error: Exception) -> Unavailable:
    """What a failed call means for its events."""
    if isinstance(error, _REFUSALS):
        return Unavailable("Redis does not take writes now; nothing was stored.")
    if isinstance(error.__context__, ConnectionRefusedError | FileNotFoundError):
        return Unavailable("Redis cannot be reached; nothing was stored.")
    return Unavailable(
        "Redis did not answer in time, so the event may have been stored. Sent again with an id, a copy is recognised.",
        unknown=True,
    )
