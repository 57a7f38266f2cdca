"""Dead letters put back, against a real Valkey and database."""

import re
from typing import Any

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.operations import Elsewhere, retries
from tests.console.conftest import WORKER, Jobs, outcome
from tests.console.dead_letters.test_ahead import put_ahead

pytestmark = pytest.mark.django_db


def test_d4_a_dead_letter_goes_back_with_its_retries(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.fail()
    result = operations.retry([job_id], actor="ada", reason="fixed")
    assert (result.moved, dict(result.already)) == ((job_id,), {})
    assert result.sentence == "1 job put back into the queue."
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [job_id.encode()]
    entry = outcome()
    assert (entry.target, entry.reason, entry.count) == (job_id, "fixed", 1)


def test_retry_says_what_had_moved_already(jobs: Jobs) -> None:
    dead = jobs.fail(2)
    (waiting,) = jobs.enqueue()
    result = operations.retry([*dead, waiting, "unknown", dead[0]], actor="ada")
    assert set(result.moved) == set(dead)
    assert dict(result.already) == {waiting: Elsewhere("queued"), "unknown": Elsewhere("gone")}
    assert result.sentence == "2 jobs put back into the queue; 2 jobs had moved already (gone, queued)."


def test_a_second_retry_moves_nothing_and_says_who_was_first(jobs: Jobs) -> None:
    ids = jobs.fail(3)
    operations.retry(ids, actor="ada")
    again = operations.retry(ids, actor="bob")
    assert not again.moved
    assert {(found.state, found.moved_by) for found in again.already.values()} == {("queued", "ada")}
    assert all(found.moved_at for found in again.already.values())
    assert outcome().count == 0
    one = operations.retry(ids[:1], actor="bob")
    assert re.fullmatch(r"1 job had moved already \(queued, by ada at \d\d:\d\d:\d\d UTC\)\.", one.sentence)


def test_who_was_first_is_told_when_the_job_is_done_and_gone_already(jobs: Jobs) -> None:
    """Its hash went with its completion; the audit log knows."""
    (job_id,) = jobs.fail()
    operations.retry([job_id], actor="ada")
    claim = jobs.start()
    jobs.transitions.complete("high", claim, WORKER, [job_id])
    (found,) = operations.retry([job_id], actor="bob").already.values()
    assert (found.state, found.moved_by) == ("gone", "ada")


def test_a_dead_letter_may_go_into_another_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.fail()
    result = operations.retry([job_id], to="low", actor="ada")
    assert result.sentence == "1 job put into low."
    assert empty_redis.lrange(keys.queue("low"), 0, -1) == [job_id.encode()]
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.retry([job_id], to="urgent", actor="ada")


def test_b17_retry_all_of_every_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(230, queue="high")
    jobs.fail(20, queue="low")
    result = operations.retry_all(actor="ada")
    assert (result.moved, result.poison) == (250, 0)
    assert result.sentence == "250 jobs put back into the queue."
    assert empty_redis.llen(keys.queue("high")) == 230
    assert (outcome().action, outcome().target, outcome().count) == ("retry_all", "all", 250)


def test_retry_all_of_one_queue_leaves_the_others(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3, queue="high")
    jobs.fail(2, queue="low")
    assert operations.retry_all(actor="ada", queue="low").moved == 2
    assert empty_redis.zcard(keys.failed("high")) == 3


def test_retry_all_leaves_poison_unless_asked(jobs: Jobs) -> None:
    jobs.fail(150, reason="poison")
    jobs.fail(150)
    result = operations.retry_all(actor="ada")
    assert (result.moved, result.poison) == (150, 150)
    assert result.sentence == "150 jobs put back into the queue; 150 jobs left out, being poison."
    assert operations.retry_all(actor="ada", include_poison=True).moved == 150


def test_retry_all_tells_what_is_marked_permanent_apart_from_poison(jobs: Jobs) -> None:
    jobs.fail(9, reason="poison")
    marked = [*jobs.fail(3), *jobs.fail(1, reason="poison")]
    jobs.transitions.mark("high", marked, permanent=True)
    said = "13 jobs left out: 10 poison, 3 marked permanent."
    assert (operations.retry_all(actor="ada").sentence, outcome().outcome) == (said, said)
    assert operations.retry_all(actor="ada", include_permanent=True).sentence == (
        "3 jobs put back into the queue; 10 jobs left out, being poison."
    )
    assert operations.retry_all(actor="ada", include_poison=True).sentence == (
        "9 jobs put back into the queue; 1 job left out, marked permanent."
    )


def test_retry_all_is_frozen_at_the_press(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, empty_redis: redis.Redis
) -> None:
    """A job that fails again while the rest is still being put back stays dead."""
    jobs.fail(150)
    requeue = retries.Transitions.requeue

    def requeue_and_fail_again(self: retries.Transitions, name: str, ids: list[str], **more: Any) -> list[str]:
        moved = requeue(self, name, ids, **more)
        claim = jobs.start(limit=1)
        jobs.transitions.fail("high", claim, WORKER, [jobs.failure(jobs.claimed[0])])
        return moved

    monkeypatch.setattr(retries.Transitions, "requeue", requeue_and_fail_again)
    assert operations.retry_all(actor="ada").moved == 150
    assert empty_redis.zcard(keys.failed("high")) == 2


def test_retry_all_takes_what_stock_workers_left(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Their score is -1, or when the entry expires."""
    ids = jobs.fail(3)
    empty_redis.zadd(keys.failed("high"), {ids[0]: -1, ids[1]: 1_900_000_000})
    assert operations.retry_all(actor="ada").moved == 3


def test_retry_all_drops_entries_without_a_job(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(120)
    empty_redis.delete(*(keys.job(job_id) for job_id in ids[:110]))
    assert operations.retry_all(actor="ada").moved == 10


def test_retry_all_of_an_unknown_queue_names_the_four(empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.retry_all(actor="ada", queue="urgent")


def test_retry_all_takes_what_lies_ahead_of_redis_clock_along(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """It was set back since they failed."""
    ids = jobs.fail(4)
    put_ahead(empty_redis, ids[:2])
    assert operations.retry_all(actor="ada").moved == 4
