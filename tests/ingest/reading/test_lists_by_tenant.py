"""A list for one tenant holds nobody else's jobs, whatever their state."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.conf import settings

from ingest.models import Event
from ingest.queue.transitions import Failure, NewJob, Transitions, new_id
from ingest.reading import lists

pytestmark = pytest.mark.django_db


def put(transitions: Transitions, state: str, number: int, tenant: str) -> str:
    job_id = f"{state}-{number:02d}"
    if state == "finished":
        Event.objects.create(
            id=job_id, received_at=datetime.now(UTC), kind="alert", priority="high", tenant=tenant, body="{}",
            processed_at=datetime.now(UTC),
        )  # fmt: skip
        return job_id
    retries = (60.0,) if state == "retrying" else ()
    delay = 60.0 if state == "scheduled" else 0.0
    queue = "high" if state in ("retrying", "failed", "started") else "low"
    job = NewJob(job_id, queue, b"{}", "alert", tenant=tenant, retry_delays=retries, delay=delay)
    transitions.enqueue([job])
    if queue == "high":
        claim = transitions.claim("w", ["high"], claim_id=new_id(), lease=60)
        assert claim is not None
        if state != "started":
            failure = Failure(job_id=job_id, error="x", reason="error", retry=state == "retrying")
            transitions.fail("high", claim.id, "w", [failure])
    elif state in ("trash", "canceled"):
        (transitions.discard if state == "trash" else transitions.cancel)(queue, [job_id])
    return job_id


@pytest.mark.parametrize("state", lists.STATES)
def test_only_the_tenant_s(empty_redis: redis.Redis, state: str) -> None:
    transitions = Transitions(empty_redis)
    owners = [("acme", "globex", "")[number % 3] for number in range(12)]
    ids = [put(transitions, state, number, owner) for number, owner in enumerate(owners)]

    def listed(tenant: str | None) -> set[str]:
        found: set[str] = set()
        cursor = None
        while True:
            page = lists.jobs(
                empty_redis,
                state,
                queues=settings.PRIORITIES,
                kind=None,
                cursor=cursor,
                limit=3,
                tenant=tenant,
            )
            found |= {job.id for job in page.items}
            cursor = page.next
            if cursor is None:
                return found

    for tenant in ("acme", "globex", ""):
        own: Any = {job_id for job_id, owner in zip(ids, owners, strict=True) if owner == tenant}
        assert listed(tenant) == own
    assert listed(None) == set(ids)
    assert listed("nobody") == set()
