"""The index of dead letters, written step by step."""

import pytest
import redis

from queueadmin.console.failures import Indexer
from queueadmin.console.models import Failure


@pytest.fixture
def indexer(empty_redis: redis.Redis) -> Indexer:
    return Indexer(empty_redis, lambda: True)


def indexed() -> set[str]:
    return set(Failure.objects.values_list("job_id", flat=True))
