"""While the database is away entries wait in Redis; then they are written in order, each once, into the one chain."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.db import OperationalError, connection

from ingest.queue import keys
from queueadmin.console import audit, operations
from queueadmin.console.audit.keeping import Keeper, last_check
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

Switch = Callable[[bool], None]


def _log() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "step"))


def _pause_while_away(switch: Switch) -> None:
    switch(True)
    operations.pause("low", actor="key:ops", reason="give high the workers")
    switch(False)


def test_pause_recover_and_moves_work_while_the_database_is_away(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch
) -> None:
    (job_id,) = jobs.enqueue()
    jobs.enqueue(3, queue="low")
    jobs.start(queue="low", lease=-1)
    no_database(True)
    assert operations.pause("low", actor="key:ops").queue == "low"
    assert operations.recover_stalled(actor="key:ops").total == 3
    assert operations.cancel([job_id], actor="key:ops").moved == (job_id,)
    assert empty_redis.zscore(keys.PAUSED, "low") is not None
    assert not AuditEntry.objects.exists()
    assert empty_redis.llen(keys.AUDIT_WAITING) == 6

    no_database(False)
    assert audit.drain(empty_redis) == 6
    actions = ("pause", "recover_stalled", "cancel")
    assert _log() == [(action, step) for action in actions for step in ("intent", "outcome")]
    assert AuditEntry.objects.get(action="recover_stalled", step="outcome").count == 3
    assert audit.first_broken() is None
    assert not empty_redis.exists(keys.AUDIT_WAITING)
    assert audit.drain(empty_redis) == 0


def test_whoever_writes_next_writes_those_that_wait_first(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch
) -> None:
    _pause_while_away(no_database)
    operations.resume("low", actor="ada")
    assert _log() == [("pause", "intent"), ("pause", "outcome"), ("resume", "intent"), ("resume", "outcome")]
    assert not empty_redis.exists(keys.AUDIT_WAITING)


def test_an_outcome_waits_when_the_database_goes_in_between(empty_redis: redis.Redis, no_database: Switch) -> None:
    """Also of an operation that needs the database: it was done, and that is on record."""
    with audit.audited(actor="ada", action="retry", target="job-1") as outcome:
        outcome.sentence = "1 job put back."
        no_database(True)
    assert _log() == [("retry", "intent")]
    no_database(False)
    audit.drain(empty_redis)
    assert _log() == [("retry", "intent"), ("retry", "outcome")]


def test_what_needs_the_database_is_not_done_without_it(empty_redis: redis.Redis, no_database: Switch) -> None:
    no_database(True)
    with pytest.raises(audit.AuditUnavailable, match="Nothing was done"):
        operations.create_key("ci", actor="ada")
    assert not empty_redis.exists(keys.AUDIT_WAITING)


@pytest.mark.usefixtures("no_redis")
def test_when_both_are_away_nothing_is_done(no_database: Switch) -> None:
    no_database(True)
    with (
        pytest.raises(audit.AuditUnavailable, match="Nothing was done"),
        audit.audited(actor="ada", action="x", target="all", in_redis=True),
    ):
        pytest.fail("it was done")


def test_a_mover_that_died_after_its_commit_doubles_nothing(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch
) -> None:
    _pause_while_away(no_database)
    waiting = empty_redis.lrange(keys.AUDIT_WAITING, 0, -1)
    audit.drain(empty_redis)
    empty_redis.rpush(keys.AUDIT_WAITING, *waiting)  # it had not told Redis yet
    assert audit.drain(empty_redis) == 2
    assert _log() == [("pause", "intent"), ("pause", "outcome")]
    assert audit.first_broken() is None


def test_a_move_that_the_database_interrupts_leaves_what_it_did_not_write(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch
) -> None:
    _pause_while_away(no_database)
    no_database(True)
    with pytest.raises(OperationalError):
        audit.drain(empty_redis)
    assert empty_redis.llen(keys.AUDIT_WAITING) == 2
    no_database(False)
    audit.drain(empty_redis)
    assert _log() == [("pause", "intent"), ("pause", "outcome")]


def test_two_movers_at_once_write_each_entry_once(jobs: Jobs, empty_redis: redis.Redis, no_database: Switch) -> None:
    for _ in range(20):
        _pause_while_away(no_database)
    together = threading.Barrier(4)

    def move(_: int) -> None:
        together.wait(30)
        audit.drain(empty_redis)
        connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(move, range(4)))
    assert _log() == [("pause", "intent"), ("pause", "outcome")] * 20
    assert audit.first_broken() is None
    assert not empty_redis.exists(keys.AUDIT_WAITING)


def test_an_entry_that_nobody_can_read_holds_no_other_up(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    empty_redis.rpush(keys.AUDIT_WAITING, b'{"v": 2}')
    _pause_while_away(no_database)
    audit.drain(empty_redis)
    assert _log() == [("pause", "intent"), ("pause", "outcome")]
    assert '{"v": 2}' in caplog.text


def test_the_publisher_moves_what_waits_and_looks_the_chain_over(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Switch
) -> None:
    _pause_while_away(no_database)
    Keeper(empty_redis).step()
    assert _log() == [("pause", "intent"), ("pause", "outcome")]
    found = last_check(empty_redis)
    assert found is not None
    assert (found.entries, found.broken) == (2, None)
    AuditEntry.objects.filter(step="outcome").update(actor="somebody else")
    Keeper(empty_redis).step()
    found = last_check(empty_redis)
    assert found is not None
    assert found.broken == AuditEntry.objects.get(step="outcome").pk
