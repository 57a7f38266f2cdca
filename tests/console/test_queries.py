"""Pages of dead letters and one job, against a real Valkey and database."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
import redis

from ingest.models import Event
from ingest.queue import keys
from ingest.queue.transitions import Failure
from ingest.reading import jobs as jobs_read
from ingest.reading.cursors import BadCursor
from queueadmin.console import queries
from tests.console.conftest import WORKER, Jobs

pytestmark = pytest.mark.django_db


def _all_pages(limit: int, **options: str) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = queries.dead_letters(cursor=cursor, limit=limit, **options)  # type: ignore[arg-type]
        found += [item.id for item in page.items]
        cursor = page.next
        if cursor is None:
            return found


def test_a_row_says_what_failed_and_why(jobs: Jobs) -> None:
    (job_id,) = jobs.fail(source="zabbix", event_id="z-1", tenant="acme")
    page = queries.dead_letters()
    (item,) = page.items
    assert (item.id, item.kind, item.source, item.tenant, item.event_id) == (job_id, "alert", "zabbix", "acme", "z-1")
    assert item.title == "Problem 1"
    assert (item.error_type, item.error_message, item.reason) == ("ValueError", "no such device", "error")
    assert (item.queue, item.attempts) == ("high", 1)
    assert item.failed_at is not None
    assert datetime.now(UTC) - item.failed_at < timedelta(minutes=1)
    assert (page.next, page.total) == (None, 1)


def test_pages_have_every_dead_letter_once_the_newest_first(jobs: Jobs) -> None:
    made = []
    for _ in range(5):
        for queue in ("low", "critical", "high"):
            made += jobs.fail(7, queue=queue)
    shown = _all_pages(10)
    assert len(shown) == 105
    assert set(shown) == set(made)
    assert set(shown[:7]) == set(made[-7:])
    assert _all_pages(500) == shown
    assert len(_all_pages(4, queue="low")) == 35


def test_a_page_goes_on_after_its_last_entry_was_retried(jobs: Jobs) -> None:
    jobs.fail(30)
    page = queries.dead_letters(limit=10)
    seen = [item.id for item in page.items]
    jobs.transitions.requeue("high", seen[-3:])
    rest = queries.dead_letters(cursor=page.next, limit=50)
    assert len(rest.items) == 20
    assert not set(seen) & {item.id for item in rest.items}


def test_what_fails_meanwhile_does_not_shift_the_pages(jobs: Jobs) -> None:
    jobs.fail(20)
    page = queries.dead_letters(limit=10)
    jobs.fail(5)
    rest = queries.dead_letters(cursor=page.next, limit=50)
    assert len(rest.items) == 10
    assert not {item.id for item in page.items} & {item.id for item in rest.items}


def test_stock_dead_letters_come_last_and_are_dated_by_their_job(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(3)
    empty_redis.zadd(keys.failed("high"), {ids[2]: -1})
    empty_redis.hset(keys.job(ids[2]), "ended_at", "2026-05-04T03:02:01.000000Z")
    last = queries.dead_letters().items[-1]
    assert (last.id, last.failed_at) == (ids[2], datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))


def test_an_entry_without_a_job_is_left_out(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(3)
    empty_redis.delete(keys.job(ids[1]))
    assert {item.id for item in queries.dead_letters().items} == {ids[0], ids[2]}


def test_a_large_body_gives_no_title_and_data_of_others_no_error(jobs: Jobs, empty_redis: redis.Redis) -> None:
    large, broken = jobs.fail(2)
    empty_redis.hset(keys.job(large), "data", b"x" * (queries.TITLE_FROM + 1))
    empty_redis.hset(keys.job(broken), "data", b"\xff\x00 not ours")
    assert [item.title for item in queries.dead_letters().items] == ["", ""]


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24", "W10", "eyJoaWdoIjoxfQ", "é"])
def test_a_cursor_of_others_is_refused(empty_redis: redis.Redis, cursor: str) -> None:
    with pytest.raises(BadCursor):
        queries.dead_letters(cursor=cursor)


@pytest.mark.parametrize(
    "content",
    [
        b'{"high": [NaN, "x"]}',
        b'{"high": [1, "\\ud800"]}',
        b'{"high": [1' + b"0" * 400 + b', "x"]}',
        b'{"high": [1, null]}',
        b"[" * 2900,
    ],
)
def test_a_cursor_made_by_hand_is_refused(empty_redis: redis.Redis, content: bytes) -> None:
    with pytest.raises(BadCursor):
        queries.dead_letters(cursor=base64.urlsafe_b64encode(content).decode().rstrip("="))


def test_bad_arguments_name_the_limit(empty_redis: redis.Redis) -> None:
    with pytest.raises(ValueError, match="between 1 and 500"):
        queries.dead_letters(limit=501)
    with pytest.raises(ValueError, match="critical, high, medium, low"):
        queries.dead_letters(queue="urgent")


def test_d8_position_and_how_many_are_ahead(jobs: Jobs) -> None:
    jobs.enqueue(3, queue="critical")
    ids = jobs.enqueue(5, queue="high")
    jobs.enqueue(4, queue="low")
    found = queries.job(ids[1])
    assert found is not None
    assert (found["state"], found["queue"], found["position"], found["ahead"]) == ("queued", "high", 2, 4)
    assert (found["attempts"], found["attempts_left"], found["error"]) == (0, 1, None)
    assert found["links"]["self"] == f"/api/v1/jobs/{ids[1]}"


def test_a_position_past_the_cap_says_more_than(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_read, "POSITION_CAP", 10)
    ids = jobs.enqueue(30)
    found = [queries.job(ids[index]) for index in (9, 15, 29)]
    shown = [(job["position"], job["ahead"]) for job in found if job is not None]
    assert shown == [(10, 9), (">10", None), (">10", 29)]  # found from the end, it is known how many are ahead


def test_a_started_job_has_no_position_and_counts_its_execution(jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(retries=(1, 5))
    jobs.start()
    found = queries.job(job_id)
    assert found is not None
    assert (found["state"], found["position"], found["attempts"], found["attempts_left"]) == ("started", None, 1, 2)
    assert found["started_at"] is not None


def test_a_retry_waits_until_its_time(jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(retries=(60, 60))
    claim = jobs.start()
    jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id, retry=True)])
    found = queries.job(job_id)
    assert found is not None
    assert (found["state"], found["attempts"], found["attempts_left"]) == ("retrying", 1, 2)
    assert timedelta(seconds=50) < found["next_attempt_at"] - datetime.now(UTC) < timedelta(seconds=70)


def test_a_dead_letter_tells_its_error_and_how_to_retry(jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    found = queries.job(job_id)
    assert found is not None
    assert (found["state"], found["attempts_left"]) == ("failed", 0)
    assert found["error"]["type"] == "ValueError"
    assert (found["error"]["message"], found["error"]["reason"]) == ("no such device", "error")
    assert found["error"]["at"] is not None
    assert found["links"]["retry"] == f"/api/v1/jobs/{job_id}/retry"


@pytest.mark.both_databases
def _fail(jobs: Jobs, message: str, *, retry: bool) -> None:
    claim = jobs.start()
    error = f"Traceback\n{message}"
    failures = [Failure(job_id, error, "error", retry, "KeyError", message) for job_id in jobs.claimed]
    jobs.transitions.fail("high", claim, WORKER, failures)


def test_every_failed_attempt_is_told_newest_first_and_without_credentials(jobs: Jobs) -> None:
    """D11: what an exception says, and its traceback, may hold the event's credentials."""
    [job_id] = jobs.enqueue(1, retries=(0,))
    _fail(jobs, "first {'response_token': 'hunter2'}", retry=True)
    _fail(jobs, "second", retry=True)

    second, first = queries.attempts(job_id)
    assert (first.number, second.number) == (1, 2)
    assert (first.message, first.error_type, first.reason) == ("first {'response_token': •••}", "KeyError", "error")
    assert first.traceback == "Traceback\nfirst {'response_token': •••}"
    assert (first.worker, first.retried, second.retried) == (WORKER, True, False)
    assert first.started_at is not None
    assert first.started_at <= first.ended_at <= datetime.now(UTC) + timedelta(minutes=1)
    assert queries.attempts("nobody") == []


def test_b6_progress_log_and_result_are_told_without_credentials(jobs: Jobs) -> None:
    [job_id] = jobs.enqueue(1, result_ttl=60)
    claim = jobs.start()
    jobs.transitions.progress(
        "high", claim, job_id, value={"done": 3, "token": "hunter2"}, line="api_key=hunter2 works"
    )
    found = queries.job(job_id)
    assert found is not None
    assert found["progress"] == {"done": 3, "token": "•••"}
    assert found["result"] is None
    assert queries.log(job_id) == ["api_key=••• works"]

    jobs.transitions.complete("high", claim, WORKER, [job_id], results={job_id: {"sent": 1, "token": "hunter2"}})
    found = queries.job(job_id)
    assert found is not None
    assert (found["state"], found["result"]) == ("finished", {"sent": 1, "token": "•••"})


def test_a_finished_job_is_told_from_its_row(empty_redis: redis.Redis) -> None:
    received = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    Event.objects.create(
        id="e1",
        received_at=received,
        kind="alert",
        priority="high",
        source="zabbix",
        event_id="z-1",
        body="{}",
        processed_at=received + timedelta(seconds=2),
    )
    found = queries.job("e1")
    assert found is not None
    assert (found["state"], found["kind"], found["queue"], found["event_id"]) == ("finished", "alert", "high", "z-1")
    assert found["finished_at"] == received + timedelta(seconds=2)


@pytest.mark.both_databases
@pytest.mark.parametrize("job_id", ["nobody", "\0", "x" * 5000, "é:*"])
def test_an_unknown_job_is_none(empty_redis: redis.Redis, job_id: str) -> None:
    assert queries.job(job_id) is None


def test_a_stock_clients_job_is_shown_too(empty_redis: redis.Redis) -> None:
    empty_redis.hset(keys.job("stock"), mapping={"status": "queued", "origin": "elsewhere", "retries_left": "x"})
    found = queries.job("stock")
    assert found is not None
    assert (found["state"], found["queue"], found["position"]) == ("queued", "elsewhere", None)
