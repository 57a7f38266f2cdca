"""Verify: nothing lost, nothing twice, and saying so about a live system (X12)."""

import json
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from rq import Queue as StockQueue
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from ingest import conservation
from ingest.conservation import Report, verify
from ingest.queue import calls, keys
from ingest.queue.connections import close_connections
from ingest.queue.limits import Limit, set_limit
from ingest.queue.transitions import Failure, Transitions, new_id
from ingest.spool.rows import insert
from tests.conftest import Valkey
from tests.ingest.queue.conftest import Queue, make_job
from tests.ingest.spool.conftest import job


@pytest.fixture
def queue(empty_redis: redis.Redis) -> Queue:
    close_connections()
    return Queue(empty_redis)


@pytest.fixture(params=[0, 1000], ids=["long lists", "short lists"])
def every_place(queue: Queue, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A job in each place there is, and one that ended in each way."""
    monkeypatch.setattr(calls, "NEAR", request.param)
    transitions = queue.transitions
    set_limit(queue.redis, Limit("source", "slow", 1, 3600))
    for _ in range(3):
        queue.add(source="slow")
    queue.claim()
    for retry in (True, False):
        job_id = queue.add()
        transitions.fail("high", queue.claim().id, "w1", [Failure(job_id, "boom", retry=retry)])
    for result_ttl in (0, 60):
        job_id = queue.add(result_ttl=result_ttl)
        transitions.complete("high", queue.claim().id, "w1", [job_id])
    waiting, trashed, purged, canceled, moved = (queue.add() for _ in range(5))
    queue.add(delay=60)
    transitions.discard("high", [trashed, purged])
    transitions.purge("high", [purged])
    transitions.cancel("high", [canceled])
    transitions.move("high", [moved], to="low")
    assert queue.places(waiting) == ["queued"]
    return queue


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def problems(report: Report) -> dict[str, str]:
    return {wrong.id: wrong.problem for wrong in report.wrong}


def test_every_place_and_every_end_is_accounted_for(every_place: Queue) -> None:
    report = verify(every_place.redis)
    assert report.holds
    assert problems(report) == {}
    assert report.sentence == "13 accepted, 13 accounted for."
    assert report.looked_at == 11, "two are gone: one completed, one purged"
    assert verify(every_place.redis, sample=50).holds


def test_it_changes_nothing(every_place: Queue, everything: Callable[[], dict[bytes, bytes]]) -> None:
    before = everything()
    verify(every_place.redis)
    assert everything() == before


@pytest.fixture
def everything(empty_redis: redis.Redis) -> Callable[[], dict[bytes, bytes]]:
    return lambda: {key: empty_redis.dump(key) for key in empty_redis.scan_iter()}


@pytest.mark.parametrize("sample", [None, 100])
def test_a_job_that_is_nowhere_is_named(queue: Queue, sample: int | None) -> None:
    """RQ1."""
    lost = queue.add()
    queue.redis.lpop(keys.queue("high"))
    queue.add()
    report = verify(queue.redis, sample=sample)
    assert problems(report) == {lost: "nowhere"}
    assert not report.holds
    assert report.difference == 1


def test_a_job_that_is_twice_is_named(queue: Queue) -> None:
    """RQ17, RQ21, RQ24."""
    near, far = queue.add(), queue.add()
    queue.redis.rpush(keys.queue("high"), near)
    queue.redis.zadd(keys.failed("high"), {far: 1})
    report = verify(queue.redis)
    assert problems(report) == {near: "twice", far: "twice"}
    assert report.difference == -2


def test_a_double_is_found_across_a_long_list(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conservation, "PAGE", 3)
    ids = [queue.add() for _ in range(10)]
    queue.redis.rpush(keys.queue("high"), ids[0])
    queue.add()
    assert problems(verify(queue.redis)) == {ids[0]: "twice"}


def test_a_job_in_the_wrong_place_is_named(queue: Queue) -> None:
    job_id = queue.add()
    queue.redis.hset(keys.job(job_id), "status", "failed")
    assert problems(verify(queue.redis)) == {job_id: "misplaced"}


def test_an_entry_whose_job_was_evicted_is_named(queue: Queue) -> None:
    """RQ12: an evicting Redis deletes payloads and leaves the list."""
    job_id = queue.add()
    queue.redis.delete(keys.job(job_id))
    assert problems(verify(queue.redis)) == {job_id: "missing"}


def test_a_counter_that_does_not_add_up_fails(queue: Queue) -> None:
    queue.add()
    queue.redis.hincrby(keys.counters("high"), "enqueued", 5)
    report = verify(queue.redis)
    assert (report.holds, report.difference, report.sentence) == (False, 5, "6 accepted, 1 accounted for.")


def test_jobs_of_stock_clients_stand_apart(queue: Queue) -> None:
    stock = StockQueue("high", connection=queue.redis, serializer=JSONSerializer)
    stock.enqueue("ingest.jobs.process_event", {})
    queue.add()
    report = verify(queue.redis)
    assert (report.holds, report.foreign, report.accepted) == (True, 1, 1)


def test_with_a_stock_worker_the_sum_is_not_provable_and_says_so(queue: Queue) -> None:
    job_id = queue.add()
    worker = SimpleWorker(["high"], connection=queue.redis, serializer=JSONSerializer, name="stock-1")
    worker.register_birth()
    queue.redis.lrem(keys.queue("high"), 1, job_id)
    queue.redis.delete(keys.job(job_id))
    report = verify(queue.redis)
    assert (report.holds, report.provable) == (True, False)
    assert "not provable while stock workers run (stock-1)" in report.sentence


def test_what_a_stock_heartbeat_leaves_behind_is_no_job(queue: Queue) -> None:
    queue.redis.hset(keys.job("gone"), "last_heartbeat", "2026-11-27T00:00:00.000000Z")
    assert verify(queue.redis).holds


def test_a_system_at_work_is_never_suspected(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look meets jobs that move; only what is wrong at one instant counts."""
    monkeypatch.setattr(conservation, "PAGE", 40)
    stop = threading.Event()

    def work() -> None:
        with redis.Redis(connection_pool=queue.redis.connection_pool) as client:
            transitions = Transitions(client)
            while not stop.is_set():
                if client.llen(keys.queue("high")) < 200:
                    transitions.enqueue([make_job(retry_delays=(0, 0.001)) for _ in range(20)])
                claim = transitions.claim("w1", ["high"], claim_id=new_id(), limit=20, lease=30)
                assert claim is not None
                ids = [job.id for job in claim.jobs]
                transitions.complete("high", claim.id, "w1", ids[:16])
                transitions.fail(
                    "high", claim.id, "w1", [Failure(i, "boom", retry=n % 2 == 0) for n, i in enumerate(ids[16:])]
                )
                transitions.promote("high")
                dead = [member.decode() for member in client.zrange(keys.failed("high"), 0, -1)]
                transitions.requeue("high", dead)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(4):
            report = verify(queue.redis)
            assert report.holds, report
            assert verify(queue.redis, sample=20).holds
    finally:
        stop.set()
        worker.join()


@pytest.mark.django_db
def test_the_command_prints_a_table_and_exits_with_0(every_place: Queue) -> None:
    status, text = run()
    rows = {line.split("  ")[0]: line.split() for line in text.splitlines() if line}
    assert status == 0
    assert rows["enqueued"][-1] == "13"
    assert rows["unaccounted"][1:] == ["0"] * 5
    assert "13 accepted, 13 accounted for." in text


@pytest.mark.django_db
def test_the_command_names_what_is_wrong_and_exits_with_1(queue: Queue) -> None:
    lost = queue.add()
    queue.redis.delete(keys.queue("high"))
    status, text = run()
    assert status == 1
    assert f"nowhere: job {lost} of high says queued, and is nowhere" in text
    status, text = run("--json")
    shown: dict[str, Any] = json.loads(text)
    assert (status, shown["holds"], shown["difference"]) == (1, False, 1)
    assert shown["wrong"] == [{"id": lost, "queue": "high", "status": "queued", "places": [], "problem": "nowhere"}]


@pytest.mark.django_db
def test_spooled_events_have_a_line_of_their_own(every_place: Queue) -> None:
    insert([job("x"), job("y")])
    status, text = run()
    assert status == 0
    assert "13 accepted, 13 accounted for." in text
    assert "2 accepted events wait in the spool" in text
    assert json.loads(run("--json")[1])["spooled"] == 2


@pytest.mark.django_db
def test_a_sample_says_that_it_is_one(queue: Queue) -> None:
    queue.add()
    assert "(a sample)" in run("--sample", "10")[1]
    with pytest.raises(CommandError, match="whole number from 1 to 1,000,000"):
        run("--sample", "none")


def test_with_redis_away_it_says_so(mortal: Valkey) -> None:
    mortal.kill()
    with pytest.raises(CommandError, match="Redis does not answer"):
        run()
