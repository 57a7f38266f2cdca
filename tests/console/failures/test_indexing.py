"""Every dead letter has a row, and every row a dead letter (issue 8 part 1)."""

import base64
import time
import zlib
from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from ingest.queue import keys
from queueadmin.console import failures
from queueadmin.console.failures import Indexer, indexing, writing
from queueadmin.console.models import Failure, FailureGroup, FailureText, RetentionPolicy
from tests.console.conftest import Jobs
from tests.console.dead_letters.conftest import carry, fail
from tests.console.failures.conftest import indexed
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_a_dead_letter_gets_a_row_that_tells_what_it_is(indexer: Indexer, jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="device 17 is gone", kind="app.errors.TooLate", source="zabbix", tenant="acme")
    state = indexer.step()
    row = Failure.objects.get()
    assert (row.job_id, row.queue, row.error_type, row.error_name) == (job_id, "high", "app.errors.TooLate", "toolate")
    assert (row.kind, row.source, row.tenant, row.event_id, row.title) == (
        *("alert", "zabbix", "acme", "client-1", "Problem 1"),
    )  # fmt: skip
    assert (row.reason, row.attempts, row.error_message) == ("error", 1, "device 17 is gone")
    assert row.first_failed_at == row.failed_at
    assert row.minute == int(row.failed_at.timestamp()) // 60
    assert (state.complete, state.rows, state.dead_letters, state.behind) == (True, 1, 1, 0)
    group = FailureGroup.objects.get(pk=row.fingerprint)
    assert (group.error_type, group.message) == ("app.errors.TooLate", "device <number> is gone")
    assert (group.count, group.payloads, group.queues, group.sources) == (1, 1, {"high": 1}, {"zabbix": 1})


def test_names_as_long_as_they_may_be_fit_into_each_index(indexer: Indexer, jobs: Jobs) -> None:
    """PostgreSQL's have 2,704 bytes for an entry, and hardly compress what no two characters of are alike."""
    long = {
        name: "".join(chr(0x1F300 + 255 * offset + number) for number in range(255))
        for offset, name in enumerate(("source", "tenant"))
    }
    jobs.fail(**long)
    indexer.step()
    row = Failure.objects.get()
    assert (row.source, row.tenant) == (long["source"], long["tenant"])


def test_writing_twice_is_writing_once(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(7)
    indexer.step()
    before = list(Failure.objects.order_by("pk").values())
    indexer.step()
    Indexer(empty_redis, lambda: True).step()
    assert list(Failure.objects.order_by("pk").values()) == before
    assert indexed() == set(ids)
    assert FailureText.objects.count() == 7


def test_what_fails_meanwhile_is_found_by_its_score_without_an_event(indexer: Indexer, jobs: Jobs) -> None:
    jobs.fail(2)
    indexer.step()
    later = jobs.fail(600)  # more than one page
    wait_until(lambda: indexer.step().behind == 0)
    assert set(later) <= indexed()


def test_rows_of_jobs_that_left_are_deleted(indexer: Indexer, jobs: Jobs) -> None:
    ids = jobs.fail(5)
    indexer.step()
    jobs.transitions.requeue("high", ids[:2])
    jobs.transitions.discard("high", ids[2:3])
    assert indexer.step().rows == 2
    assert indexed() == set(ids[3:])
    indexer._refresh_at = 0.0  # a tenth of the time is over
    indexer.step()
    assert FailureGroup.objects.get().count == 2


def test_one_that_fails_again_keeps_one_row_of_the_last_failure(indexer: Indexer, jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    indexer.step()
    first = Failure.objects.get()
    jobs.transitions.requeue("high", [job_id])
    claim = jobs.start()
    jobs.transitions.fail("high", claim, "test-worker", [jobs.failure(job_id, reason="timeout")])
    indexer.step()
    row = Failure.objects.get()
    assert (row.job_id, row.attempts, row.reason) == (job_id, 2, "timeout")
    assert row.failed_at > first.failed_at
    assert abs((row.first_failed_at - first.failed_at).total_seconds()) < 1


def test_what_the_scores_do_not_tell_the_sweep_finds(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Back from the trash it has its old place; a stock worker's has none (score -1)."""
    ids = jobs.fail(4)
    jobs.transitions.discard("high", ids[:1])
    indexer.step()
    jobs.transitions.restore("high", ids[:1])
    jobs.enqueue()
    jobs.start()
    (stock,) = jobs.claimed
    text = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    raise E\napp.Broken: at 10.0.0.7'
    empty_redis.delete(keys.started("high"))
    empty_redis.hset(keys.job(stock), mapping={"status": "failed", "ended_at": "2026-11-20T10:00:00.000000Z"})
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    empty_redis.xadd(keys.results(stock), {"type": "2", "exc_string": packed})
    empty_redis.zadd(keys.failed("high"), {stock: -1})
    indexer.step()
    assert indexed() == {*ids, stock}
    row = Failure.objects.get(job_id=stock)
    assert (row.error_type, row.error_message) == ("app.Broken", "at 10.0.0.7")
    assert row.failed_at.isoformat() == "2026-11-20T10:00:00+00:00"


def test_a_row_that_somebody_removed_comes_back(indexer: Indexer, jobs: Jobs) -> None:
    ids = jobs.fail(3)
    indexer.step()
    Failure.objects.filter(job_id=ids[1]).delete()
    indexer._count_at = 0.0
    indexer.step()
    assert indexed() == set(ids)


def test_redis_that_came_back_empty_leaves_no_rows(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3)
    indexer.step()
    empty_redis.flushall()
    assert indexer.step().rows == 0
    assert not Failure.objects.exists()
    assert not FailureText.objects.exists()


def test_what_cannot_be_indexed_holds_nothing_up(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """An id too long for a row, and one whose job has gone; both stay what they are in Redis."""
    ids = jobs.fail(2)
    empty_redis.zadd(keys.failed("low"), {"x" * 300: keys.SCORE_OFFSET + time.time(), "gone": -1})
    state = indexer.step()
    assert indexed() == set(ids)
    assert (state.complete, state.left_out, state.behind) == (True, 2, 0)


def test_credentials_are_in_no_row(indexer: Indexer, jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="login with password=hunter22secret failed")
    carry(job_id, b'{"title":"t","api_key":"hunter22secret","payload":{"url":"https://a:hunter22secret@db"}}')
    indexer.step()
    rows = [*Failure.objects.values(), *FailureText.objects.values(), *FailureGroup.objects.values()]
    assert "hunter22" not in str(rows)
    assert "password" in FailureText.objects.get().words


def test_odd_texts_are_stored(indexer: Indexer, jobs: Jobs) -> None:
    """NUL and half a surrogate pair, which no database holds; numbers beyond any column."""
    (job_id,) = fail(jobs, message="a\0b " + "x" * 5000, kind="E" * 400, source="s" * 255)
    carry(job_id, b'{"title":"nul \\u0000 half \\ud800","n":1e999}')
    indexer._client.hset(keys.job(job_id), mapping={keys.ATTEMPTS: str(10**30), keys.REPLAY: str(10**30)})
    indexer.step()
    row = Failure.objects.get()
    assert len(row.error_message) == 1000
    assert "\0" not in row.error_message + row.title
    assert row.replay is None


def test_events_wake_it_and_only_failures_are_remembered(indexer: Indexer, jobs: Jobs) -> None:
    indexer.step()
    (job_id,) = jobs.fail()
    for event in ({"event": "queued", "queue": "high", "ids": ["a"]}, {"event": "failed", "ids": 3}, {}):
        indexer.hear(event)
    assert not indexer._wake.is_set()
    indexer.hear({"event": "failed", "queue": "high", "ids": [job_id, "gone", 7]})
    assert indexer._wake.is_set()
    assert list(indexer._heard) == [("high", job_id), ("high", "gone")]
    indexer._take_heard()
    assert indexed() == {job_id}


def test_the_state_is_told_and_lapses(
    indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failures.state(empty_redis) is None
    monkeypatch.setattr(indexing, "LONGEST", 0.0)  # one page of each sweep a step
    jobs.fail(1100)
    state = indexer.step()
    assert not state.complete
    assert state.behind > 0
    assert failures.state(empty_redis) == state
    for _ in range(4):
        state = indexer.step()
    assert (state.complete, state.behind) == (True, 0)
    assert 0 < empty_redis.ttl(keys.FAILURES) <= 15
    empty_redis.set(keys.FAILURES, b'{"of":"another version"}')
    assert failures.state(empty_redis) is None


def test_sweeps_that_agree_rest(indexer: Indexer, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page of each a step, also beside what has no row: an idle index costs nothing to speak of."""
    jobs.fail(3)
    indexer._client.zadd(keys.failed("low"), {"gone": -1})
    indexer.step()
    indexer.step()
    swept = []
    monkeypatch.setattr(indexer, "_sweep_rows", lambda: swept.append(1))
    indexer.step()
    assert swept == [1]


def bury(jobs: Jobs, function: str) -> str:
    """A dead letter whose traceback goes through this function of the application."""
    (job_id,) = jobs.enqueue()
    claim = jobs.start()
    traceback = (
        'Traceback (most recent call last):\n  File "<frozen runpy>", line 1, in run\n'
        f'  File "/srv/shop/orders.py", line 17, in {function}\nValueError: no such device'
    )
    failure = replace(jobs.failure(job_id), error=traceback)
    jobs.transitions.fail("high", claim, "test-worker", [failure])
    return job_id


def test_the_frames_of_the_application_tell_causes_apart(indexer: Indexer, jobs: Jobs) -> None:
    ids = [bury(jobs, "charge"), bury(jobs, "charge"), bury(jobs, "refund"), *jobs.fail()]
    indexer.step()
    groups = [Failure.objects.get(job_id=job_id).fingerprint for job_id in ids]
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3
    frames = FailureGroup.objects.get(pk=groups[0]).frames
    assert frames == "shop/orders.py:charge"


def test_dead_letters_of_before_the_frames_were_kept_are_told_apart_by_their_tracebacks(
    indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis
) -> None:
    job_id, other = bury(jobs, "charge"), bury(jobs, "charge")
    empty_redis.hdel(keys.job(job_id), keys.FRAMES)
    indexer.step()
    assert Failure.objects.get(job_id=job_id).fingerprint == Failure.objects.get(job_id=other).fingerprint


def test_what_was_said_stays_when_fingerprints_are_made_in_another_way(indexer: Indexer, jobs: Jobs) -> None:
    """Issue 8 part 1: frames came into the fingerprint when there were rows already."""
    ids = [bury(jobs, "charge"), bury(jobs, "refund")]
    indexer.step()
    now = Failure.objects.get(job_id=ids[0]).failed_at
    before = FailureGroup.objects.create(
        **{"fingerprint": "000000000017", "error_type": "ValueError", "message": "no such device", "count": 2},
        **{"first_at": now - timedelta(days=3), "last_at": now, "status": "acknowledged", "status_by": "ada"},
        **{"status_at": now, "note": "the probe was sold", "assignee": "bob"},
    )
    FailureGroup.objects.exclude(pk=before.pk).delete()
    Failure.objects.update(fingerprint=before.pk, version=1)
    RetentionPolicy.objects.create(fingerprint=before.pk, set_by="ada", set_at=now, starts_at=now, reason="audit")
    for _ in range(2):
        indexer._refresh_at = 0
        indexer.step()
    groups = FailureGroup.objects.filter(count__gt=0)
    assert len(groups) == 2
    for group in groups:
        said = (group.status, group.status_by, group.note, group.assignee, group.first_at)
        assert said == ("acknowledged", "ada", "the probe was sold", "bob", before.first_at)
        policy = RetentionPolicy.objects.get(fingerprint=group.pk)
        assert (policy.keep_days, policy.set_by, policy.starts_at) == (None, "ada", now)
    assert FailureGroup.objects.get(pk=before.pk).count == 0


def test_a_row_that_is_marked_is_read_anew_at_once(indexer: Indexer, jobs: Jobs) -> None:
    ids = fail(jobs, 3)
    indexer.step()
    carry(ids[1], b'{"title": "edited"}')
    writing.mark_stale(ids[1])
    indexer.step()
    assert Failure.objects.get(job_id=ids[1]).title == "edited"
    assert not Failure.objects.filter(version=0).exists()
