"""`manage.py queues`, `recover_stalled` and `publish_metrics` as they are run."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command

from ingest.queue import keys
from ingest.queue.limits import Limit, set_limit
from queueadmin.console import audit
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import DatabaseFacts, DatabaseState
from queueadmin.console.models import AuditEntry
from tests.conftest import wait_until
from tests.console.conftest import Jobs, outcome

pytestmark = pytest.mark.django_db


def _queues(*arguments: str) -> str:
    out = StringIO()
    call_command("queues", *arguments, stdout=out)
    return out.getvalue()


def test_queues_as_text(jobs: Jobs) -> None:
    jobs.enqueue(1234)
    jobs.fail(2, queue="low")
    text = _queues()
    assert text.startswith("degraded: ")
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["high"][1] == "1,234"
    assert rows["low"][6] == "2"
    assert "enqueued 1,236 · dequeued 2 · processed 0 · failures 2" in text


def test_queues_are_paused_and_resumed_while_the_database_is_away(
    jobs: Jobs, empty_redis: redis.Redis, no_database: Callable[[bool], None]
) -> None:
    no_database(True)
    said = _queues("pause", "low", "--minutes", "30", "--reason", "why")
    assert said == "low is paused for 30 min; what runs already goes on.\n"
    assert empty_redis.zscore(keys.PAUSED, "low") is not None
    assert _queues("resume", "low") == "low goes on.\n"
    assert _queues("pause").startswith("All queues are paused until resumed")
    assert _queues("resume") == "All queues go on.\n"
    no_database(False)
    audit.drain(empty_redis)
    assert AuditEntry.objects.filter(step="outcome").count() == 4
    assert audit.first_broken() is None


@pytest.mark.parametrize(
    "wrong",
    [("pause", "nowhere"), ("pause", "--minutes", "0"), ("pause", "--minutes", "x"), ("resume", "--minutes", "5")],
)
def test_queues_say_what_is_wrong_with_a_pause(wrong: tuple[str, ...], empty_redis: redis.Redis) -> None:
    with pytest.raises(CommandError):
        _queues(*wrong)
    assert not AuditEntry.objects.exists()


def test_queues_as_json_is_the_snapshot(jobs: Jobs) -> None:
    jobs.enqueue(3)
    before = metrics.snapshot().as_dict()
    shown = json.loads(_queues("--json"))
    assert (shown["type"], shown["totals"]["depth"]) == ("snapshot", 3)
    moving = {"at", "seq", "queues", "totals", "redis"}
    assert {name: value for name, value in shown.items() if name not in moving} == {
        name: value for name, value in before.items() if name not in moving
    }
    assert [set(q) for q in shown["queues"]] == [set(q) for q in before["queues"]]


def test_queues_tell_what_is_paused_starved_parked_and_in_the_trash(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.transitions.discard("high", jobs.enqueue(2, queue="high"))
    set_limit(empty_redis, Limit("source", "slow", 1, 3600))
    jobs.enqueue(4, queue="medium", source="slow")
    jobs.start(queue="medium", limit=100)
    jobs.transitions.pause("critical", until=4102444800)
    jobs.transitions.pause("low")
    text = _queues()
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.endswith("0")}
    assert (rows["high"][1], rows["high"][7]) == ("0", "2")
    assert rows["medium"][1:4] == ["3", "3", "1"]
    assert "critical is paused until 2100-01-01 00:00:00 UTC\n" in text
    assert "low is paused until resumed\n" in text
    assert "medium holds back 3 jobs, by rate limits or by the order of their keys\n" in text
    jobs.transitions.resume("low")
    jobs.transitions.pause(None)
    assert "low is paused until resumed, as all queues are" in _queues()


def test_queues_tell_who_is_starved(monkeypatch: pytest.MonkeyPatch, jobs: Jobs) -> None:
    real = metrics.snapshot()
    low = dataclasses.replace(real.queues[-1], starved_for=720.0)
    monkeypatch.setattr(metrics, "snapshot", lambda: dataclasses.replace(real, queues=(*real.queues[:-1], low)))
    assert "low starved 12 min: higher queues keep its workers" in _queues()


# --- recover_stalled -----------------------------------------------------------------------------


def _recovered(*arguments: str) -> tuple[str, str]:
    out, told = StringIO(), StringIO()
    call_command("recover_stalled", *arguments, stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


def test_recover_stalled_prints_the_number_and_is_audited(jobs: Jobs) -> None:
    jobs.enqueue(2, queue="critical")
    jobs.start(queue="critical", lease=-1)
    jobs.enqueue(3, queue="low")
    jobs.start(queue="low", lease=-1)
    number, told = _recovered()
    assert number == "5\n"
    assert told == "2 jobs taken back to the front of critical; 3 jobs taken back to the front of low.\n"
    assert (outcome().action, outcome().count) == ("recover_stalled", 5)
    assert outcome().actor.startswith("cli:")
    assert _recovered() == ("0\n", "No job was stalled; nothing was changed.\n")


def test_recover_stalled_can_take_work_that_runs_for_too_long(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.enqueue()
    jobs.start(lease=600)
    empty_redis.hset(keys.job(jobs.claimed[0]), "started_at", "2026-01-01T00:00:00.000000Z")
    assert _recovered("--older-than", "600", "--reason", "it hangs")[0] == "1\n"
    assert outcome().reason == "it hangs"
    for wrong in ("-1", "0", "nan", "soon"):
        with pytest.raises(CommandError, match=r"a number of seconds above 0"):
            call_command("recover_stalled", f"--older-than={wrong}")


@pytest.mark.usefixtures("no_redis")
def test_recover_stalled_without_redis_is_1() -> None:
    with pytest.raises(CommandError, match="Redis does not answer") as caught:
        _recovered()
    assert caught.value.returncode == 1


@pytest.mark.usefixtures("no_redis")
def test_queues_without_redis_and_database_exits_1_and_shows_no_false_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    away = DatabaseFacts(DatabaseState("disconnected"))
    monkeypatch.setattr(metrics, "database_facts", lambda: away)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("queues", stdout=out)
    assert ended.value.code == 1
    assert out.getvalue().startswith("unhealthy: Redis does not answer")
    assert "–" in out.getvalue()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_publish_metrics_publishes_and_stops_cleanly(empty_redis: redis.Redis, how: signal.Signals) -> None:
    manage = Path(settings.BASE_DIR) / "manage.py"
    process = subprocess.Popen([sys.executable, str(manage), "publish_metrics", "--skip-checks"], env=os.environ.copy())
    try:
        wait_until(lambda: empty_redis.llen(keys.HISTORY) >= 2, what="a second sample")
        process.send_signal(how)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert not empty_redis.exists(keys.PUBLISHER)
