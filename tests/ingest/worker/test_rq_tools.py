"""Real workers under RQ's own tools: the pool, --burst, --max-jobs, suspension, and its commands."""

import signal

import pytest
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.suspension import resume, suspend

from ingest.queue import keys
from tests.conftest import wait_until
from tests.ingest.worker.conftest import QUEUES, Shop
from tests.programs import is_alive


def test_burst_ends_when_all_sorts_of_jobs_are_done(shop: Shop) -> None:
    for kind in ("alert", "plain", "chat", "crunch"):
        shop.put(kind, *[{"title": "x", "n": number} for number in range(3)])
    worker = shop.start("rqworker", *QUEUES, "--burst")
    assert worker.process.wait(timeout=90) == 0
    assert (shop.work.count("completed"), shop.work.started(), shop.work.waiting()) == (12, 0, [])
    in_the_horse = {pid for kind, _, pid in shop.effects() if kind == "crunch"}
    assert len(in_the_horse) == 3
    assert worker.process.pid not in in_the_horse
    assert {pid for kind, _, pid in shop.effects() if kind != "crunch"} == {worker.process.pid}
    assert worker.said("Traceback") == 0


@pytest.mark.long
def test_max_jobs_ends_it_after_so_many(shop: Shop) -> None:
    shop.put("alert", *[{"title": "x"}] * 5)
    shop.put("chat", *[{"n": number} for number in range(10)])
    worker = shop.start("rqworker", *QUEUES, "--max-jobs", "8")
    assert worker.process.wait(timeout=90) == 0
    assert (shop.work.count("completed"), len(shop.work.waiting()), shop.work.started()) == (8, 7, 0)


@pytest.mark.long
def test_a_pool_in_burst_mode_runs_everything_once_and_ends(shop: Shop) -> None:
    for kind in ("alert", "plain", "chat", "crunch"):
        shop.put(kind, *[{"title": "x", "n": number} for number in range(10)])
    pool = shop.start("rqworker-pool", *QUEUES, "--num-workers", "2", "--burst")
    assert pool.process.wait(timeout=120) == 0
    assert (shop.work.count("completed"), shop.work.started(), shop.redis.scard(keys.WORKERS)) == (40, 0, 0)
    for kind in ("plain", "chat", "crunch"):
        assert sorted(number for name, number, _ in shop.effects("ends") if name == kind) == list(range(10))


@pytest.mark.long
def test_a_pool_ends_its_workers_and_their_horses(shop: Shop) -> None:
    pool = shop.start("rqworker-pool", *QUEUES, "--num-workers", "2")
    ids = shop.put("crunch", {"n": 1, "seconds": 600}) + shop.put("chat", {"n": 2, "seconds": 600})
    wait_until(lambda: len(shop.effects("begins")) == 2)
    pids = [pid for _, _, pid in shop.effects("begins")]
    pool.process.terminate()
    assert pool.process.wait(timeout=60) == 0
    assert not [pid for pid in pids if is_alive(pid)]
    assert (sorted(shop.work.waiting()), shop.work.started(), shop.work.count("released")) == (sorted(ids), 0, 2)
    assert shop.work.field(ids[0], "attempts") is None


def test_while_suspended_nothing_is_claimed_and_what_runs_goes_on(shop: Shop) -> None:
    shop.worker()
    shop.put("chat", {"n": 1, "seconds": 3})
    wait_until(lambda: shop.effects("begins"))
    suspend(shop.redis)
    wait_until(lambda: shop.redis.hget(keys.worker(shop.name()), "state") == b"suspended")
    (waits,) = shop.put("alert", {"title": "x"})
    shop.completed(1)
    assert shop.work.waiting() == [waits]
    resume(shop.redis)
    shop.completed(2)


def test_stop_job_kill_horse_and_shutdown(shop: Shop) -> None:
    worker = shop.worker()
    (stopped,) = shop.put("crunch", {"n": 1, "seconds": 600})
    wait_until(lambda: len(shop.effects("begins")) == 1)
    send_stop_job_command(shop.redis, stopped)
    wait_until(lambda: shop.work.dead() == [stopped])
    assert shop.work.count("retried") == 0

    (killed,) = shop.put("crunch", {"n": 2, "seconds": 600}, retry_delays=(600,))
    wait_until(lambda: len(shop.effects("begins")) == 2)
    send_kill_horse_command(shop.redis, shop.name())
    wait_until(lambda: shop.work.count("retried") == 1)
    assert shop.work.field(killed, "error_message") == "its work horse was killed by a kill-horse command"

    (inside,) = shop.put("chat", {"n": 3, "seconds": 2})
    wait_until(lambda: len(shop.effects("begins")) == 3)
    send_stop_job_command(shop.redis, inside)
    wait_until(lambda: worker.said("stop-job ended nothing"))
    shop.completed(1)

    send_shutdown_command(shop.redis, shop.name())
    assert worker.process.wait(timeout=60) == 0
    assert shop.redis.scard(keys.WORKERS) == 0


# --- how a worker ends ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("plain", marks=pytest.mark.long),
        "chat",
        pytest.param("threaded", marks=pytest.mark.long),
        "crunch",
    ],
)
def test_sigterm_gives_what_runs_its_grace_time_and_then_releases_it_uncounted(shop: Shop, kind: str) -> None:
    worker = shop.worker()
    (job_id,) = shop.put(kind, {"n": 1, "seconds": 600})
    wait_until(lambda: shop.effects("begins"))
    pid = shop.effects("begins")[0][2]
    assert worker.stop() == 0
    assert (shop.work.waiting(), shop.work.started(), shop.work.count("released")) == ([job_id], 0, 1)
    assert shop.work.field(job_id, "attempts") is None
    assert not is_alive(pid)
    assert shop.effects("ends") == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "said"), [("stubborn", "does not end when it is cancelled"), ("blocking", "holds the event loop")]
)
def test_a_worker_whose_handler_cannot_be_ended_ends_itself(shop: Shop, kind: str, said: str) -> None:
    """The job fails with its reason, what else runs is released, and a supervisor starts another worker."""
    worker = shop.worker(LEASE_SECONDS="3")
    (neighbour,) = shop.put("chat", {"n": 1, "seconds": 600})
    wait_until(lambda: shop.effects("begins"))
    (job_id,) = shop.put(kind, {"n": 2}, retry_delays=())
    assert worker.process.wait(timeout=90) == 1
    assert worker.said(said) == 1
    assert (shop.work.dead(), shop.work.field(job_id, "reason")) == ([job_id], "timeout")
    assert (shop.work.waiting(), shop.work.field(neighbour, "attempts")) == ([neighbour], None)
    assert shop.redis.scard(keys.WORKERS) == 0


@pytest.mark.long
@pytest.mark.parametrize("end", ["segfault", "killed"])
def test_a_horse_that_dies_is_poison_at_the_third_crash_and_its_worker_lives(shop: Shop, end: str) -> None:
    """B9."""
    worker = shop.worker()
    shop.start("maintain")
    (poison, good) = shop.put("crunch", {"n": 1, "end": end}, {"n": 2})
    wait_until(lambda: shop.work.dead() == [poison], seconds=110)
    shop.completed(1)
    assert (shop.work.field(poison, "reason"), shop.work.field(poison, "crashes")) == ("poison", "3")
    assert (shop.work.count("recovered"), shop.work.count("retried")) == (2, 0)
    assert shop.work.field(good, keys.CRASHES) is None
    assert worker.process.poll() is None


def test_a_horse_dies_with_its_worker_and_the_job_runs_once_more(shop: Shop) -> None:
    """RQ5."""
    worker = shop.worker(LEASE_SECONDS="1")
    (job_id,) = shop.put("crunch", {"n": 1, "seconds": 3})
    wait_until(lambda: shop.effects("begins"))
    horse = shop.effects("begins")[0][2]
    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()
    wait_until(lambda: not is_alive(horse))
    wait_until(lambda: shop.work.transitions.recover("high").requeued == 1)
    shop.worker(LEASE_SECONDS="30")
    shop.completed(1)
    assert len(shop.effects("ends")) == 1
    assert shop.work.result(job_id) == 2, "the second attempt"
