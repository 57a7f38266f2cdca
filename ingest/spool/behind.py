"""Which events must go into the spool though Redis is there: those that follow what is still in it.

Another copy of a spooled event meets the first one there; an event with an ordering key goes behind those of its key.
The spool is nearly always empty, and each process keeps in mind whether it is. It knows of what it stored itself, and
asks about once a second, beside its events, for what other processes stored: so long an event may overtake another
one that another web process spooled just now.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from ingest.models import SpooledEvent
from ingest.queue.transitions import NewJob
from ingest.spool import writing
from ingest.spool.known import known
from ingest.spool.rows import State

#: Seconds for which what is known of the spool is taken for true.
KNOWN: Final = 1.0
#: Seconds that an event waits for the answer; the database may be away, and Redis is there.
PATIENCE: Final = 0.3

_NOTHING: Final[frozenset[str]] = frozenset()
_AHEAD: Final = (State.SPOOLED, State.STARTED, State.RETRYING)


def forget() -> None:
    """Know nothing, as a process that just began; the thread that writes ends."""
    writing.close()
    known.forget()


def behind(jobs: Sequence[NewJob]) -> frozenset[str]:
    """The ids of those that belong into the spool."""
    asked = _ask(jobs)
    if asked is None:
        return _NOTHING
    try:
        return asked.result(PATIENCE)
    except Exception:  # the database is away: nothing of the spool will move meanwhile either
        return _NOTHING


async def behind_async(jobs: Sequence[NewJob]) -> frozenset[str]:
    """The same on an event loop."""
    asked = _ask(jobs)
    if asked is None:
        return _NOTHING
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE)
    except Exception:
        return _NOTHING


def _ask(jobs: Sequence[NewJob]) -> "Future[frozenset[str]] | None":
    """The question whose answer must be waited for; None: there is nothing to wait for."""
    now = time.monotonic()
    fresh = now - known.asked_at < KNOWN
    if not known.used and fresh:
        return None
    if not fresh:
        known.asked_at = now
    ids = {job_id for job in jobs if job.body_hash for job_id in (job.id, job.previous) if job_id}
    ordered = {job.ordering_key for job in jobs if job.ordering_key}
    try:
        if not known.used and not ordered:
            writing.ask(_look)
            return None
        return writing.ask(lambda: _behind(jobs, ids, ordered, look=not fresh))
    except writing.Away:
        return None


def _look() -> None:
    known.used = SpooledEvent.objects.filter(state__in=_AHEAD).exists()


def _behind(jobs: Sequence[NewJob], ids: set[str], ordered: set[str], *, look: bool) -> frozenset[str]:
    if look:
        _look()
        if not known.used:
            return _NOTHING
    found = set(SpooledEvent.objects.filter(id__in=ids).values_list("id", flat=True)) if ids else set()
    ahead = SpooledEvent.objects.filter(ordering_key__in=ordered, state__in=_AHEAD)
    keys = set(ahead.order_by().values_list("ordering_key", flat=True).distinct()) if ordered else set()
    return frozenset(
        job.id
        for job in jobs
        if job.id in found or job.previous in found or (job.ordering_key and job.ordering_key in keys)
    )
