"""Jobs in every state and every store."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from ingest.models import Event, SpooledEvent
from ingest.queue.payload import Payload, encode
from ingest.spool import rows
from tests.console.conftest import WORKER, Jobs

#: What a row keeps of its job.
_REST = msgspec.json.encode(rows.Rest(300, 0, "", True, (1.0,), "", "", 3600)).decode()


def finished(job_id: str, **more: Any) -> str:
    at: datetime = more.pop("at", None) or timezone.now()
    values = {"kind": "alert", "priority": "high", "source": "rows", "body": '{"title":"done"}', "processed_at": at}
    return Event.objects.create(id=job_id, received_at=at, **(values | more)).id


def spooled(job_id: str, state: str = "spooled", *, place: int = 1, queue: int = 1, **more: Any) -> str:
    now = timezone.now()
    data = encode(Payload(job_id, "alert", now, "high", "spool", "", None, b'{"title":"kept"}'))
    values: dict[str, Any] = {"due_at": now, "received_at": now, "kind": "alert", "source": "spool", "job": _REST}
    if state in ("failed", "trash"):
        values |= {"failed_at": now, "reason": "error", "error_type": "OSError", "error_message": "no way"}
    return SpooledEvent.objects.create(id=job_id, state=state, rank=queue, place=place, data=data, **(values | more)).id


def everywhere(jobs: Jobs) -> dict[str, list[str]]:
    """State → ids, in the order of its list."""
    (dead,) = jobs.fail()
    (later,) = jobs.enqueue(queue="low", retries=(600,))
    jobs.transitions.fail("low", jobs.start(queue="low"), WORKER, [jobs.failure(later, retry=True)])
    (started,) = jobs.enqueue(queue="critical")
    jobs.start(queue="critical")
    canceled, discarded, *queued = jobs.enqueue(5)
    jobs.transitions.cancel("high", [canceled])
    jobs.transitions.discard("high", [discarded])
    now = timezone.now()
    return {
        "started": [started, spooled("s-started", "started")],
        "queued": queued,
        "spooled": [spooled("s-1", place=1_790_000_000_000_000_001), spooled("s-2", place=1_790_000_000_000_000_002)],
        "retrying": [later, spooled("s-retrying", "retrying")],
        "failed": [dead, spooled("s-dead", "failed"), spooled("s-older", "failed", failed_at=now - timedelta(hours=2))],
        "canceled": [canceled],
        "trash": [discarded, spooled("s-trash", "trash")],
        "finished": [finished("done-2", at=now), finished("done-1", at=now - timedelta(hours=3), source="edge")],
    }


@pytest.fixture
def places(jobs: Jobs, db: None) -> dict[str, list[str]]:
    return everywhere(jobs)
