"""Running events: saving them once and handing the new ones to their kind's handler.

Delivery is at least once, so a run may be a repetition. The row is the proof: it is inserted once, in the
same transaction as a batch handler's own writes, and the handler gets only the events whose row is new. So
for handlers that touch the database alone, effects happen once. Effect handlers: see `ingest.effects`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.conf import settings
from msgspec import structs
from rq import get_current_job
from rq.job import Job

from ingest import database, effects
from ingest.kinds import Context, Kind, faults, kind_of
from ingest.kinds.kind import BatchHandler
from ingest.queue.payload import FUNCTION, Payload, from_envelope
from ingest.signals import processed
from ingest.store import save_events, save_results


def allowed_functions() -> frozenset[str]:
    """The functions that a job may name, whoever enqueued it. Anything else in Redis runs nothing."""
    return frozenset({FUNCTION, *settings.ALLOWED_JOB_FUNCTIONS})


def process_event(envelope: Mapping[str, Any]) -> Any:
    """The RQ function: run one event. A stock worker calls it; the batch worker runs many at once.

    Returns what an effect handler returns. Raises what the handler raises; an error that forbids a retry
    takes the job's retries away first.
    """
    job = get_current_job()
    try:
        payload = from_envelope(envelope, job.id if job else "")
        kind = kind_of(payload)
        attempts = _executions_before(job) if job else 0
        if kind.batch:
            return process(kind, [(payload, attempts)]).get(payload.id)
        return _process_effect(kind, payload, Context(payload.id, attempt=attempts + 1))
    except Exception as error:
        if job is not None and not may_retry(error):
            job.retries_left = 0
        raise


def may_retry(error: BaseException) -> bool:
    """Whether trying again may help: not where the error says that it cannot (`retry = False`)."""
    return getattr(error, "retry", True) is not False


def process(kind: Kind, events: Sequence[tuple[Payload, int]]) -> Mapping[str, Any]:
    """Run events of one kind with a batch handler, each with the number of its executions before this one.

    Returns what the handler says of each by its id; nothing of those that an earlier execution stored.
    All or none: raises DatabaseAway, or whatever the handler or one of the events raises; nothing is stored then.
    """
    # Before the transaction, since `slow` must not hold SQLite's one write lock; the slow ones last,
    # so that an event that fails is found before anybody waits.
    for payload, attempts in sorted(events, key=lambda event: b'"slow:' in event[0].body):
        faults.apply(payload, attempts)
    payloads = [payload for payload, _ in events]
    results, fresh = database.in_transaction(lambda: _store(kind, payloads))
    if fresh and processed.receivers:
        processed.send_robust(kind.name, payloads=fresh)
    return results


def _store(kind: Kind, payloads: Sequence[Payload]) -> tuple[Mapping[str, Any], list[Payload]]:
    """The results, and the events that were new."""
    saved = save_events(payloads if kind.keeps_body else [_without_body(payload) for payload in payloads])
    fresh = [payload for payload in payloads if payload.id in saved]
    results = cast(BatchHandler, kind.handler)(fresh) or {}
    if kind.result_ttl:
        # Redis keeps results for a while, and none of what ran without it.
        save_results(fresh, results)
    return results, fresh


def _without_body(payload: Payload) -> Payload:
    """But where its sender gave it an id: by the body a copy is told from another event under that id."""
    return payload if payload.event_id is not None else structs.replace(payload, body=b"{}")


def _process_effect(kind: Kind, payload: Payload, context: Context) -> Any:
    """Run one event with an effect handler, unless its row says done."""
    if effects.begin([payload]):
        return None
    if kind.is_async:
        result = asyncio.run(effects.run_async(kind, payload, context))
    else:
        result = effects.run(kind, payload, context)
    effects.finish([payload])
    return result


def _executions_before(job: Job) -> int:
    """How often a job that a stock worker runs was executed: our count, or the retries it has used."""
    counted = int(job.connection.hget(job.key, "attempts") or 0)
    return max(counted, len(job.retry_intervals or ()) - (job.retries_left or 0))
