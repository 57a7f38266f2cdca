"""Dead letters with errors of a test's choosing, and `manage.py dlq` to look at them as a person does."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.queue.payload import Payload, encode
from tests.console.conftest import Jobs


def dlq(*arguments: str) -> str:
    out = io.StringIO()
    call_command("dlq", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refused(*arguments: str) -> tuple[int, str]:
    """(exit code, sentence)."""
    with pytest.raises(CommandError) as caught:
        dlq(*arguments)
    return caught.value.returncode, str(caught.value)


def fail(
    jobs: Jobs, count: int = 1, *, message: str = "no such device", kind: str = "ValueError", **more: Any
) -> list[str]:
    """Dead letters with this error."""
    ids = jobs.fail(count, **more)
    for job_id in ids:
        connection().hset(keys.job(job_id), mapping={keys.ERROR_TYPE: kind, keys.ERROR_MESSAGE: message})
    return ids


def carry(job_id: str, body: bytes) -> None:
    """Let a job carry this event."""
    made = Payload(job_id, "alert", datetime.now(UTC), "high", "test", "", None, body)
    connection().hset(keys.job(job_id), "data", encode(made))
