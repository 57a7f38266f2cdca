"""Beside stock RQ: its clients' jobs here, and our jobs on its workers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rq import Queue, Retry, SimpleWorker, Worker
from rq.job import Callback, Job
from rq.serializers import DefaultSerializer, JSONSerializer

from ingest.models import Alert, Event
from ingest.queue import keys
from ingest.worker.claiming import Claiming
from tests.ingest.worker.conftest import QUEUES, Work

ENVELOPE = {
    "v": 1,
    "id": "from-elsewhere",
    "kind": "alert",
    "received_at": datetime(2026, 11, 22, tzinfo=UTC).isoformat(),
    "priority": "high",
    "source": "stock",
    "tenant": "",
    "event_id": None,
    "event": {"title": "disk full"},
}
CALLED: list[Any] = []


def allowed(*args: Any) -> str:
    CALLED.append(args)
    return "done"


def allowed_but_fails() -> None:
    raise RuntimeError("boom")


def stock_queue(work: Work, name: str = "high", serializer: Any = JSONSerializer) -> Queue:
    return Queue(name, connection=work.redis, serializer=serializer)


def stock_worker(work: Work) -> SimpleWorker:
    worker = SimpleWorker(list(QUEUES), connection=work.redis, serializer=JSONSerializer)
    worker.work(burst=True)
    return worker


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.ALLOWED_JOB_FUNCTIONS = (f"{__name__}.allowed", f"{__name__}.allowed_but_fails")
    CALLED.clear()


# --- our jobs on a stock worker ------------------------------------------------------------------


def test_a_stock_worker_processes_a_queued_alert(work: Work) -> None:
    ids = work.put({"title": "disk full"}, {"title": "disk full"})
    stock_worker(work)
    assert set(Event.objects.values_list("id", flat=True)) == set(ids)
    assert Alert.objects.get().occurrences == 2
    assert (work.waiting(), work.started(), work.redis.exists(keys.job(ids[0]))) == ([], 0, 0)


def test_a_stock_workers_second_run_counts_nothing(work: Work) -> None:
    for _ in range(2):
        stock_queue(work).enqueue("ingest.jobs.process_event", ENVELOPE)
    stock_worker(work)
    assert Alert.objects.get().occurrences == 1


def test_attempts_on_a_stock_worker_are_counted_for_error_n(work: Work) -> None:
    work.put({"title": "x", "fault": "error:2"})
    stock_worker(work)
    assert Alert.objects.get().occurrences == 1


def test_a_permanent_error_on_a_stock_worker_is_not_retried(work: Work) -> None:
    (job_id,) = work.put({"title": "x", "fault": "permanent"})
    stock_worker(work)
    assert work.dead() == [job_id]
    result = Job.fetch(job_id, connection=work.redis, serializer=JSONSerializer).latest_result()
    assert result is not None
    assert "PermanentError" in str(result.exc_string)


def test_a_stock_dead_letter_of_ours_runs_here_after_a_requeue(work: Work) -> None:
    (job_id,) = work.put({"title": "x", "fault": "error:1"}, retry_delays=())
    stock_worker(work)
    assert work.dead() == [job_id]
    assert work.transitions.requeue("high", [job_id]) == [job_id]
    work.redis.hset(keys.job(job_id), "attempts", 1)
    work.off()
    assert Alert.objects.get().occurrences == 1


# --- stock clients' jobs here --------------------------------------------------------------------


def test_an_event_that_a_stock_client_enqueued_is_processed(work: Work) -> None:
    stock_queue(work).enqueue("ingest.jobs.process_event", ENVELOPE)
    work.off()
    assert Event.objects.get().id == "from-elsewhere"
    assert Alert.objects.get().occurrences == 1
    assert (work.started(), work.waiting()) == (0, [])


def test_an_allowed_function_runs_as_on_a_stock_worker_with_result_callback_and_dependent(work: Work) -> None:
    name = f"{__name__}.allowed"
    queue = stock_queue(work)
    first = queue.enqueue(name, 1, result_ttl=60, on_success=Callback(name))
    queue.enqueue(name, 2, depends_on=first)
    work.off()
    assert [args for args in CALLED if len(args) == 1] == [(1,), (2,)]
    assert len(CALLED) == 3, "and the callback"
    assert first.return_value() == "done"
    assert first.get_status() == "finished"
    assert work.started() == 0


def test_a_stock_jobs_failure_and_retries_are_its_own(work: Work) -> None:
    job = stock_queue(work).enqueue(f"{__name__}.allowed_but_fails", retry=Retry(max=2))
    work.off()
    assert job.get_status() == "failed"
    assert work.dead() == [job.id]
    assert work.started() == 0


@pytest.mark.parametrize("where", ["function", "on_success", "on_failure"])
def test_a_hash_that_names_os_system_becomes_a_dead_letter_and_runs_nothing(
    work: Work, tmp_path: Path, where: str
) -> None:
    """RQ42: with the JSON serializer alone, the name in the hash would be imported and called."""
    mark = tmp_path / "ran"
    callbacks = {} if where == "function" else {where: Callback("os.system")}
    function = f"{__name__}.allowed" if callbacks else "os.system"
    job = stock_queue(work).enqueue(function, f"touch {mark}", **callbacks)
    work.off()
    assert not mark.exists()
    assert CALLED == []
    assert (work.dead(), work.field(job.id, "reason")) == ([job.id], "not_allowed")
    assert "os.system" in str(work.field(job.id, "error_message"))


def test_a_pickled_job_is_a_dead_letter_and_nothing_is_unpickled(work: Work) -> None:
    job = stock_queue(work, serializer=DefaultSerializer).enqueue(f"{__name__}.allowed")
    work.off()
    assert CALLED == []
    assert (work.dead(), work.field(job.id, "reason")) == ([job.id], "unreadable")


def test_a_hash_with_a_bad_date_is_a_dead_letter_and_the_next_job_runs(work: Work) -> None:
    job = stock_queue(work).enqueue(f"{__name__}.allowed")
    work.redis.hset(keys.job(job.id), "created_at", "yesterday")
    work.put({"title": "fine"})
    work.off()
    assert (work.dead(), CALLED) == ([job.id], [])
    assert Alert.objects.get().occurrences == 1


def test_a_job_deleted_by_a_stock_client_leaves_nothing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    job = stock_queue(work).enqueue(f"{__name__}.allowed")
    claim = work.transitions.claim("other", ["high"], claim_id="c1", lease=30)
    assert claim is not None
    worker = work.worker()
    monkeypatch.setattr(work.transitions, "claim", lambda *args, **kwargs: None)
    job.delete()
    from ingest.worker.foreign import _fetch

    with pytest.raises(Exception, match="No such job"):
        _fetch(worker, job.id)
    assert work.transitions.complete("high", "c1", "other", [job.id]) == [job.id]
    assert work.started() == 0


# --- what stock tools see ------------------------------------------------------------------------


def test_stock_tools_see_the_worker_and_its_queues(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    claim = Claiming.claim

    def look(claiming: Claiming, most: int | None) -> list[Any]:
        seen.extend(Worker.all(connection=work.redis))
        return claim(claiming, most)

    monkeypatch.setattr(Claiming, "claim", look)
    worker = work.worker()
    worker.work(burst=True)
    assert seen[0].name == worker.name
    assert [queue.name for queue in seen[0].queues] == list(QUEUES)
    assert Worker.all(connection=work.redis) == []
