"""Jobs as acceptance makes them, and what is in the spool."""

from typing import Any

from ingest.accept import Incoming
from ingest.accept.jobs import new_jobs
from ingest.kinds import ALERT, Kind
from ingest.models import SpooledEvent
from ingest.priorities import Priority, Severity
from ingest.queue.transitions import NewJob


def event(
    title: str = "x", *, event_id: str | None = None, priority: str = "high", kind: Kind = ALERT, **more: Any
) -> Incoming:
    return Incoming(
        kind=kind,
        body=f'{{"title":"{title}"}}'.encode(),
        source="edge",
        tenant="",
        event_id=event_id,
        severity=Severity(None, Priority(priority), "priority"),
        **more,
    )


def job(title: str = "x", **more: Any) -> NewJob:
    [made] = new_jobs([event(title, **more)])
    return made


def spooled() -> list[str]:
    """The ids in the order in which they leave."""
    return list(SpooledEvent.objects.order_by("rank", "place").values_list("id", flat=True))
