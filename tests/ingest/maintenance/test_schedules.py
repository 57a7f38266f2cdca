"""Schedules fire each due time once: with two leaders, through crashes, downtime and changes of the clock (B2)."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from django.db.models import QuerySet

from ingest import accept, schedules
from ingest.kinds import KINDS
from ingest.maintenance import Maintenance
from ingest.maintenance import schedules as firing
from ingest.maintenance.leader import LEASE
from ingest.maintenance.schedules import Schedules, job_id
from ingest.models import Alert, Event, Schedule
from ingest.queue import keys, payload
from ingest.queue.connections import server_time
from ingest.queue.transitions import Transitions
from tests.ingest.worker.conftest import Work

START = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


class Clock:
    """Redis' time, as the leader and the one who makes a schedule see it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self, client: redis.Redis) -> datetime:
        return self.now

    def goes_on(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(firing, "server_time", clock)
    monkeypatch.setattr(schedules, "server_time", clock)
    return clock


@pytest.fixture
def work(empty_redis: redis.Redis) -> Iterator[Work]:
    yield Work(empty_redis)
    connection.close()


@pytest.fixture
def leader(work: Work) -> Schedules:
    return Schedules(work.redis)


def make(name: str = "report", **fields: Any) -> Schedule:
    timing = {} if "cron" in fields else {"interval_seconds": 60}
    return schedules.create(name, kind="alert", body='{"title":"nightly"}', **{**timing, **fields})


def row(name: str = "report") -> Schedule:
    return Schedule.objects.get(name=name)


def test_what_is_due_is_sent_as_a_client_would_send_it(work: Work, leader: Schedules, clock: Clock) -> None:
    schedule = make(priority="high", source="cron", tenant="acme", cron="5 10 * * *")
    leader.step()
    assert work.waiting() == []
    clock.goes_on(minutes=5, seconds=1)
    leader.step()
    due = START + timedelta(minutes=5)
    assert work.waiting() == [job_id(schedule, due)]
    sent = payload.decode(work.redis.hget(keys.job(job_id(schedule, due)), "data"), job_id(schedule, due))
    assert (sent.body, sent.source, sent.tenant, sent.kind) == (b'{"title":"nightly"}', "cron", "acme", "alert")
    assert (sent.received_at, sent.event_id) == (due, "report@2026-11-27T10:05:00Z")
    after = row()
    assert (after.last_due, after.last_job) == (due, job_id(schedule, due))
    assert (after.next_due, after.problem) == (due + timedelta(days=1), "")


def test_every_due_time_is_sent_once_over_many_rounds(work: Work, leader: Schedules, clock: Clock) -> None:
    make(interval_seconds=10)
    for _ in range(95):
        clock.goes_on(seconds=1.3)
        leader.step()
        leader.step()
    assert len(set(work.waiting("medium"))) == len(work.waiting("medium")) == 12
    assert (work.count("enqueued", "medium"), work.count("duplicate", "medium")) == (12, 0)


def test_two_leaders_at_the_same_moment_fire_once(work: Work, clock: Clock) -> None:
    for number in range(5):
        make(f"report {number}")
    clock.goes_on(seconds=61)
    leaders = [Maintenance(work.redis, name=name) for name in ("one", "two")]
    together = threading.Barrier(2)
    errors: list[Exception] = []

    def step(leader: Maintenance) -> None:
        together.wait()
        try:
            leader.schedules.step()
        except Exception as error:  # on SQLite one may meet the other's lock, and tries again a second later
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=step, args=(leader,)) for leader in leaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for leader in leaders:
        leader.schedules.step()
    assert all(isinstance(error, OperationalError) for error in errors)
    assert len(work.waiting("medium")) == work.count("enqueued", "medium") == 5
    assert {schedule.last_due for schedule in Schedule.objects.all()} == {START + timedelta(seconds=60)}


def test_a_leader_that_was_stopped_after_it_had_read_fires_nothing_again(
    work: Work, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP between reading and sending, SIGCONT a minute after another one fired, and the job was done."""
    make()
    clock.goes_on(seconds=60)
    stopped, other = Schedules(work.redis), Schedules(work.redis)
    send = Schedules._send

    def meanwhile(self: Schedules, *arguments: Any) -> str:
        monkeypatch.setattr(Schedules, "_send", send)
        other.step()
        work.off("medium")
        clock.goes_on(seconds=60)
        other.step()
        return send(self, *arguments)

    monkeypatch.setattr(Schedules, "_send", meanwhile)
    stopped.step()
    assert (work.count("enqueued", "medium"), work.count("duplicate", "medium")) == (2, 1)
    assert row().last_due == START + timedelta(seconds=120), "the other's word stands"


def test_a_crash_between_sending_and_writing_sends_nothing_twice(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    clock.goes_on(seconds=60)
    with monkeypatch.context() as crash:
        crash.setattr(firing, "_write", _die)
        with pytest.raises(SystemExit):
            leader.step()
    assert work.count("enqueued", "medium") == 1
    Schedules(work.redis).step()
    assert work.count("enqueued", "medium") == 1
    assert row().last_due == START + timedelta(seconds=60)


@pytest.mark.parametrize("remembered", [True, False], ids=["by its marker", "by its row"])
def test_nor_does_it_when_the_job_is_done_by_then(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch, remembered: bool
) -> None:
    schedule = make()
    clock.goes_on(seconds=60)
    with monkeypatch.context() as crash:
        crash.setattr(firing, "_write", _die)
        with pytest.raises(SystemExit):
            leader.step()
    work.off("medium")
    if not remembered:
        assert work.redis.delete(keys.marker(job_id(schedule, clock.now)))
    Schedules(work.redis).step()
    work.off("medium")
    assert Event.objects.count() == 1
    assert Alert.objects.get().occurrences == 1


def test_a_crash_before_sending_sends_it_at_the_next_step(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    clock.goes_on(seconds=60)
    with monkeypatch.context() as crash:
        crash.setattr(Transitions, "enqueue", _die)
        with pytest.raises(SystemExit):
            leader.step()
    Schedules(work.redis).step()
    assert work.count("enqueued", "medium") == 1


def test_while_the_row_cannot_be_written_each_due_time_is_sent_once(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: reading works, writing does not."""
    make(interval_seconds=10)
    with monkeypatch.context() as full:
        full.setattr(QuerySet, "update", _raise(OperationalError("disk full")))
        for _ in range(25):
            clock.goes_on(seconds=1)
            if clock.now < START + timedelta(seconds=10):
                leader.step()
            else:
                with pytest.raises(OperationalError):
                    leader.step()
    leader.step()
    assert (work.count("enqueued", "medium"), work.count("duplicate", "medium")) == (2, 0)
    assert row().last_due == START + timedelta(seconds=20)


def test_a_takeover_makes_up_for_every_due_time(work: Work, leader: Schedules, clock: Clock) -> None:
    make(interval_seconds=5)
    clock.goes_on(seconds=22)
    leader.step()
    assert len(work.waiting("medium")) == 4


@pytest.mark.parametrize(
    ("catch_up", "sent"),
    [("skip", []), ("once", ["report@2026-11-28T16:00:00Z"])],
)
def test_after_downtime_it_waits_for_the_next_time_or_runs_once(
    work: Work, leader: Schedules, clock: Clock, catch_up: str, sent: list[str]
) -> None:
    make(cron="0 * * * *", catch_up=catch_up)
    clock.goes_on(hours=30, minutes=13)
    leader.step()
    leader.step()
    ids = work.waiting("medium")
    assert [work.field(job_id, "event_id") for job_id in ids] == sent
    assert row().next_due == START + timedelta(hours=31)
    clock.goes_on(minutes=47)
    leader.step()
    assert len(work.waiting("medium")) == len(sent) + 1


def test_the_hour_that_exists_twice_fires_once_and_the_one_that_does_not_exist_fires_too(
    work: Work, leader: Schedules, clock: Clock
) -> None:
    for day in (datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 28, 20, tzinfo=UTC)):
        clock.now = day
        Schedule.objects.all().delete()
        make(cron="30 2 * * *", timezone="Europe/Berlin")
        for _ in range(12 * 4):
            clock.goes_on(minutes=15)
            leader.step()
    sent = [work.field(job_id, "event_id") for job_id in work.waiting("medium")]
    assert sent == ["report@2026-10-25T00:30:00Z", "report@2026-03-29T01:00:00Z"]


def test_a_full_queue_is_tried_again_and_given_up_only_where_it_may_skip(
    work: Work, leader: Schedules, clock: Clock, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.QUEUE_LIMITS = {**settings.QUEUE_LIMITS, "medium": 1}
    work.put({"title": "x"}, queue="medium")
    make("skips")
    make("waits", catch_up="once")
    clock.goes_on(seconds=60)
    for _ in range(3):
        leader.step()
    assert {schedule.problem for schedule in Schedule.objects.all()} == {"Its queue is full."}
    assert row("skips").next_due == row("waits").next_due == clock.now
    assert caplog.text.count("schedule skips did not fire") == 1
    clock.goes_on(seconds=90)
    leader.step()
    assert row("skips").next_due == START + timedelta(seconds=180)
    work.redis.delete(keys.queue("medium"))
    leader.step()
    assert [work.field(job_id, "event_id") for job_id in work.waiting("medium")] == ["waits@2026-11-27T10:02:00Z"]
    assert row("waits").problem == ""


def test_one_that_cannot_be_fired_keeps_no_other_from_it(
    work: Work, leader: Schedules, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    make("of a kind that is gone")
    make("wrong zone", cron="* * * * *")
    make("good")
    Schedule.objects.filter(name="of a kind that is gone").update(kind="gone")
    Schedule.objects.filter(name="wrong zone").update(timezone="Mars/Base")
    clock.goes_on(seconds=60)
    leader.step()
    assert len(work.waiting("medium")) == 1
    assert row("of a kind that is gone").problem == "There is no kind 'gone'."
    assert row("of a kind that is gone").next_due == START + timedelta(seconds=120)
    assert "schedule wrong zone could not be fired" in caplog.text


def test_a_change_made_meanwhile_is_not_undone(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    clock.goes_on(seconds=60)
    send = Schedules._send

    def change(self: Schedules, *arguments: Any) -> str:
        schedules.update("report", cron="0 12 * * *", interval_seconds=None)
        return send(self, *arguments)

    monkeypatch.setattr(Schedules, "_send", change)
    leader.step()
    assert (row().cron, row().next_due) == ("0 12 * * *", START + timedelta(hours=2))


def test_a_paused_one_does_not_fire_and_makes_up_for_nothing(work: Work, leader: Schedules, clock: Clock) -> None:
    make(catch_up="once")
    schedules.pause("report")
    clock.goes_on(hours=1, seconds=10)
    leader.step()
    assert schedules.resume("report").next_due == START + timedelta(hours=1, seconds=60)
    leader.step()
    assert work.waiting("medium") == []
    clock.goes_on(seconds=50)
    leader.step()
    assert len(work.waiting("medium")) == 1


def test_what_its_kind_says_holds_for_its_jobs(
    work: Work, leader: Schedules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = make()
    monkeypatch.setitem(KINDS, "alert", replace(KINDS["alert"], retry_delays=(7.0,), timeout=11))
    clock.goes_on(seconds=60)
    leader.step()
    found = work.redis.hmget(keys.job(job_id(schedule, clock.now)), "retry_intervals", "timeout")
    assert found == [b"[7]", b"11"]


def test_this_machines_clock_does_not_matter(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases and due times go by Redis' time; the leader's own clock is wrong by hours."""
    monkeypatch.setattr(firing, "server_time", server_time)
    monkeypatch.setattr(schedules, "server_time", server_time)
    now = server_time(work.redis).replace(microsecond=0)
    for hours in (-5, 5):
        work.redis.flushall()
        Schedule.objects.all().delete()
        accept.breaker.reset()
        wrong = now.timestamp() + hours * 3600
        monkeypatch.setattr("time.time", lambda wrong=wrong: wrong)
        # Anchored, since a due time of its own would follow where a second begins meanwhile.
        make("due", interval_seconds=3600, anchor=now)
        make("not yet", interval_seconds=3600)
        Schedule.objects.filter(name="due").update(next_due=now)
        (scheduled,) = work.put({"title": "later"}, queue="high", delay=3600)
        (due,) = work.put({"title": "now"}, queue="high", delay=3600)
        work.redis.zadd(keys.scheduled("high"), {due: now.timestamp() - 1})
        work.put({"title": "runs"}, queue="low")
        work.transitions.claim("alive", ["low"], claim_id="c", lease=30)
        leader = Maintenance(work.redis)
        assert leader.lead()
        leader.round()
        leader.schedules.step()
        assert work.waiting("high") == [due]
        assert work.redis.zscore(keys.scheduled("high"), scheduled)
        assert work.started("low") == 1
        assert [work.field(job_id, "event_id") for job_id in work.waiting("medium")] == [
            f"due@{now:%Y-%m-%dT%H:%M:%S}Z"
        ]
        assert 0 < work.redis.ttl(keys.LEADER) <= LEASE


def _die(*arguments: Any, **named: Any) -> None:
    raise SystemExit


def _raise(error: Exception) -> Callable[..., Any]:
    def raises(*arguments: Any, **named: Any) -> None:
        raise error

    return raises
