"""Stalled jobs taken back, against a real Valkey and database."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import operations
from tests.console.conftest import Jobs, outcome

pytestmark = pytest.mark.django_db


def test_a10_only_lapsed_leases_are_taken_back(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(5)
    jobs.start(limit=3, lease=-1)
    stalled = jobs.claimed
    jobs.start(limit=1, lease=30)
    result = operations.recover_stalled(actor="ada")
    assert (result.total, dict(result.requeued), result.dead) == (3, {"high": 3}, 0)
    assert result.sentence == "3 jobs taken back to the front of high."
    assert [member.decode() for member in empty_redis.lrange(keys.queue("high"), 0, 2)] == stalled
    assert empty_redis.zcard(keys.started("high")) == 1
    assert (outcome().actor, outcome().action, outcome().count) == ("ada", "recover_stalled", 3)


def test_recovering_more_than_one_call_takes(jobs: Jobs) -> None:
    jobs.enqueue(250)
    for _ in range(3):
        jobs.start(limit=100, lease=-1)
    assert operations.recover_stalled(actor="ada").total == 250


def test_a10_live_work_only_when_it_is_older_than_asked(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(2)
    jobs.start(limit=2, lease=600)
    empty_redis.hset(keys.job(jobs.claimed[0]), "started_at", "2026-01-01T00:00:00.000000Z")
    assert operations.recover_stalled(actor="ada").total == 0
    assert operations.recover_stalled(actor="ada", older_than=3600).total == 1


def test_nothing_stalled_says_so(empty_redis: redis.Redis) -> None:
    result = operations.recover_stalled(actor="ada")
    assert (result.total, result.sentence) == (0, "No job was stalled; nothing was changed.")


@pytest.mark.usefixtures("no_redis")
def test_without_redis_it_raises_and_the_log_says_it_failed() -> None:
    with pytest.raises(redis.RedisError):
        operations.recover_stalled(actor="ada")
    assert outcome().outcome.startswith("failed: ConnectionError")
