"""Work for a leader: jobs in Redis, and jobs whose worker is gone."""

import pytest
import redis

from ingest.maintenance import recovery
from tests.ingest.worker.conftest import Work


@pytest.fixture
def work(empty_redis: redis.Redis) -> Work:
    return Work(empty_redis)


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", 0)


def abandoned(work: Work, number: int = 1, queue: str = "high", claim: str = "c") -> list[str]:
    """Jobs whose worker claimed them and died."""
    ids = work.put(*[{"title": "x"}] * number, queue=queue)
    claimed = 0
    while claimed < number:
        found = work.transitions.claim("dead", [queue], claim_id=f"{claim}{claimed}", lease=-1)
        assert found is not None
        claimed += len(found.jobs)
    return ids
