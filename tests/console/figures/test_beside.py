"""What is looked at less often than the counts."""

import pytest
import redis

from ingest.queue import keys
from queueadmin.console.figures import beside
from queueadmin.console.figures.beside import Looks, accounted, waiting
from queueadmin.console.figures.snapshot import Share, Waiting
from tests.conftest import wait_until
from tests.console.conftest import Jobs

pytestmark = pytest.mark.django_db


def test_x13_what_waits_by_source_kind_and_tenant(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(3, source="prometheus", tenant="acme")
    jobs.enqueue(1, source="zabbix", queue="low")
    assert waiting(empty_redis) == Waiting(
        4,
        False,
        (Share("prometheus", 3), Share("zabbix", 1)),
        (Share("alert", 4),),
        (Share("acme", 3), Share("", 1)),
    )


def test_x13_of_a_long_queue_a_sample_tells(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "SAMPLE", 20)
    monkeypatch.setattr(beside, "RUNS", 5)
    jobs.enqueue(150, source="one")
    jobs.enqueue(50, source="other")
    found = waiting(empty_redis)
    assert (found.jobs, found.estimated) == (200, True)
    assert {share.name for share in found.by_source} == {"one", "other"}
    assert sum(share.count for share in found.by_source) == pytest.approx(200, abs=1)
    # A fifth of the list is four jobs of its sample, so one run may be of either.
    assert found.by_source[0].count == pytest.approx(150, abs=41)


def test_the_rest_is_one_share(jobs: Jobs, empty_redis: redis.Redis) -> None:
    for number in range(8):
        jobs.enqueue(1 + (number < 5), source=f"s{number}")
    found = waiting(empty_redis)
    assert len(found.by_source) == 6
    assert found.by_source[-1] == Share("", 3, others=3)


def test_x12_every_accepted_job_is_accounted_for(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2)
    jobs.enqueue(5)
    told = accounted(empty_redis)
    assert (told.accepted, told.accounted, told.misplaced, told.provable) == (7, 7, 0, True)
    assert empty_redis.lpop(keys.queue("high"))
    told = accounted(empty_redis)
    assert (told.accepted, told.accounted) == (7, 6)


def test_it_looks_while_somebody_asks(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue(2)
    looks = Looks(empty_redis)
    try:
        wait_until(lambda: looks.seen().waiting.jobs == 2, what="a look")
    finally:
        looks.stop()
