"""Pausing and going on, against a real Valkey and database."""

import pytest
import redis

from ingest.queue import keys
from ingest.queue.transitions import Transitions
from queueadmin.console import operations
from tests.console.conftest import WORKER, Jobs, outcome

pytestmark = pytest.mark.django_db


def _claims(jobs: Jobs, queue: str) -> bool:
    return jobs.transitions.claim(WORKER, [queue], claim_id=f"c{next(jobs.numbers)}", limit=1, lease=30) is not None


def test_b3_a_paused_queue_is_not_claimed_from_until_it_is_resumed(jobs: Jobs) -> None:
    for queue in ("high", "low"):
        jobs.enqueue(3, queue=queue)
    paused = operations.pause("high", actor="ada", reason="their database is down")
    assert (paused.until, paused.sentence) == (None, "high is paused until resumed; what runs already goes on.")
    assert (outcome().actor, outcome().action, outcome().target) == ("ada", "pause", "high")
    assert outcome().reason == "their database is down"
    assert not _claims(jobs, "high")
    assert _claims(jobs, "low")
    assert operations.resume("high", actor="bob").sentence == "high goes on."
    assert (outcome().action, outcome().outcome) == ("resume", "high goes on.")
    assert _claims(jobs, "high")


def test_b3_a_pause_of_minutes_ends_by_redis_clock(jobs: Jobs, empty_redis: redis.Redis) -> None:
    now = empty_redis.time()[0]
    paused = operations.pause("high", minutes=15, actor="ada")
    assert paused.until is not None
    assert now + 900 <= paused.until <= now + 930
    assert empty_redis.zscore(keys.PAUSED, "high") == pytest.approx(paused.until, abs=0.001)
    assert paused.sentence == "high is paused for 15 min; what runs already goes on."


def test_pausing_all_is_one_pause_beside_those_of_single_queues(jobs: Jobs) -> None:
    jobs.enqueue(2)
    operations.pause("low", actor="ada")
    assert (
        operations.pause(None, actor="ada").sentence
        == "All queues are paused until resumed; what runs already goes on."
    )
    assert outcome().target == "all"
    assert not _claims(jobs, "high")
    held = operations.resume("high", actor="ada")
    assert (held.still_paused, held.sentence) == (("high",), "high is still paused, because all queues are.")
    assert not _claims(jobs, "high")
    resumed = operations.resume(None, actor="ada")
    assert (resumed.still_paused, resumed.sentence) == (("low",), "All queues go on; low is still paused.")
    assert _claims(jobs, "high")


def test_a_pause_that_comes_between_is_not_said_to_be_of_all(
    empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.pause("low", actor="bob")
    monkeypatch.setattr(Transitions, "resume", lambda *_: True)  # and bob presses again at once
    assert "by somebody who pressed at the same moment" in operations.resume("low", actor="ada").sentence


def test_resuming_what_is_not_paused_says_so(empty_redis: redis.Redis) -> None:
    assert operations.resume("low", actor="ada").sentence == "low was not paused; nothing was changed."
    assert operations.resume(None, actor="ada").sentence == "There was no pause of all queues; nothing was changed."


@pytest.mark.parametrize("minutes", [0, -1, 10_081, float("nan")])
def test_minutes_have_bounds(minutes: float, empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match="over 0 and at most 10,080"):
        operations.pause("low", minutes=minutes, actor="ada")
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        operations.pause("urgent", actor="ada")
    assert not empty_redis.exists(keys.PAUSED)
