"""Dead letters that somebody marks permanent: shown, left by what moves many, and unmarked again (issue 8 part 6)."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client

from ingest.queue import keys
from ingest.queue.connections import server_time
from queueadmin.console import operations, queries
from queueadmin.console.failures import Indexer, matching, writing
from queueadmin.console.filters import Filter, parse
from queueadmin.console.models import Failure
from queueadmin.console.replays.engine import Engine
from tests.console.conftest import Jobs, outcome
from tests.console.dead_letters.conftest import dlq
from tests.console.failures.conftest import indexer

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db(transaction=True)


def state_of(job_id: str) -> tuple[str, bool]:
    found = queries.job(job_id)
    assert found is not None
    return found["state"], found["permanent"]


def test_it_is_marked_and_unmarked_on_the_record(indexer: Indexer, jobs: Jobs) -> None:
    ids, (waiting,) = jobs.fail(2), jobs.enqueue(queue="low")
    indexer.step()
    done = operations.mark([ids[0], waiting], permanent=True, actor="ada", reason="the device is gone")
    assert (done.moved, done.left) == ((ids[0],), (waiting,))
    assert done.sentence == "1 job marked permanent: replays leave it; 1 job left as it was."
    entry = outcome()
    assert (entry.action, entry.actor, entry.count, entry.reason) == ("mark_permanent", "ada", 1, "the device is gone")
    assert [state_of(job_id) for job_id in (*ids, waiting)] == [("failed", True), ("failed", False), ("queued", False)]
    assert set(Failure.objects.filter(permanent=True).values_list("job_id", flat=True)) == {ids[0]}
    assert operations.mark([ids[0]], permanent=True, actor="ada").moved == ()
    assert operations.mark([ids[0]], permanent=False, actor="ada").sentence == "1 job not permanent any more."
    assert state_of(ids[0]) == ("failed", False)
    assert not Failure.objects.filter(permanent=True).exists()


def test_the_index_learns_it_by_itself(indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.fail()
    jobs.transitions.mark("high", [job_id], permanent=True)
    indexer.step()
    assert Failure.objects.get().permanent


def test_replays_and_retries_of_many_leave_it_unless_asked(jobs: Jobs, empty_redis: redis.Redis) -> None:
    marked, _ = jobs.fail(2)
    operations.mark([marked], permanent=True, actor="ada")
    replay = operations.start_replay(Filter(), actor="ada").replay
    Engine(empty_redis).step()
    replay.refresh_from_db()
    assert (replay.size, replay.poison_left, replay.permanent_left) == (1, 0, 1)
    assert state_of(marked) == ("failed", True)
    jobs.fail()
    assert operations.retry_all(actor="ada").sentence.endswith("1 job left out, marked permanent.")
    with pytest.raises(Exception, match="No other dead letter matches"):
        dlq("retry", "--yes")
    with pytest.raises(Exception, match="No other dead letter matches"):
        dlq("retry", "--yes", "--include-poison")
    assert "1 of 1 dead letter put back" in dlq("retry", "--yes", "--include-permanent")


def test_one_that_is_marked_on_its_way_into_the_index_is_marked_there(
    indexer: Indexer, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = jobs.fail()
    write = writing.write

    def late(*args: Any, **more: Any) -> set[str]:
        monkeypatch.setattr(writing, "write", write)
        operations.mark([job_id], permanent=True, actor="ada")
        return write(*args, **more)

    monkeypatch.setattr(writing, "write", late)
    indexer.step()
    assert not Failure.objects.get(job_id=job_id).permanent
    indexer.step()
    assert Failure.objects.get(job_id=job_id).permanent


def test_one_that_is_retried_by_itself_has_no_mark_any_more(jobs: Jobs) -> None:
    (job_id,) = jobs.fail()
    operations.mark([job_id], permanent=True, actor="ada")
    operations.retry([job_id], actor="ada")
    assert state_of(job_id) == ("queued", False)


def test_by_the_api_and_the_command_line(jobs: Jobs, make_user: Callable[..., User]) -> None:
    ids = jobs.fail(2)
    client = Client()
    client.force_login(make_user("ada", "operator"))
    path = f"/api/v1/jobs/{ids[0]}"
    answer = client.post(f"{path}/mark-permanent", {"reason": "sold"}, content_type="application/json")
    assert (answer.status_code, answer.json()["permanent"]) == (200, True)
    again = client.post(f"{path}/mark-permanent", {}, content_type="application/json")
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "already_moved", "failed")
    answer = client.post(f"{path}/unmark-permanent", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["permanent"]) == (200, False)
    assert dlq("mark", "--dry-run") == "2 dead letters would be marked as permanent.\n"
    assert dlq("mark", "--yes", f"id:{ids[1]}") == "1 job marked permanent: replays leave it.\n"
    told = io.StringIO()
    call_command("dlq", "unmark", "--yes", stdout=told, stderr=io.StringIO())
    assert told.getvalue() == "1 job not permanent any more; 1 job left as it was.\n"


@pytest.mark.both_databases
def test_what_is_marked_while_the_database_is_locked_is_found_by_it_later(
    indexer: Indexer, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else of the job had changed, so the index never read it anew: no filter found it, and no unmarking."""
    (job_id,) = jobs.fail(1)
    while not indexer.step().complete:
        pass

    def locked(*args: object, **more: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("queueadmin.console.operations.marking.mark_permanent", locked)
    assert operations.mark([job_id], permanent=True, actor="ada").moved == (job_id,)
    indexer.step()
    chosen, now = parse("permanent:yes"), server_time(empty_redis)
    assert [found.id for found in matching(empty_redis, chosen, now=now)] == [job_id]
    assert Failure.objects.get().permanent
    assert not empty_redis.exists(keys.FAILURES_CHANGED)
