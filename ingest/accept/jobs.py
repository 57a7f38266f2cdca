"""The job that carries an event."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import uuid_utils
from django.conf import settings

from ingest.accept.events import Incoming
from ingest.accept.ids import derived_id, ordering_digest, user_digest
from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import NewJob

#: Seconds for which an event is recognised by an id that its request gave it: as long as requests can be repeated.
OWN_ID_SECONDS: Final = 24 * 3600

_MICROSECOND: Final = timedelta(microseconds=1)


def new_jobs(events: Sequence[Incoming]) -> list[NewJob]:
    """A job for each, under an id by the client's, by its request, or a new one."""
    return list(each_new_job(events))


def each_new_job(events: Sequence[Incoming]) -> Iterator[NewJob]:
    """The same one by one. Each is received a microsecond after the one before: alerts that name no time of their
    own keep their order.
    """
    received_at = datetime.now(UTC)
    for event in events:
        yield new_job(event, received_at)
        received_at += _MICROSECOND


def new_job(event: Incoming, received_at: datetime) -> NewJob:
    name, tenant = event.kind.name, event.tenant
    if event.event_id is not None:
        identity = event.identity or (event.source, event.event_id)
        return job_of(event, derived_id(name, tenant, *identity), received_at)
    if event.own_id:
        return job_of(event, event.own_id, received_at)
    if event.identity:
        # An id is good for its window; the marker of the one in the window before tells a copy across their border.
        number = int(received_at.timestamp() // event.window)
        now, before = (derived_id(name, tenant, *event.identity, str(each)) for each in (number, number - 1))
        return msgspec.structs.replace(job_of(event, now, received_at), previous=before)
    return job_of(event, uuid_utils.uuid7().hex, received_at, recognise=False)


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
        type=kind.type,
        own_workers=kind.own_workers,
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
        body_hash=hashlib.sha256(event.repeat.encode() or event.body).hexdigest() if recognise else None,
        marker_seconds=_window(event) if recognise else 0,
        ordering_key=ordering_digest(kind.name, event.tenant, event.ordering_key) if event.ordering_key else "",
    )


def _window(event: Incoming) -> int:
    """Seconds for which a second copy is recognised."""
    seconds = event.window or event.kind.dedup_seconds or settings.INGEST_DEDUP_SECONDS
    return max(seconds, OWN_ID_SECONDS) if event.own_id and event.event_id is None else seconds
