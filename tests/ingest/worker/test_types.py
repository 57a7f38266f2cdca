"""E10: task types choose workers. Their tasks wait in a lane of their own, which real workers serve by `--types`."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingest.kinds import Context, Task, tasks
from ingest.queue import keys
from ingest.worker import BatchWorker
from tests.conftest import wait_until
from tests.ingest.worker.conftest import QUEUES, Shop, Work

LANE = {"kind": "task", "type": "gpu", "own_workers": True, "mode": "single"}


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("gpu", own_workers=True)(run)
    tasks.task("dev")(run)


def run(given: Task, context: Context) -> str:
    return given.task_type


def gpu(work: Work, number: int = 1, **fields: Any) -> list[str]:
    return work.put(*({"task_type": "gpu", "n": n} for n in range(number)), **{**LANE, **fields})


def test_a_worker_without_types_leaves_them_and_takes_everything_else(work: Work) -> None:
    mine = gpu(work, 2)
    work.put({"task_type": "dev"}, kind="task", type="dev", mode="single")
    work.put({})
    work.off()
    assert work.count("completed") == 2
    assert [work.field(job_id, "status") for job_id in mine] == ["queued", "queued"]


def test_a_worker_of_a_type_takes_them_alone_the_more_urgent_first(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    later, first = gpu(work, 2, queue="low"), gpu(work, 1, queue="critical")
    work.put({})
    monkeypatch.setattr(BatchWorker, "task_types", ("gpu",))
    work.off()
    ended = sorted((*later, *first), key=lambda job_id: work.field(job_id, "ended_at") or "")
    assert ended == [*first, *later]
    assert (work.count("completed", "low"), work.count("completed", "critical")) == (2, 1)
    assert len(work.waiting()) == 1


def test_a_retry_and_a_requeue_go_back_to_the_lane(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def fails(given: Task, context: Context) -> None:
        tries.append(context.attempt)
        if len(tries) < 3:
            raise ValueError("not yet")

    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("gpu", own_workers=True)(fails)
    monkeypatch.setattr(BatchWorker, "task_types", ("gpu",))
    (job_id,) = gpu(work, retry_delays=(0,))
    work.off()
    assert work.dead() == [job_id]
    work.transitions.requeue("high", [job_id])
    assert work.waiting() == []
    assert work.redis.lrange(keys.parked_jobs("high", keys.lane("gpu")), 0, -1) == [job_id.encode()]
    work.off()
    assert (tries, work.count("completed")) == ([1, 2, 3], 1)


def test_a_limit_of_a_type_holds_its_lane_and_nothing_else(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest.queue.limits import Limit, set_limit

    set_limit(work.redis, Limit("kind", "task:gpu", 1, 3600))
    gpu(work, 3)
    work.put({"task_type": "dev"}, kind="task", type="dev", mode="single")
    work.off()
    assert work.count("completed") == 1
    monkeypatch.setattr(BatchWorker, "task_types", ("gpu",))
    work.off()
    assert work.count("completed") == 2


def test_a_type_that_is_gone_is_a_dead_letter_that_says_so(work: Work) -> None:
    (job_id,) = work.put({"task_type": "gone"}, kind="task", type="gone", mode="single")
    work.off()
    assert (work.dead(), work.field(job_id, "reason")) == ([job_id], "unreadable")
    assert "task_type must be one of dev, gpu" in (work.field(job_id, "error_message") or "")


@pytest.mark.parametrize(
    ("types", "said"), [("dev", "those that have are gpu"), ("nobody", "'nobody' is no task type")]
)
def test_types_that_are_none_of_its_own_are_refused_at_the_start(
    types: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchWorker, "task_types", ())
    with pytest.raises(CommandError, match=said):
        call_command("rqworker", *QUEUES, "--types", types)


def test_real_workers_share_the_work_by_type(shop: Shop) -> None:
    """One for everything, one for a type: each wakes for its own, and says what it serves."""
    shop.worker()
    own = shop.worker("--types", "train")
    ids = shop.put("task", {"task_type": "train", "payload": {"n": 7}}, type="train", own_workers=True, mode="single")
    ids += shop.put("task", {"task_type": "chores", "payload": {"n": 8}}, type="chores", mode="single")
    shop.completed(2)
    assert all(shop.work.field(job_id, "status") == "finished" for job_id in ids)
    by_number = {number: pid for _, number, pid in shop.effects("ends")}
    assert by_number[7] == own.process.pid != by_number[8]
    wait_until(
        lambda: {shop.redis.hget(key, keys.TYPES) for key in shop.redis.smembers(keys.WORKERS)} == {b"", b"train"}
    )
