"""Jobs that a stock worker or client lost between two of its commands come back; nothing else is touched."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from ingest.maintenance import Maintenance, healing
from ingest.maintenance.healing import Healing
from ingest.queue import calls, keys
from ingest.queue.limits import Limit, set_limit
from tests.ingest.worker.conftest import QUEUES, Work


@pytest.fixture
def heals(work: Work, monkeypatch: pytest.MonkeyPatch) -> "Heals":
    return Heals(work, monkeypatch)


class Heals:
    """Looks twice, with enough time in between."""

    def __init__(self, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(healing.time, "monotonic", lambda: self.now)
        self.healing = Healing(work.redis, work.transitions, QUEUES)

    def look(self, *, after: float = 0) -> None:
        self.now += after
        self.healing.step()

    def twice(self) -> None:
        self.look()
        self.look(after=healing.PATIENCE)


def lose(work: Work, job_id: str, queue: str = "high") -> None:
    """As a worker on several queues does that is killed after its BLPOP (RQ1)."""
    assert work.redis.lrem(keys.queue(queue), 1, job_id) == 1


def test_a_job_popped_by_a_killed_worker_comes_back_to_the_front(work: Work, heals: Heals) -> None:
    """RQ1, RQ2: it says that it waits, and is nowhere for ever."""
    lost, other = work.put({"title": "lost"}, {"title": "other"})
    lose(work, lost)
    backdate(work, lost)
    heals.twice()
    assert work.waiting() == [lost, other]
    assert work.count("healed") == 1


def test_a_short_queue_is_read_whole(work: Work, heals: Heals) -> None:
    first, lost, last = work.put(*[{"title": "x"}] * 3)
    lose(work, lost)
    heals.twice()
    assert work.waiting() == [lost, first, last]


def test_in_a_longer_one_it_comes_back_once_those_at_the_front_are_younger(
    work: Work, heals: Heals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "WHOLE", 10)
    first, lost, *others = work.put(*[{"title": "x"}] * 50)
    lose(work, lost)
    backdate(work, first)
    backdate(work, lost)
    heals.twice()
    assert work.waiting() == [first, *others]
    work.transitions.claim("w", ["high"], claim_id="c", limit=1, lease=30)
    heals.twice()
    assert work.waiting() == [lost, *others]


def test_an_empty_queue_holds_back_nothing(work: Work, heals: Heals) -> None:
    (lost,) = work.put({"title": "lost"})
    lose(work, lost)
    heals.twice()
    assert work.waiting() == [lost]


def test_one_look_is_not_enough(work: Work, heals: Heals) -> None:
    """A stock worker that lives registers the job some milliseconds after it popped it."""
    (job_id,) = work.put({"title": "x"})
    lose(work, job_id)
    heals.look()
    heals.look(after=healing.PATIENCE - 0.1)
    assert work.waiting() == []
    work.redis.hset(keys.job(job_id), mapping={"status": "started", "started_at": "2026-11-27T10:00:00.000000Z"})
    work.redis.zadd(keys.started("high"), {f"{job_id}:exec": 9e9})
    heals.look(after=0.2)
    heals.twice()
    assert (work.waiting(), work.started()) == ([], 1)


def test_what_moved_between_two_looks_is_looked_at_anew(work: Work, heals: Heals) -> None:
    (job_id,) = work.put({"title": "x"})
    lose(work, job_id)
    heals.look()
    work.redis.hset(keys.job(job_id), "enqueued_at", "2026-11-27T10:00:00.000000Z")
    heals.look(after=healing.PATIENCE)
    assert work.waiting() == []
    heals.look(after=healing.PATIENCE)
    assert work.waiting() == [job_id]


@pytest.mark.parametrize(
    ("status", "place"), [("scheduled", keys.scheduled), ("failed", keys.failed), ("started", keys.queue)]
)
def test_a_job_in_no_registry_goes_where_its_status_says(work: Work, heals: Heals, status: str, place: Any) -> None:
    """RQ4: killed between SCHEDULED and the scheduling. RQ6: inside a requeue. RQ3: its entry was cleaned away."""
    (job_id,) = work.put({"title": "x"})
    lose(work, job_id)
    work.redis.hset(keys.job(job_id), "status", status)
    heals.twice()
    key = place("high")
    found = work.redis.lrange(key, 0, -1) if place is keys.queue else work.redis.zrange(key, 0, -1)
    assert found == [job_id.encode()]


def test_a_lost_job_that_a_stock_requeue_gave_a_time_to_live_keeps_for_ever_again(work: Work, heals: Heals) -> None:
    """RQ7."""
    (job_id,) = work.put({"title": "x"})
    lose(work, job_id)
    work.redis.expire(keys.job(job_id), 100)
    heals.twice()
    assert work.redis.ttl(keys.job(job_id)) == -1


def test_what_a_single_queue_stock_worker_held_when_it_died_comes_back(work: Work, heals: Heals) -> None:
    """RQ25: stock RQ needs 10 to 20 minutes, and then makes it a dead letter."""
    ids = work.put({"title": "held"}, {"title": "waits"})
    work.redis.lmove(keys.queue("high"), f"{keys.queue('high')}:intermediate")
    heals.twice()
    assert work.waiting() == ids
    assert work.redis.llen(f"{keys.queue('high')}:intermediate") == 0


def test_what_it_held_of_jobs_that_are_elsewhere_by_now_is_cleaned_away(work: Work, heals: Heals) -> None:
    """RQ's own clean-up does not run while maintenance holds its lock."""
    gone, waits, dead = work.put(*[{"title": "x"}] * 3)
    work.transitions.cancel("high", [dead])
    work.redis.rpush(f"{keys.queue('high')}:intermediate", gone, waits, dead)
    work.redis.delete(keys.job(gone))
    heals.twice()
    assert work.redis.llen(f"{keys.queue('high')}:intermediate") == 0
    assert work.transitions.where("high", [waits, dead]) == {waits: ["queued"], dead: ["canceled"]}


def test_what_such_a_worker_still_runs_is_left_alone(work: Work, heals: Heals) -> None:
    (job_id,) = work.put({"title": "x"})
    work.redis.lmove(keys.queue("high"), f"{keys.queue('high')}:intermediate")
    work.redis.zadd(keys.started("high"), {f"{job_id}:exec": 9e9})
    for _ in range(3):
        heals.twice()
    assert (work.waiting(), work.started()) == ([], 1)


def test_nothing_that_is_somewhere_is_touched(work: Work, heals: Heals) -> None:
    waits, canceled, trashed, moved, runs = work.put(*[{"title": "x"}] * 5)
    (later,) = work.put({"title": "later"}, delay=3600)
    for job_id in (waits, moved, runs, later):
        backdate(work, job_id)
    work.transitions.cancel("high", [canceled])
    work.transitions.discard("high", [trashed])
    work.transitions.move("high", [moved], to="low")
    work.redis.lrem(keys.queue("high"), 1, runs)
    work.redis.lpush(keys.queue("critical"), runs)
    work.transitions.claim("w", ["critical"], claim_id="c", lease=30)
    work.redis.hset(keys.job(runs), "origin", "critical")
    before = state(work)
    for _ in range(5):
        heals.twice()
    assert state(work) == before


def test_what_a_rate_limit_holds_back_is_not_lost(work: Work, heals: Heals) -> None:
    set_limit(work.redis, Limit("kind", "alert", 1, 3600))
    ids = work.put(*[{"title": "x"}] * 5)
    for job_id in ids:
        backdate(work, job_id)
    work.transitions.claim("w", ["high"], claim_id="c", lease=30)
    assert sum(int(number) for number in work.redis.hvals(keys.parked("high"))) == 4
    before = state(work)
    for _ in range(3):
        heals.twice()
    assert state(work) == before


def test_in_a_list_longer_than_can_be_searched_only_what_is_surely_older_is_healed(
    work: Work, heals: Heals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored or moved job stands at the back with its old time: pushed to the front it would stand twice."""
    for module, name, number in ((calls, "SEARCHED", 30), (healing, "SEARCHED", 30), (healing, "WHOLE", 10)):
        monkeypatch.setattr(module, name, number)
    lost, moved, brought = work.put(*[{"title": "x"}] * 3, queue="low")
    work.put(*[{"title": "x"}] * 100)
    for job_id in (lost, moved, brought):
        work.transitions.move("low", [job_id], to="high", by="ada")
        backdate(work, job_id)
    lose(work, lost)
    work.redis.hdel(keys.job(lost), keys.MOVED_AT)
    work.redis.hdel(keys.job(brought), keys.MOVED_AT, keys.KIND)
    heals.twice()
    heals.twice()
    waiting = work.waiting()
    assert waiting[0] == lost
    assert (len(waiting), len(set(waiting))) == (103, 103)


def test_a_job_that_came_back_in_front_of_them_makes_no_other_look_lost(
    work: Work, heals: Heals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that is taken in again may take its old place at the front, with the time of now."""
    for module, name, number in ((calls, "SEARCHED", 30), (healing, "SEARCHED", 30), (healing, "WHOLE", 10)):
        monkeypatch.setattr(module, name, number)
    ids = work.put(*[{"title": "x"}] * 100)
    for job_id in ids[1:]:
        backdate(work, job_id)
    heals.twice()
    heals.twice()
    assert work.waiting() == ids


def test_keys_that_are_no_jobs_harm_nothing(work: Work, heals: Heals) -> None:
    work.redis.set(keys.job("text"), "x")
    work.redis.hset(keys.job("half"), "last_heartbeat", "x")
    work.redis.hset(keys.job("odd"), mapping={"status": "queued", "origin": "high", "enqueued_at": "\xff"})
    work.redis.hset(keys.job(b"\xff\xfe".decode("latin-1")), mapping={"status": "queued", "origin": "nowhere"})
    work.redis.rpush(keys.queue("high"), "gone")
    (lost,) = work.put({"title": "x"}, queue="low")
    lose(work, lost, "low")
    heals.twice()
    assert work.waiting("low") == [lost]
    assert work.waiting() == ["gone"]


def test_many_lost_jobs_come_back_over_some_rounds(work: Work, heals: Heals) -> None:
    ids = set(work.put(*[{"title": "x"}] * 1500))
    work.redis.delete(keys.queue("high"))
    for _ in range(80):
        heals.look(after=healing.PATIENCE)
    assert set(work.waiting()) == ids
    assert work.count("healed") == len(work.waiting()) == 1500


def test_a_real_stock_worker_killed_between_its_pop_and_its_registering_loses_nothing(work: Work, heals: Heals) -> None:
    """RQ1 with a real process: SIGKILL in `prepare_execution`, on several queues, as reproduced by R1a."""
    (job_id,) = work.put({"title": "x"})
    url = f"unix://{work.redis.connection_pool.connection_kwargs['path']}"
    code = (
        "import os, signal, sys\n"
        "from redis import Redis\n"
        "from rq import Queue, SimpleWorker\n"
        "from rq.serializers import JSONSerializer\n"
        "class Dies(SimpleWorker):\n"
        "    def execute_job(self, job, queue):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "connection = Redis.from_url(sys.argv[1])\n"
        "queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in ('high', 'low')]\n"
        "Dies(queues, connection=connection, serializer=JSONSerializer).work(burst=True)\n"
    )
    worker = subprocess.run([sys.executable, "-c", code, url], capture_output=True, check=False, env=os.environ.copy())
    assert worker.returncode == -signal.SIGKILL, worker.stderr.decode()[-2000:]
    assert Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer).get_status() == JobStatus.QUEUED
    assert work.transitions.where("high", [job_id]) == {job_id: []}, "stock RQ keeps it nowhere, for ever"
    heals.twice()
    assert work.waiting() == [job_id]


def test_the_leaders_round_heals(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "PATIENCE", 0)
    (lost,) = work.put({"title": "x"})
    lose(work, lost)
    Maintenance(work.redis).round()
    assert work.waiting() == [lost]


def backdate(work: Work, job_id: str) -> None:
    work.redis.hset(keys.job(job_id), "enqueued_at", "2026-01-01T00:00:00.000000Z")


def state(work: Work) -> dict[bytes, bytes]:
    """All of Redis but the kept replies."""
    return {key: work.redis.dump(key) for key in work.redis.scan_iter() if b":qa:req:" not in key}
