"""`manage.py dlq undo` and `dlq purge` (X7, issue 8 parts 5 and 8)."""

import io
import sys

import pytest
import redis
from django.core.management import call_command

from ingest.queue import keys
from queueadmin.console import operations
from queueadmin.console.models import Replay
from queueadmin.console.operations import undo as operation_undo
from tests.console.conftest import Jobs, outcome
from tests.console.dead_letters.conftest import dlq, refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_x7_a_discard_says_how_to_undo_it(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3, source="zabbix")
    said = io.StringIO()
    call_command("dlq", "discard", "--yes", "source:zabbix", stdout=io.StringIO(), stderr=said)
    operation = outcome().operation
    assert f"To bring it back: manage.py dlq undo {operation}" in said.getvalue()
    listed = dlq("undo")
    assert listed.startswith(f"{operation}  20")
    assert listed.endswith(": source:zabbix (3)\n")
    assert dlq("undo", operation, "--reason", "the wrong ones") == "3 jobs restored.\n"
    assert empty_redis.zcard(keys.failed("high")) == 3
    entry = outcome()
    assert (entry.action, entry.target, entry.count, entry.reason) == ("undo", operation, 3, "the wrong ones")
    assert entry.actor.startswith("cli:")
    again = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("dlq", "undo", operation, stdout=again)
    assert (caught.value.code, again.getvalue()) == (
        1, "There is nothing to bring back: it came back already, or its 24 hours are over.\n",
    )  # fmt: skip
    assert dlq("undo") == "Nothing that was discarded in the last 24 hours can be brought back.\n"
    assert refused("undo", "nosuch") == (1, "The audit log has no entry nosuch.")


def test_x7_many_come_back_as_a_replay(jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[operation_undo.__module__], "AT_ONCE", 5)
    operation = operations.discard(jobs.fail(8), actor="ada").operation
    said = dlq("undo", operation)
    number = Replay.objects.get().pk
    assert said == f"Replay {number} begun. See /replays/{number}/.\n"


def test_x7_the_trash_goes_for_good_under_its_name_and_with_a_reason(jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.transitions.discard("high", jobs.fail(3))
    assert refused("purge", "--reason", "spam")[1] == "Error: the following arguments are required: --confirm"
    assert "invalid choice" in refused("purge", "--confirm", "hig", "--reason", "spam")[1]
    assert refused("purge", "--confirm", "high") == (2, "3 jobs would be deleted for good; say why. See --reason.")
    assert empty_redis.zcard(keys.trash("high")) == 3
    assert dlq("purge", "--confirm", "high", "--reason", "spam") == "3 jobs of the trash of high deleted for good.\n"
    entry = outcome()
    assert (entry.action, entry.target, entry.count, entry.reason) == ("purge", "high", 3, "spam")
    with pytest.raises(SystemExit) as caught:
        dlq("purge", "--confirm", "high")
    assert caught.value.code == 1
