"""Three invariants, after every step of any sequence: a job is in exactly one place, the counters add up, and of an
ordering key at most one job may run.
"""

from collections import Counter

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from ingest.queue import keys
from tests.ingest.queue.steps import QUEUES, Steps


class Life(Steps):
    """Whatever happens, this holds."""

    @invariant()
    def a_job_is_in_exactly_one_place(self) -> None:
        for job_id, queue in self.jobs.items():
            found = self.queue.places(job_id, *QUEUES)
            if job_id in self.purged:
                assert found == []
                continue
            if job_id in self.completed:
                assert found in ([], ["finished"])
                continue
            fields = self.queue.hash(job_id)
            assert found == ["trash" if "trashed_at" in fields else fields["status"]], job_id
            assert fields["origin"] == queue

    @invariant()
    def the_counters_add_up(self) -> None:
        for queue in QUEUES:
            number = Counter(self.queue.counters(queue))
            started, scheduled, failed, trash = (
                self.connection.zcard(key(queue)) for key in (keys.started, keys.scheduled, keys.failed, keys.trash)
            )
            waiting = self.queue.waiting(queue)
            assert number["enqueued"] == self.enqueued[queue]
            assert number["enqueued"] + number["moved_in"] == (
                waiting + scheduled + started + failed + trash
                + number["completed"] + number["purged"] + number["canceled"] + number["moved_out"]
            )  # fmt: skip
            assert trash == number["trashed"] + number["dropped"] - number["restored"] - number["purged"]
            assert failed == (
                number["dead"]
                - number["requeued"]
                + number["returned"]
                - number["trashed_failed"]
                + number["restored_failed"]
            )
            left = number["completed"] - number["late"] + number["retried"] + number["dead"] + number["dropped"]
            assert started == number["claimed"] - left - number["released"] - number["recovered"] - number["stopped"]
            assert number["phantom"] == number["foreign_claimed"] == number["healed"] == 0

    @invariant()
    def every_tombstone_stands_in_a_list(self) -> None:
        for queue in QUEUES:
            entries = set(self.connection.lrange(keys.queue(queue), 0, -1))
            for bucket in self.connection.hkeys(keys.parked(queue)):
                if bucket == keys.BEHIND.encode():
                    continue
                parked = self.connection.lrange(keys.parked_jobs(queue, bucket.decode()), 0, -1)
                assert len(parked) == int(self.connection.hget(keys.parked(queue), bucket) or 0)
                entries.update(parked)
            assert self.connection.smembers(keys.tombstones(queue)) <= entries

    @invariant()
    def one_job_of_an_ordering_key_has_the_turn(self) -> None:
        turns = {key.decode(): job_id.decode() for key, job_id in self.connection.hgetall(keys.TURNS).items()}
        behind = {i.decode() for queue in QUEUES for i in self.connection.zrange(keys.behind(queue), 0, -1)}
        for ordering in set(self.ordered.values()):
            alive = {
                job_id: place
                for job_id, key in self.ordered.items()
                if key == ordering and (place := self.queue.places(job_id, *QUEUES)) in (["queued"], ["started"])
            }
            may_run = set(alive) - behind
            assert may_run <= {turns.get(ordering)}
            waiting = [i.decode().partition(":") for i in self.connection.zrange(keys.turns(ordering), 0, -1)]
            assert [job_id for _, _, job_id in waiting] == sorted(set(alive) & behind, key=self.number)
            assert all(self.jobs[job_id] == queue for queue, _, job_id in waiting)
        for job_id in turns.values():
            (place,) = self.queue.places(job_id, *QUEUES)
            assert place in ("queued", "started", "scheduled")
        for queue in QUEUES:
            number = self.connection.zcard(keys.behind(queue))
            assert int(self.connection.hget(keys.parked(queue), keys.BEHIND) or 0) == number

    @invariant()
    def what_has_workers_of_its_own_waits_in_its_lane(self) -> None:
        for queue in QUEUES:
            for job_id in self.connection.lrange(keys.queue(queue), 0, -1):
                assert not self.connection.hexists(keys.job(job_id.decode()), keys.LANE)


def test_any_life_keeps_the_invariants(empty_redis: redis.Redis) -> None:
    Life.connection = empty_redis
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_any_long_life_keeps_the_invariants(empty_redis: redis.Redis) -> None:
    Life.connection = empty_redis
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Life,
        settings=settings(
            max_examples=500, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
