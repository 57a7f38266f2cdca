"""Events in, receipts out."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from weakref import WeakKeyDictionary

from django.conf import settings

from ingest.accept.events import Durability, Incoming, Receipt, Unavailable
from ingest.accept.groups import CALL_BYTES, CALL_JOBS, GroupCommit
from ingest.accept.jobs import each_new_job, new_jobs
from ingest.accept.ladder import Answer, send
from ingest.queue.connections import async_acceptance_connection
from ingest.queue.transitions import AsyncTransitions, NewJob
from ingest.signals import accepted

#: From so many events on they are encoded in a thread, to keep the event loop free.
_MANY: Final = 50


def accept(events: Sequence[Incoming], *, strict: bool = False) -> list[Receipt]:
    """Store events durably; a receipt for each, in their order.

    Returns after Redis has answered, within about 0.5 s a call, or the database has committed, within about 1.2 s.
    When both go away between two calls, the rest has the outcome `unavailable`. Raises Unavailable when nothing was
    stored.

    With `strict` all are stored or none: one that is refused, for its id or a full queue, leaves the others `withheld`.
    They must fit into one call then, CALL_JOBS and CALL_BYTES of bodies; raises ValueError.
    """
    if strict:
        jobs = new_jobs(_one_call(events))
        return _told(_receipts(events, jobs, send(jobs, strict=True)))
    calls = _calls(each_new_job(events))
    if len(events) <= CALL_JOBS:
        answered = [(call, send(call)) for call in calls]
    else:
        # A thread sends, so that the next call is encoded while Redis works on this one.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="accept") as sender:
            sent = [(call, sender.submit(send, call)) for call in calls]
        answered = [(call, future.result()) for call, future in sent]
    jobs = [job for call, _ in answered for job in call]
    return _told(_receipts(events, jobs, [answer for _, answers in answered for answer in answers]))


async def accept_async(events: Sequence[Incoming], *, strict: bool = False) -> list[Receipt]:
    """The same on an event loop, in groups with what other requests bring.

    Cancelling the caller cancels its waiting alone: what was sent by then is stored.
    """
    if strict:
        _one_call(events)
    jobs = new_jobs(events) if len(events) < _MANY else await asyncio.to_thread(new_jobs, events)
    receipts = _receipts(events, jobs, await _group_commit().enqueue(jobs, strict=strict))
    if accepted.receivers and (new := _new(receipts)):
        await accepted.asend_robust(None, receipts=new)
    return receipts


_group_commits: WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit] = WeakKeyDictionary()


def _group_commit() -> GroupCommit:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _group_commits:
        transitions = AsyncTransitions(async_acceptance_connection()) if settings.REDIS else None
        _group_commits[loop] = GroupCommit(transitions)
    return _group_commits[loop]


def _one_call(events: Sequence[Incoming]) -> Sequence[Incoming]:
    """Raises ValueError when they do not fit into one."""
    if len(events) > CALL_JOBS or sum(len(event.body) for event in events) > CALL_BYTES:
        raise ValueError(f"all or nothing is one call: at most {CALL_JOBS} events and {CALL_BYTES:,} bytes")
    return events


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


def _receipts(events: Sequence[Incoming], jobs: Sequence[NewJob], answers: Sequence[Answer]) -> list[Receipt]:
    """Raises Unavailable when no event was dealt with."""
    failures = [answer for answer in answers if isinstance(answer, Unavailable)]
    if failures and len(failures) == len(answers):
        # If any call may have stored something, the sender must hear of that one.
        raise next((failure for failure in failures if failure.unknown), failures[0])
    usual: Durability = "redis" if settings.REDIS else "database"
    return [_receipt(event, job, answer, usual) for event, job, answer in zip(events, jobs, answers, strict=True)]


def _told(receipts: list[Receipt]) -> list[Receipt]:
    if accepted.receivers and (new := _new(receipts)):
        accepted.send_robust(None, receipts=new)
    return receipts


def _new(receipts: Sequence[Receipt]) -> list[Receipt]:
    return [receipt for receipt in receipts if receipt.outcome == "accepted"]


def _receipt(event: Incoming, job: NewJob, answer: Answer, usual: Durability) -> Receipt:
    if isinstance(answer, Unavailable):
        return Receipt(event, job.id, "unknown" if answer.unknown else "unavailable", "")
    durability: Durability = "database" if answer.state == "spooled" else usual
    match answer.outcome:
        case "queued" | "scheduled":
            return Receipt(event, answer.id, "accepted", answer.state, durability)
        case refused_or_known:
            return Receipt(event, answer.id, refused_or_known, answer.state, durability)
