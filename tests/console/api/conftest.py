"""Programs that call: one on this machine, and ones with keys."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from ingest.api import keys as api_keys
from ingest.models import ApiKey

BACKEND = "django.contrib.auth.backends.ModelBackend"
READING = [
    "/queue/status",
    "/api/admin/queue/health",
    "/api/v1/queues",
    "/api/v1/history",
    "/api/v1/latencies",
    "/api/v1/jobs/x",
    "/api/v1/jobs/x/payload",
    "/api/v1/jobs?ids=x",
    "/api/v1/jobs/lookup?id=x",
    "/api/v1/batches/x",
    "/api/v1/devices",
    "/api/v1/schedules",
    "/api/v1/schedules/x",
]
RECOVER = "/api/admin/queue/recover-stalled"
#: Every endpoint that changes something.
OPERATING = [
    RECOVER,
    "/api/v1/queues/pause",
    "/api/v1/queues/resume",
    *(f"/api/v1/queues/high/{verb}" for verb in ("pause", "resume", "empty")),
    *(f"/api/v1/jobs/x/{verb}" for verb in ("retry", "run-now", "cancel", "discard", "restore", "move")),
    "/api/v1/jobs/x/duplicate",
    "/api/v1/jobs/x/payload/reveal",
]
#: Those that work without Redis too.
SCHEDULING = ["/api/v1/schedules", *(f"/api/v1/schedules/x/{verb}" for verb in ("pause", "resume", "run-now"))]


@pytest.fixture
def local() -> Client:
    """A program on this machine, without a key."""
    return Client(headers={"host": "localhost"})


@pytest.fixture
def with_key() -> Callable[..., Client]:
    def make(scopes: str) -> Client:
        key = api_keys.new_key()
        ApiKey.objects.create(name=f"for {scopes}", prefix=key[:8], digest=api_keys.digest(key), scopes=scopes)
        return Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})

    api_keys.forget()
    return make


@pytest.fixture
def admin(with_key: Callable[..., Client]) -> Client:
    return with_key("admin")


def problem_of(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer must be."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()  # type: ignore[attr-defined]
    assert problem["code"] == code
    return problem
