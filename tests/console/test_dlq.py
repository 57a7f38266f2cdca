"""`manage.py dlq` as it is run: it retries, discards, asks, and its exit codes say how it ended."""

import io
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command

from ingest.queue import keys
from queueadmin.console.failures import Indexer
from queueadmin.console.models import AuditEntry, Replay
from queueadmin.console.replays import choosing
from tests.console.conftest import Jobs, outcome
from tests.console.dead_letters.conftest import carry, dlq, refused
from tests.console.failures.conftest import indexer

__all__ = ["indexer"]

pytestmark = pytest.mark.django_db


def test_retry_puts_back_what_matches_and_says_how_many(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3, source="zabbix")
    others = jobs.fail(2, queue="low")
    assert dlq("retry", "--yes", "source:zabbix") == "3 of 3 dead letters put back into the queue.\n"
    assert empty_redis.llen(keys.queue("high")) == 3
    assert [job_id.decode() for job_id in empty_redis.zrange(keys.failed("low"), 0, -1)] == others
    entry = outcome()
    assert (entry.action, entry.target, entry.count) == ("retry", "source:zabbix", 3)
    assert entry.actor.startswith("cli:")
    assert (
        empty_redis.hget(keys.job(empty_redis.lindex(keys.queue("high"), 0).decode()), keys.MOVED_BY)
        == entry.actor.encode()
    )


def test_the_longest_dead_go_first(jobs: Jobs, empty_redis: redis.Redis) -> None:
    first, second = jobs.fail(), jobs.fail()
    dlq("retry", "--yes")
    assert [job_id.decode() for job_id in empty_redis.lrange(keys.queue("high"), 0, -1)] == [*first, *second]


def test_retry_into_another_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2)
    assert dlq("retry", "--yes", "--to", "low", "--reason", "in the night") == "2 of 2 dead letters put into low.\n"
    assert empty_redis.llen(keys.queue("low")) == 2
    assert outcome().reason == "in the night"


def test_poison_is_left_unless_asked(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2, reason="poison")
    jobs.fail(1)
    told = io.StringIO()
    call_command("dlq", "retry", "--yes", stdout=io.StringIO(), stderr=told)
    assert "2 jobs left out, being poison; see --include-poison." in told.getvalue()
    assert empty_redis.llen(keys.queue("high")) == 1
    assert refused("retry", "--yes", "reason:poison") == (1, "No other dead letter matches.")
    assert dlq("retry", "--yes", "reason:poison", "--include-poison").startswith("2 of 2")


def test_what_is_marked_permanent_is_left_and_told_apart(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2, reason="poison")
    jobs.transitions.mark("high", jobs.fail(1), permanent=True)
    jobs.fail(1)
    told = io.StringIO()
    call_command("dlq", "retry", "--yes", stdout=io.StringIO(), stderr=told)
    left = "3 jobs left out: 2 poison, 1 marked permanent"
    assert f"{left}; see --include-poison and --include-permanent." in told.getvalue()
    assert outcome().outcome == f"1 of 1 dead letter put back into the queue; {left}."
    dlq("retry", "--replay", "--yes", "--include-permanent")
    replay = Replay.objects.get()
    assert (replay.include_poison, replay.include_permanent) == (False, True)
    assert dlq("retry", "--yes", "--include-permanent").startswith("1 of 1 dead letter put back")


def test_retry_as_a_replay_begins_one(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2, source="zabbix")
    assert dlq("retry", "--replay", "--dry-run", "source:zabbix") == "2 dead letters would be replayed.\n"
    assert refused("retry", "--replay", "--yes", "source:nobody") == (1, "No dead letter matches.")
    assert not Replay.objects.exists()
    said = dlq("retry", "--replay", "--yes", "--to", "low", "--reason", "fixed", "source:zabbix")
    replay = Replay.objects.get()
    assert said == f"Replay {replay.pk} begun. See /replays/{replay.pk}/.\n"
    assert (replay.filter, replay.to, replay.reason, replay.canary) == ("source:zabbix", "low", "fixed", 10)
    assert empty_redis.zcard(keys.failed("high")) == 2  # maintenance does it


def test_a_replay_is_counted_by_the_index_as_its_form_is(
    jobs: Jobs, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a million was read to count them, for minutes, before anybody was asked."""
    jobs.fail(3)
    indexer.step()
    monkeypatch.setattr(choosing, "matching", None)
    assert dlq("retry", "--replay", "--dry-run") == "3 dead letters would be replayed.\n"


def test_a_replay_without_an_index_says_at_least(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "LOOKING", 0)
    jobs.fail(260)
    assert dlq("retry", "--replay", "--dry-run") == "At least 250 dead letters would be replayed.\n"


def test_a_replay_of_those_alone_that_are_left_out_is_not_begun(jobs: Jobs) -> None:
    """It was, of none."""
    jobs.fail(2, reason="poison")
    assert refused("retry", "--replay", "--yes") == (1, "No other dead letter matches.")
    assert not Replay.objects.exists()


def test_a_replay_that_nobody_can_count_asks_for_a_reason(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a traceback."""
    monkeypatch.setattr("queueadmin.console.operations.replays.LOOKING", 0)
    jobs.fail(1, source="rare")
    jobs.fail(260)
    code, said = refused("retry", "--replay", "--yes", "source:rare")
    assert (code, said) == (2, "Nobody counted how many jobs would be retried; so say why. See --reason.")


def test_discard_moves_to_the_trash(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(2, source="zabbix")
    waiting = jobs.enqueue(1, source="zabbix")
    said = dlq("discard", "--yes", "source:zabbix")
    assert said == "2 of 2 dead letters moved to the trash, kept for 24 h.\n"
    assert empty_redis.zcard(keys.trash("high")) == 2
    assert empty_redis.lrange(keys.queue("high"), 0, -1) == [waiting[0].encode()]
    assert (outcome().action, outcome().count) == ("discard", 2)


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_a_dry_run_says_how_many_and_changes_nothing(jobs: Jobs, empty_redis: redis.Redis, action: str) -> None:
    jobs.fail(150)
    assert dlq(action, "--dry-run").startswith("150 dead letters would be ")
    assert empty_redis.zcard(keys.failed("high")) == 150
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_over_100_need_a_reason(jobs: Jobs, empty_redis: redis.Redis, action: str) -> None:
    jobs.fail(101)
    assert refused(action, "--yes") == (2, "101 dead letters match; over 100 need --reason.")
    assert empty_redis.zcard(keys.failed("high")) == 101
    assert dlq(action, "--yes", "--reason", "fixed in 4.2").startswith("101 of 101")


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_nobody_is_asked_where_nobody_sits(jobs: Jobs, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.fail()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert refused(action) == (2, "Nobody can be asked here; say --yes.")


def test_moving_goes_on_to_say_what_was_done_when_it_is_stopped(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle: the chunks before it are done, and both the person and the log are told how many."""
    from ingest.queue.transitions import Transitions

    jobs.fail(250)
    real, calls = Transitions.requeue, 0

    def stopped_at_the_third(self: Transitions, *arguments: Any, **options: Any) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(self, *arguments, **options)

    monkeypatch.setattr(Transitions, "requeue", stopped_at_the_third)
    code, said = refused("retry", "--yes", "--reason", "x")
    assert (code, said) == (1, "Stopped. 200 of 250 dead letters put back into the queue; 50 not reached.")
    assert outcome().count == 200


@pytest.mark.parametrize("action", ["list", "groups", "retry", "discard", "export"])
def test_nothing_matched_is_1_and_a_wrong_filter_is_2_with_the_sentence(empty_redis: redis.Redis, action: str) -> None:
    assert refused(action, "kind:alert") == (1, "No dead letter matches.")
    code, said = refused(action, "colour:red")
    assert code == 2
    assert said.startswith("The filter is wrong. colour:red: there is no key colour; keys are kind, source, tenant, ")


@pytest.mark.usefixtures("no_redis")
@pytest.mark.parametrize("action", ["list", "groups", "retry", "discard", "export"])
def test_redis_away_is_1(action: str) -> None:
    code, said = refused(action)
    assert code == 1
    assert said.startswith("Redis does not answer: ")


def _run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    return subprocess.run(
        [sys.executable, manage, "dlq", "--skip-checks", *arguments],
        text=True,
        capture_output=True,
        check=False,
        **options,
    )


def test_as_a_process_its_exit_code_is_what_it_says(jobs: Jobs) -> None:
    jobs.fail(1, queue="low")
    wrong = _run("list", "since:yesterday")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "since takes a number with s, m, h, d or w" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert _run("list", "-queue:low").returncode == 1
    assert _run("list", "--json", "-source:x").returncode == 0


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "moved"), [("y", 2), ("YES", 2), ("", 0), ("no", 0), ("yep", 0)])
def test_asked_it_names_the_count_and_takes_yes_alone(
    jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch, answer: str, moved: int
) -> None:
    jobs.fail(2)
    monkeypatch.setattr(sys, "stdin", _Terminal(f"{answer}\n"))
    asked = io.StringIO()
    with nullcontext() if moved else pytest.raises(CommandError, match=r"^Nothing was changed\.$"):
        call_command("dlq", "discard", stdout=io.StringIO(), stderr=asked)
    assert asked.getvalue().startswith("Move 2 dead letters to the trash? [y/N] ")
    assert empty_redis.zcard(keys.trash("high")) == moved


def test_a_reader_that_has_seen_enough_is_no_error(jobs: Jobs) -> None:
    """`manage.py dlq list | head`."""
    jobs.fail(300)
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    process = subprocess.Popen(
        [sys.executable, manage, "dlq", "--skip-checks", "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def _resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_memory_stays_flat_at_100_000_dead_letters(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """Each as large as an alert is; all of them at once would be hundreds of MiB."""
    (sample,) = jobs.fail()
    carry(sample, json.dumps({"title": "Disk", "text": "x" * 900}).encode())
    fields = empty_redis.hgetall(keys.job(sample))
    for start in range(0, 100_000, 1000):
        pipe = empty_redis.pipeline(transaction=False)
        for number in range(start, start + 1000):
            job_id = f"many-{number}"
            pipe.hset(
                keys.job(job_id), mapping={**fields, keys.ERROR_MESSAGE: f"cannot reach db-{number}.internal:5432"}
            )
            pipe.zadd(keys.failed("high"), {job_id: keys.SCORE_OFFSET + 1_700_000_000 + number})
        pipe.execute()
    before = _resident()
    for arguments in (
        ("groups",),
        ("list", "--json", "--limit", "200000"),
        ("export",),
        ("discard", "--dry-run", "disk"),
        ("retry", "--yes", "--reason", "all of them"),
    ):
        call_command("dlq", *arguments, stdout=_Nowhere(), stderr=_Nowhere())
        assert _resident() - before < 32, arguments
    assert empty_redis.llen(keys.queue("high")) == 100_001
    assert outcome().count == 100_001
