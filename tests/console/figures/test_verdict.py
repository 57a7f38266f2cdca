from dataclasses import replace

import pytest

from queueadmin.console.figures.snapshot import (
    Accounts,
    DatabaseFacts,
    DatabaseState,
    DatabaseStatus,
    Loss,
    Maintenance,
    QueueState,
    RedisState,
    Spool,
    Verdict,
)
from queueadmin.console.figures.verdict import judge

REDIS = RedisState("connected", "9.1.2", fsync="always")
QUEUES = tuple(
    QueueState(name, wait_target=target, workers=1)
    for name, target in (("critical", 5), ("high", 15), ("medium", 60), ("low", 600))
)


def _judge(
    *queues: QueueState,
    redis: RedisState = REDIS,
    database: DatabaseStatus = "connected",
    leader: str | None = "one",
    loss: Loss | None = None,
    spool: Spool = Spool(),  # noqa: B008 - frozen
    accounts: Accounts | None = None,
) -> Verdict:
    given = {q.name: q for q in queues}
    return judge(
        redis=redis,
        facts=DatabaseFacts(DatabaseState(database), loss, spool),
        maintenance=Maintenance(leader),
        queues=[given.get(q.name, q) for q in QUEUES],
        accounts=accounts,
    )


def _high(**fields: object) -> QueueState:
    return replace(QUEUES[1], **fields)  # type: ignore[arg-type]


def test_healthy_says_so_and_every_check_holds() -> None:
    verdict = _judge()
    assert (verdict.status, verdict.reasons) == ("healthy", ())
    assert verdict.reason == "No job waits and no job is stuck."
    assert verdict.checks
    assert all(check.ok for check in verdict.checks)


@pytest.mark.parametrize("dead", [100, 101])
def test_e7_over_100_dead_letters_is_degraded(dead: int) -> None:
    verdict = _judge(_high(failed=dead))
    assert verdict.status == ("degraded" if dead > 100 else "healthy")
    if dead > 100:
        assert verdict.reason == "101 dead letters wait for a decision."
        assert verdict.next


@pytest.mark.parametrize("depth", [10_000, 10_001])
def test_c9_over_10_000_pending_is_degraded(depth: int) -> None:
    assert _judge(_high(depth=depth)).status == ("degraded" if depth > 10_000 else "healthy")


def test_a_queue_without_a_worker_is_degraded_and_named_with_the_command() -> None:
    verdict = _judge(_high(workers=0))
    assert verdict.status == "degraded"
    assert verdict.reason == "No worker serves high."
    assert verdict.next == "Start one: manage.py rqworker critical high medium low"


def test_e10_tasks_whose_workers_are_missing_are_named_with_the_command() -> None:
    verdict = _judge(_high(depth=3, unserved=("gpu",)))
    assert (verdict.status, verdict.reason) == (
        "degraded",
        "Tasks of the type gpu wait, and no worker serves them.",
    )
    assert verdict.next == "Start one: manage.py rqworker critical high medium low --types gpu"


def test_stalled_jobs_are_degraded() -> None:
    verdict = _judge(_high(started=3, stalled=3))
    assert verdict.status == "degraded"
    assert verdict.reason.startswith("3 jobs in high stalled")
    assert "Recover stalled" in verdict.next


def test_x8_a_growing_queue_over_its_target_is_degraded() -> None:
    late = _high(depth=500, oldest_wait=22.0, net_rate=12.3, clears_in="growing")
    verdict = _judge(late)
    assert verdict.status == "degraded"
    assert verdict.reason == (
        "high grows 12/s faster than it drains; its oldest job has waited longer than the 15 s target."
    )


def test_a_late_queue_that_drains_is_healthy_but_shows() -> None:
    verdict = _judge(_high(depth=500, oldest_wait=22.0, clears_in=10.0))
    assert verdict.status == "healthy"
    assert verdict.reason == "high waited longer than the target, but drains."
    assert [check.text for check in verdict.checks if not check.ok] == ["high over target"]


def test_unsafe_redis_is_degraded_by_its_own_sentence() -> None:
    verdict = _judge(redis=replace(REDIS, unsafe=("The append-only file is off.",)))
    assert (verdict.status, verdict.reason) == ("degraded", "The append-only file is off.")
    assert verdict.checks[0].text == "Redis unsafe"


def test_the_database_away_or_no_maintenance_is_degraded() -> None:
    assert _judge(database="disconnected").status == "degraded"
    read_only = _judge(database="read-only")  # all looked well after a failover to a replica
    assert read_only.status == "degraded"
    assert read_only.reason == "The database takes no writes; events are accepted and wait in their queues."
    assert "may be a replica" in read_only.next
    assert "database read-only" in [check.text for check in read_only.checks if not check.ok]
    assert _judge(leader=None).reason.startswith("No maintenance process runs")


@pytest.mark.parametrize(
    "redis",
    [RedisState("disconnected"), replace(REDIS, refuses="Redis is full (64 of 64 MiB)")],
    ids=["away", "full"],
)
def test_x11_unhealthy_only_when_nothing_can_be_accepted(redis: RedisState) -> None:
    verdict = _judge(_high(failed=500), redis=redis)
    assert verdict.status == "degraded"
    assert "events are accepted into the database" in verdict.reason
    verdict = _judge(_high(failed=500), redis=redis, database="disconnected")
    assert verdict.status == "unhealthy"
    assert verdict.reason.endswith("and the database does not answer: no event can be accepted.")
    verdict = _judge(_high(failed=500), redis=redis, database="read-only")
    assert verdict.reason.endswith("and the database takes no writes: no event can be accepted.")


def test_the_spool_in_use_is_degraded_and_says_how_much_waits_since_when() -> None:
    verdict = _judge(spool=Spool(1234, oldest=190.0))
    assert verdict.status == "degraded"
    assert verdict.reason.startswith("1,234 events wait in the spool, the oldest for 3 min")
    assert "1,234 in the spool" in [check.text for check in verdict.checks if not check.ok]
    away = _judge(redis=RedisState("disconnected"), spool=Spool(100_000, more=True, oldest=5.0))
    assert away.reasons[1].startswith("over 100,000 events wait in the spool")
    assert "dead letters of a time with REDIS=false" in _judge(spool=Spool(dead=2)).reason


def test_every_reason_is_kept_the_gravest_first() -> None:
    verdict = _judge(_high(failed=500, workers=0, stalled=1), database="disconnected")
    assert len(verdict.reasons) == 4
    assert verdict.reason == verdict.reasons[0]
    assert verdict.reason.startswith("The database")


def test_a_starved_queue_is_named_with_how_long_and_what_to_do() -> None:
    low = replace(QUEUES[3], depth=1829, parked=29, oldest_wait=720, starved_for=720, clears_in="growing")
    verdict = _judge(low)
    assert verdict.status == "degraded"
    assert verdict.reasons == ("low starved 12 min: 1,800 jobs wait while higher queues keep every worker.",)
    assert verdict.next == "Add workers, or give it one of its own: manage.py rqworker low"
    assert "low starved" in [check.text for check in verdict.checks if not check.ok]


def test_a_pause_shows_and_is_degraded_once_jobs_wait_too_long() -> None:
    verdict = _judge(_high(paused=True, depth=3, oldest_wait=2.0, clears_in="paused"))
    assert (verdict.status, verdict.reason) == ("healthy", "high is paused; 3 jobs waiting, within target.")
    assert "high is paused" in [check.text for check in verdict.checks if not check.ok]
    verdict = _judge(_high(paused=True, depth=3, oldest_wait=20.0, clears_in="paused"))
    assert (verdict.status, verdict.reason) == (
        "degraded",
        "high is paused, and 3 jobs waited longer than the target.",
    )


def test_e3_a_loss_of_redis_comes_first_until_somebody_understood() -> None:
    loss = Loss(1, "Redis came back empty: it held 1,234 jobs.", "Put its data back.", 1.0, 1234)
    verdict = _judge(_high(failed=500), database="disconnected", loss=loss)
    assert (verdict.status, verdict.reason, verdict.next) == ("degraded", loss.sentence, loss.next)
    assert len(verdict.reasons) == 3


def test_x12_what_was_accepted_is_accounted_for() -> None:
    verdict = _judge(accounts=Accounts(0.0, 1_214, 1_214))
    assert verdict.status == "healthy"
    assert verdict.checks[-1].text == "1,214 accepted, 1,214 accounted for"
    verdict = _judge(accounts=Accounts(0.0, 1_214, 1_211, misplaced=1))
    assert verdict.status == "degraded"
    assert verdict.reason == "1,214 accepted, 1,211 accounted for, 1 job of a sample misplaced."
    assert not verdict.checks[-1].ok
    # Stock workers leave no counters: nothing is said that cannot be proved.
    assert _judge(accounts=Accounts(0.0, 5, 3, provable=False)).status == "healthy"


def test_it_says_how_many_workers_are_missing() -> None:
    growing = _high(depth=500, oldest_wait=22.0, clears_in="growing", net_rate=12.0, out_rate=20.0, busy=3)
    assert _judge(growing).next == "Add 2 workers, or find what slowed them down."
