"""The set that an operator has seen: what moved since is left, and chunks go in one queue each."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from ingest.queue import keys
from ingest.queue.calls import Call
from ingest.queue.connections import connection
from queueadmin.console import dead_letters, operations
from queueadmin.console.filters import parse
from queueadmin.console.models import AuditEntry
from tests.console.conftest import WORKER, Jobs, outcome

pytestmark = pytest.mark.django_db


def _frozen(words: str = "") -> dead_letters.Frozen:
    return dead_letters.freeze(dead_letters.matching(connection(), parse(words), now=datetime.now(UTC)))


def test_x1_what_moved_or_failed_anew_since_it_was_frozen_is_left(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """X1: neither what another operator was faster with nor what fails later is swept in."""
    ids = jobs.fail(5)
    with _frozen() as frozen:
        jobs.transitions.requeue("high", ids[:2])
        claim = jobs.start(limit=1)
        jobs.transitions.fail("high", claim, WORKER, [jobs.failure(ids[0])])
        jobs.fail(1)  # also takes the other one that was put back, which so fails anew
        result = operations.discard_frozen(frozen, chosen="kind:alert", actor="ada")
    assert (result.asked, result.moved, result.already) == (5, 3, 2)
    assert result.sentence == ("3 of 5 dead letters moved to the trash, kept for 24 h; 2 others had moved already.")
    assert {job_id.decode() for job_id in empty_redis.zrange(keys.trash("high"), 0, -1)} == set(ids[2:])


@pytest.mark.parametrize("what", [operations.discard_frozen, operations.retry_frozen])
def test_x1_one_that_fails_again_in_the_last_moment_is_left(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, what: Callable[..., operations.FrozenResult]
) -> None:
    """Between the last look and the script that moves it another operator was faster, and the job failed anew."""
    from ingest.queue.transitions import Transitions

    real = Transitions._run
    (job_id,) = jobs.fail(1)

    def run(self: Transitions, call: Call) -> Any:
        if call.script in ("requeue", "discard"):
            monkeypatch.setattr(Transitions, "_run", real)
            jobs.transitions.requeue("high", [job_id])
            claim = jobs.start(limit=1)
            jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id)])
        return real(self, call)

    with _frozen() as frozen:
        monkeypatch.setattr(Transitions, "_run", run)
        result = what(frozen, chosen="", actor="ada")
    assert (result.moved, result.already) == (0, 1)


def test_what_another_put_back_is_not_discarded_from_the_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(2)
    with _frozen() as frozen:
        jobs.transitions.requeue("high", ids)
        result = operations.discard_frozen(frozen, chosen="", actor="ada")
    assert result.sentence == "0 of 2 dead letters moved to the trash, kept for 24 h; 2 of them had moved already."
    assert empty_redis.llen(keys.queue("high")) == 2
    assert outcome().target == "all dead letters"


def test_frozen_sets_go_in_chunks_of_one_queue_each_job_once(jobs: Jobs) -> None:
    ids = [*jobs.fail(230), *jobs.fail(120, queue="low")]
    with _frozen() as frozen:
        chunks = [(name, [place.id for place in places]) for name, places in frozen.chunks(100)]
        assert len(frozen) == 350
    assert sorted(len(places) for _, places in chunks) == [20, 30, 100, 100, 100]
    assert sorted(job_id for _, places in chunks for job_id in places) == sorted(ids)
    assert set(chunks[0][1]) <= set(ids[:230])


def test_an_operation_refuses_an_unknown_queue_and_many_without_a_reason(jobs: Jobs) -> None:
    jobs.fail(101)
    with _frozen() as frozen:
        with pytest.raises(ValueError, match="critical, high, medium, low"):
            operations.retry_frozen(frozen, chosen="", to="urgent", actor="ada", reason="x")
        with pytest.raises(operations.ReasonNeeded, match="101 jobs would be retried; over 100 need a reason"):
            operations.retry_frozen(frozen, chosen="", actor="ada")
    assert not AuditEntry.objects.exists()
