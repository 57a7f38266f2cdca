"""`manage.py dlq` as it is run, against a real Valkey and database."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command

from ingest.queue import keys
from ingest.queue.calls import Call
from ingest.queue.payload import Payload, encode
from queueadmin.console import dead_letters, operations
from queueadmin.console.filters import parse
from queueadmin.console.models import AuditEntry
from tests.console.conftest import WORKER, Jobs, outcome

pytestmark = pytest.mark.django_db


def dlq(*arguments: str) -> str:
    out = io.StringIO()
    call_command("dlq", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refused(*arguments: str) -> tuple[int, str]:
    """(exit code, sentence)."""
    with pytest.raises(CommandError) as caught:
        dlq(*arguments)
    return caught.value.returncode, str(caught.value)


def fail(
    jobs: Jobs, count: int = 1, *, message: str = "no such device", kind: str = "ValueError", **more: Any
) -> list[str]:
    """Dead letters with this error."""
    ids = jobs.fail(count, **more)
    for job_id in ids:
        client().hset(keys.job(job_id), mapping={keys.ERROR_TYPE: kind, keys.ERROR_MESSAGE: message})
    return ids


def client() -> redis.Redis:
    from ingest.queue.connections import connection

    return connection()


def carry(job_id: str, body: bytes) -> None:
    """Let a job carry this event."""
    made = Payload(job_id, "alert", datetime.now(UTC), "high", "test", "", None, body)
    client().hset(keys.job(job_id), "data", encode(made))


# --- list ----------------------------------------------------------------------------------------------


def test_the_list_shows_the_newest_first_with_what_failed_and_why(jobs: Jobs) -> None:
    (first,) = fail(jobs, queue="low", source="zabbix")
    (second,) = fail(jobs, message="too late: 17", kind="app.errors.TooLate", queue="critical", reason="permanent")
    head, *rows = dlq("list").splitlines()
    assert head.split("  ")[0] == "failed (UTC)"
    assert [row.split()[-1] for row in rows] == [second, first]
    assert all(text in rows[0] for text in ("critical", "permanent", "TooLate: too late: 17", "Problem 2"))
    assert all(text in rows[1] for text in ("low", "zabbix", "error", "ValueError: no such device"))
    assert f"{datetime.now(UTC):%Y-%m-%d}" in rows[0]


def test_the_list_ends_at_its_limit_and_says_that_more_match(jobs: Jobs) -> None:
    jobs.fail(5)
    lines = dlq("list", "--limit", "3").splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith("3 shown, more match")
    assert len(dlq("list", "--limit", "5").splitlines()) == 6
    shown = json.loads(dlq("list", "--json", "--limit", "3"))
    assert (len(shown["items"]), shown["more"]) == (3, True)


def test_the_list_as_json_is_the_contracts_job(jobs: Jobs) -> None:
    (job_id,) = fail(jobs, source="zabbix", tenant="acme")
    shown = json.loads(dlq("list", "--json", "source:zabbix"))
    assert shown["more"] is False
    (item,) = shown["items"]
    assert (item["id"], item["state"], item["queue"], item["kind"]) == (job_id, "failed", "high", "alert")
    assert (item["source"], item["tenant"], item["event_id"], item["title"]) == (
        "zabbix",
        "acme",
        "client-1",
        "Problem 1",
    )
    assert item["error"]["type"] == "ValueError"
    assert datetime.fromisoformat(item["error"]["at"]).tzinfo
    assert "payload" not in item


def test_a_terminal_is_shown_no_escape_sequence(jobs: Jobs) -> None:
    """Messages hold what senders wrote: they must neither colour the terminal nor move its cursor."""
    fail(jobs, message="\x1b[2Jgone\r\nover \u202e there\x07")
    text = dlq("list") + dlq("groups")
    assert not set(text) & {"\x1b", "\r", "\x07", "\u202e"}
    assert "gone over there" in text


def test_filters_choose_as_the_grammar_says(jobs: Jobs) -> None:
    zabbix = fail(jobs, 2, source="zabbix", queue="low")
    (late,) = fail(jobs, kind="TimeoutError", message="after 5 s", reason="timeout")
    (disk,) = fail(jobs)
    carry(disk, b'{"title": "Disk", "labels": {"host": "db-1"}, "payload": {"fault": "error"}}')

    def chosen(*words: str) -> set[str]:
        return {item["id"] for item in json.loads(dlq("list", "--json", *words))["items"]}

    assert chosen("source:zabbix") == set(zabbix)
    assert chosen("queue:low", "kind:alert") == set(zabbix)
    assert chosen("-queue:low") == {late, disk}
    assert chosen("-queue:low", "-error:TimeoutError") == {disk}
    assert chosen("error:TimeoutError,KeyError") == {late}
    assert chosen("reason:timeout") == {late}
    assert chosen('"AFTER 5 s"') == {late}
    assert chosen("payload.labels.host:db-1") == {disk}
    assert chosen("payload.fault:error disk") == {disk}
    assert chosen(f"id:{zabbix[0]},{disk}") == {zabbix[0], disk}
    assert chosen("since:1h", "state:failed") == {*zabbix, late, disk}
    assert refused("list", "older:1h") == (1, "No dead letter matches.")
    assert refused("list", "state:queued")[0] == 1


def test_times_go_by_when_it_failed(jobs: Jobs, empty_redis: redis.Redis) -> None:
    old, new = jobs.fail(2)
    then = datetime.now(UTC) - timedelta(hours=3)
    empty_redis.zadd(keys.failed("high"), {old: then.timestamp() + keys.SCORE_OFFSET})

    def chosen(words: str) -> list[str]:
        return [item["id"] for item in json.loads(dlq("list", "--json", words))["items"]]

    assert chosen("older:2h") == chosen("since:4h until:2h") == [old]
    assert chosen("since:2h") == chosen(f"since:{then + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}") == [new]


def test_credentials_are_masked_and_cannot_be_found_out_by_a_filter(jobs: Jobs) -> None:
    """D11: a filter on what is masked would tell it letter by letter."""
    (job_id,) = fail(jobs, message="denied for https://ada:hunter2@example.com")
    carry(job_id, b'{"title": "x", "payload": {"response_token": "s3cret-value"}}')
    everything = dlq("list", "--json") + dlq("groups") + dlq("export") + dlq("export", "--format", "jsonl")
    assert "hunter2" not in everything
    assert "s3cret-value" not in everything
    assert refused("list", "s3cret-value")[0] == 1
    assert refused("list", "payload.response_token:s3cret-value")[0] == 1


def test_those_of_a_stock_worker_are_told_by_their_traceback(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """RQ keeps no type and no message beside it, and other scores than ours."""
    from rq import Queue, SimpleWorker
    from rq.serializers import JSONSerializer

    queue = Queue("high", connection=empty_redis, serializer=JSONSerializer)
    job = queue.enqueue("tests.console.test_dlq.breaks", "boiler-7")
    SimpleWorker([queue], connection=empty_redis, serializer=JSONSerializer).work(burst=True)
    (item,) = json.loads(dlq("list", "--json", "error:LookupError"))["items"]
    assert (item["id"], item["error"]["message"]) == (job.id, "no boiler-7\nanywhere")
    (group,) = json.loads(dlq("groups", "--json"))["items"]
    assert group["error_type"] == "LookupError"
    assert datetime.fromisoformat(item["error"]["at"]) > datetime.now(UTC) - timedelta(minutes=1)


def breaks(name: str) -> None:
    raise LookupError(f"no {name}\nanywhere")


# --- groups ----------------------------------------------------------------------------------------------


def test_groups_are_causes_with_counts_times_queues_and_an_example(jobs: Jobs) -> None:
    for number in range(3):
        fail(jobs, message=f"cannot reach db-{number}.internal:5432", kind="OSError", queue="high")
    last = fail(jobs, message="cannot reach 10.0.0.1:5432", kind="OSError", queue="low")
    fail(jobs, 2)
    shown = json.loads(dlq("groups", "--json"))["items"]
    assert [(group["count"], group["error_type"], group["queues"]) for group in shown] == [
        (4, "OSError", {"low": 1, "high": 3}),
        (2, "ValueError", {"high": 2}),
    ]
    assert shown[0]["message"] == "cannot reach 10.0.0.1:5432"
    assert shown[0]["first_at"] < shown[0]["last_at"]
    head, first, second = dlq("groups").splitlines()
    assert head.split()[0] == "count"
    assert first.split()[:2] == ["4", shown[0]["id"]]
    assert first.endswith("OSError: cannot reach 10.0.0.1:5432")
    assert "ValueError: no such device" in second
    found = json.loads(dlq("list", "--json", f"group:{shown[0]['id']} queue:low"))["items"]
    assert [item["id"] for item in found] == last


# --- retry and discard -------------------------------------------------------------------------------------


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
    assert "2 jobs left out, because each crashed its worker three times" in told.getvalue()
    assert empty_redis.llen(keys.queue("high")) == 1
    assert refused("retry", "--yes", "reason:poison")[0] == 1
    assert dlq("retry", "--yes", "reason:poison", "--include-poison").startswith("2 of 2")


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


def _frozen(words: str = "") -> dead_letters.Frozen:
    return dead_letters.freeze(dead_letters.matching(client(), parse(words), now=datetime.now(UTC)))


def test_x1_what_moved_or_failed_anew_since_it_was_frozen_is_left(jobs: Jobs, empty_redis: redis.Redis) -> None:
    """X1: neither what another operator was faster with nor what fails later is swept in."""
    ids = jobs.fail(5)
    with _frozen() as frozen:
        jobs.transitions.requeue("high", ids[:2])
        claim = jobs.start(limit=1)
        jobs.transitions.fail("high", claim, WORKER, [jobs.failure(ids[0])])
        jobs.fail(1)  # also takes the other one that was put back, which so fails anew
        result = operations.discard_frozen(frozen, chosen="kind:alert", actor="ada")
    assert (result.asked, result.moved, result.already) == (5, 3, 2)
    assert result.sentence == ("3 of 5 dead letters moved to the trash, kept for 24 h; 2 others had moved already.")
    assert {job_id.decode() for job_id in empty_redis.zrange(keys.trash("high"), 0, -1)} == set(ids[2:])


@pytest.mark.parametrize("what", [operations.discard_frozen, operations.retry_frozen])
def test_x1_one_that_fails_again_in_the_last_moment_is_left(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, what: Callable[..., operations.FrozenResult]
) -> None:
    """Between the last look and the script that moves it another operator was faster, and the job failed anew."""
    from ingest.queue.transitions import Transitions

    real = Transitions._run
    (job_id,) = jobs.fail(1)

    def run(self: Transitions, call: Call) -> Any:
        if call.script in ("requeue", "discard"):
            monkeypatch.setattr(Transitions, "_run", real)
            jobs.transitions.requeue("high", [job_id])
            claim = jobs.start(limit=1)
            jobs.transitions.fail("high", claim, WORKER, [jobs.failure(job_id)])
        return real(self, call)

    with _frozen() as frozen:
        monkeypatch.setattr(Transitions, "_run", run)
        result = what(frozen, chosen="", actor="ada")
    assert (result.moved, result.already) == (0, 1)


def test_what_another_put_back_is_not_discarded_from_the_queue(jobs: Jobs, empty_redis: redis.Redis) -> None:
    ids = jobs.fail(2)
    with _frozen() as frozen:
        jobs.transitions.requeue("high", ids)
        result = operations.discard_frozen(frozen, chosen="", actor="ada")
    assert result.sentence == "0 of 2 dead letters moved to the trash, kept for 24 h; 2 of them had moved already."
    assert empty_redis.llen(keys.queue("high")) == 2
    assert outcome().target == "all dead letters"


def test_frozen_sets_go_in_chunks_of_one_queue_each_job_once(jobs: Jobs) -> None:
    ids = [*jobs.fail(230), *jobs.fail(120, queue="low")]
    with _frozen() as frozen:
        chunks = [(name, [place.id for place in places]) for name, places in frozen.chunks(100)]
        assert len(frozen) == 350
    assert sorted(len(places) for _, places in chunks) == [20, 30, 100, 100, 100]
    assert sorted(job_id for _, places in chunks for job_id in places) == sorted(ids)
    assert set(chunks[0][1]) <= set(ids[:230])


def test_an_operation_refuses_an_unknown_queue_and_many_without_a_reason(jobs: Jobs) -> None:
    jobs.fail(101)
    with _frozen() as frozen:
        with pytest.raises(ValueError, match="critical, high, medium, low"):
            operations.retry_frozen(frozen, chosen="", to="urgent", actor="ada", reason="x")
        with pytest.raises(operations.ReasonNeeded, match="101 jobs would be retried; over 100 need a reason"):
            operations.retry_frozen(frozen, chosen="", actor="ada")
    assert not AuditEntry.objects.exists()


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


# --- export ------------------------------------------------------------------------------------------------


def test_export_as_csv_is_formula_safe_and_masked(jobs: Jobs) -> None:
    (job_id,) = fail(jobs, message="=1+1", source="@source")
    carry(job_id, b'{"title": "-2+3", "password": "hunter2", "n": 18446744073709551617}')
    (row,) = csv.DictReader(io.StringIO(dlq("export", "--format", "csv")))
    assert (row["id"], row["error_message"], row["source"], row["title"]) == (job_id, "'=1+1", "'@source", "'-2+3")
    assert json.loads(row["payload"])["n"] == 18446744073709551617
    assert json.loads(row["payload"])["password"] == "•••"
    assert row["error_type"] == "ValueError"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row.values())


def test_export_as_json_lines_to_a_file_for_its_owner_alone(jobs: Jobs, tmp_path: Path) -> None:
    ids = [*jobs.fail(30), *jobs.fail(10, queue="low")]
    output = tmp_path / "dead.jsonl"
    assert dlq("export", "--format", "jsonl", "--output", str(output), "queue:high") == ""
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in rows] == ids[29::-1]
    assert rows[0]["payload"] == {"title": "Problem 30"}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [output]


def test_an_export_that_cannot_be_written_leaves_nothing(jobs: Jobs, tmp_path: Path) -> None:
    jobs.fail()
    code, said = refused("export", "--output", str(tmp_path / "no" / "such.csv"))
    assert code == 1
    assert said.endswith("cannot be written: No such file or directory.")


# --- exit codes, and the command as it is typed ------------------------------------------------------------


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
        [sys.executable, manage, "dlq", *arguments], text=True, capture_output=True, check=False, **options
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
    assert asked.getvalue() == "Move 2 dead letters to the trash? [y/N] "
    assert empty_redis.zcard(keys.trash("high")) == moved


def test_a_reader_that_has_seen_enough_is_no_error(jobs: Jobs) -> None:
    """`manage.py dlq list | head`."""
    jobs.fail(300)
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    process = subprocess.Popen(
        [sys.executable, manage, "dlq", "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
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


# --- many --------------------------------------------------------------------------------------------------


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
