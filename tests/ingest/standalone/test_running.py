"""REDIS=false: each event is run as its kind wants it, failures are its own, and nothing is run by two."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from ingest import client, database, spool
from ingest.accept import Incoming
from ingest.accept.jobs import new_jobs
from ingest.kinds import KINDS, POINT, Context, Kind, Task, tasks
from ingest.models import Alert, Event, SpooledEvent, SpoolLease
from ingest.priorities import Priority, Severity
from ingest.queue.payload import Payload
from ingest.reading import jobs as reading
from ingest.spool import lease, turns
from ingest.standalone import running
from ingest.standalone.running import Running
from tests.ingest.spool.conftest import job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _no_redis(settings: Any) -> None:
    settings.REDIS = False
    assert lease.hold("me")


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kind]:
    def make(handler: Callable[[Payload, Context], Any], **fields: Any) -> Kind:
        kind = Kind(name="mail", validate=lambda event: None, handler=handler, batch=False, **fields)
        monkeypatch.setitem(KINDS, "mail", kind)
        return kind

    return make


def turn() -> int:
    return Running(lambda: False).turn()


def due() -> None:
    """Let the time of those that wait pass."""
    SpooledEvent.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=1))


def states() -> dict[str, str]:
    return dict(SpooledEvent.objects.values_list("id", "state"))


def test_points_are_kept_and_their_counts_told() -> None:
    """C4: with REDIS=false as well."""
    body = (
        b'{"points":[{"device_id":"a","time":1795348798,"lat":1,"lon":2},{"device_id":"a","time":1,"lat":1,"lon":2}]}'
    )
    [made] = new_jobs([Incoming(POINT, body, "", "", None, Severity(None, Priority.LOW, "default"))])
    spool.store([made])
    assert turn() == 1
    found = reading.read(made.id)
    assert found is not None
    assert (found.state, found.result) == ("finished", {"inserted": 1, "duplicates": 0, "rejected": 1})


def test_a_bad_event_fails_alone_and_the_others_are_run_together() -> None:
    good = [job("good") for _ in range(20)]
    bad = job('bad","fault":"permanent')
    spool.store([*good[:10], bad, *good[10:]])
    assert turn() == 21
    assert states() == {bad.id: "failed"}
    assert Event.objects.count() == 20
    assert Alert.objects.get().occurrences == 20
    assert (lease.holder().completed, lease.holder().dead) == (20, 1)


def test_tasks_are_run_by_their_types_with_their_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis too: by what the name means here; of a type that is gone there is a dead letter."""
    ran: list[tuple[str, str]] = []

    async def later(given: Task, context: Context) -> None:
        ran.append((given.task_type, given.task_id))

    monkeypatch.setattr(tasks, "TYPES", {})
    tasks.task("now")(lambda given, context: ran.append((given.task_type, given.task_id)))
    tasks.task("later", own_workers=True)(later)
    tasks.task("scratch", dead_letters=False, retries=0)(lambda given, context: 1 / 0)
    sent = {name: client.enqueue("task", task_type=name, task_id=name).id for name in ("now", "later", "scratch")}
    tasks.task("gone")(later)
    sent["gone"] = client.enqueue("task", task_type="gone").id
    del tasks.TYPES["gone"]
    assert turn() == 4
    assert sorted(ran) == [("later", "later"), ("now", "now")]
    assert states() == {sent["scratch"]: "trash", sent["gone"]: "failed"}


def test_events_of_one_ordering_key_run_one_at_a_time_in_their_order_also_behind_a_retry() -> None:
    first = job('1","fault":"error:1', ordering_key="chat")
    urgent, last = job("2", ordering_key="chat", priority="critical"), job("3", ordering_key="chat")
    spool.store([first, urgent, last, job("other", ordering_key="other chat")])
    assert turn() == 2
    assert states() == {first.id: "retrying", urgent.id: "spooled", last.id: "spooled"}
    assert turn() == 0
    assert turns.next_due() == SpooledEvent.objects.get(id=first.id).due_at
    due()
    for left in ([urgent, last], [last], []):
        assert turn() == 1
        assert set(states()) == {each.id for each in left}


def test_a_failure_is_retried_by_the_kinds_delays_and_then_a_dead_letter() -> None:
    made = job('bad","fault":"error')
    spool.store([made])
    for delay in (1, 5, 25):
        turn()
        row = SpooledEvent.objects.get()
        assert row.state == "retrying"
        assert delay * 0.9 - 1 < (row.due_at - datetime.now(UTC)).total_seconds() <= delay * 1.1
        assert turn() == 0
        due()
    turn()
    row = SpooledEvent.objects.get()
    assert (row.state, row.attempts, row.retries_left, row.reason) == ("failed", 4, 0, "error")
    assert "FaultError" in row.traceback
    assert turns.retry([made.id]) == [made.id]
    assert turns.retry([made.id]) == []
    turn()
    row = SpooledEvent.objects.get()
    assert (row.state, row.attempts, row.retries_left) == ("retrying", 5, 2)


@pytest.mark.parametrize("is_async", [False, True])
def test_effect_handlers_are_run_and_not_again_when_their_row_says_done(
    register: Callable[..., Kind], is_async: bool
) -> None:
    ran: list[str] = []

    def handle(payload: Payload, context: Context) -> None:
        ran.append(payload.id)
        if b"bad" in payload.body and context.attempt == 1:
            raise ValueError("once")

    async def handle_async(payload: Payload, context: Context) -> None:
        handle(payload, context)

    kind = register(handle_async if is_async else handle, retry_delays=(0,))
    jobs = [job(title, kind=kind) for title in ("x", "bad", "y")]
    spool.store(jobs)
    turn()
    assert states() == {jobs[1].id: "retrying"}
    due()
    turn()
    assert states() == {}
    assert sorted(ran) == sorted([*(each.id for each in jobs), jobs[1].id])
    spool.store([jobs[0]])  # run, and its deletion forgotten
    turn()
    assert ran.count(jobs[0].id) == 1


def test_a_kind_that_is_gone_is_unreadable(register: Callable[..., Kind], monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(kind=register(lambda payload, context: None))
    spool.store([made])
    monkeypatch.delitem(KINDS, "mail")
    turn()
    assert SpooledEvent.objects.get().reason == "unreadable"


def test_the_database_away_costs_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    made = job()
    spool.store([made])

    def away(*arguments: Any) -> None:
        raise database.DatabaseAway("gone")

    with monkeypatch.context() as patch:
        patch.setattr(running.jobs, "process", away)
        with pytest.raises(database.DatabaseAway):
            turn()
    row = SpooledEvent.objects.get()
    assert (row.state, row.attempts) == ("spooled", 0)
    assert turn() == 1
    assert states() == {}


def test_what_a_dead_process_had_taken_is_taken_again_and_is_poison_at_the_third_crash() -> None:
    spool.store([job("a"), job("b")])
    for crash in (1, 2, 3):
        taken = turns.take(100)
        assert len(taken) == (2 if crash == 1 else 1), "after a crash each comes alone"
        told = turns.recover()
    rows = SpooledEvent.objects.order_by("place")
    assert [(row.state, row.crashes) for row in rows] == [("failed", 3), ("spooled", 1)]
    assert rows[0].reason == "poison"
    assert [(queue, failure.job_id, failure.reason) for queue, failure in told] == [("high", rows[0].id, "poison")]
    assert turns.retry_all(range(4), datetime.now(UTC), include_poison=False) == (0, 1)


def test_one_that_lost_its_lease_changes_nothing_any_more() -> None:
    spool.store([job("a")])
    mine = turns.take(100)
    turns.recover()
    theirs = turns.take(100)
    with transaction.atomic():
        assert turns.finish(mine) == []
    assert states() == {theirs[0].id: "started"}
    with transaction.atomic():
        assert len(turns.finish(theirs)) == 1


def test_of_two_processes_one_runs(settings: Any) -> None:
    assert not lease.hold("elsewhere 1")
    assert lease.hold("me")
    SpoolLease.objects.update(until=datetime.now(UTC) - timedelta(seconds=1))
    assert lease.hold("elsewhere 1")
    assert not lease.hold("me")
    lease.resign("elsewhere 1")
    assert lease.hold("me")


def test_who_asked_for_it_is_told(settings: Any) -> None:
    made = [job(title, callback="https://example.org/hook") for title in ("good", 'bad","fault":"permanent')]
    spool.store(made)
    turn()
    told = SpooledEvent.objects.filter(kind="callback")
    assert told.count() == 2
    assert set(told.values_list("rank", flat=True)) == {3}


def test_a_stop_gives_back_what_was_not_begun() -> None:
    spool.store([job() for _ in range(3)])
    assert Running(lambda: True).turn() == 3
    assert set(states().values()) == {"spooled"}


def test_trash_is_swept_after_a_day(register: Callable[..., Kind]) -> None:
    def fails(payload: Payload, context: Context) -> None:
        raise ValueError

    made = job(kind=register(fails, retry_delays=(), dead_letters=False))
    spool.store([made])
    turn()
    assert states() == {made.id: "trash"}
    assert turns.sweep() == 0
    SpooledEvent.objects.update(failed_at=datetime.now(UTC) - timedelta(days=2))
    assert turns.sweep() == 1
