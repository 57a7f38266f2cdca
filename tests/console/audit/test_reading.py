"""Operations as the log has them: filtered, page by page, each intent with its outcome."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ingest.reading.cursors import BadCursor
from queueadmin.console import audit
from queueadmin.console.filters import FilterError
from queueadmin.console.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def did(actor: str = "ada", action: str = "pause", target: str = "low", **said: str) -> None:
    with audit.audited(actor=actor, action=action, target=target, reason=said.get("reason", "")) as outcome:
        outcome.count, outcome.sentence = 1, said.get("sentence", "low is paused.")


def began(minutes: float) -> None:
    """An operation whose process has been gone for so long."""
    at = timezone.now() - timedelta(minutes=minutes)
    AuditEntry.objects.create(at=at, operation=f"{minutes:032}", step="intent", actor="eve", action="pause", target="x")


def found(text: str) -> list[str]:
    return [operation.actor for operation in audit.page(audit.chosen(text), limit=50).items]


def test_each_operation_is_one_line_with_what_came_of_it() -> None:
    did(reason="give high the workers")
    (entry,) = audit.page(audit.chosen(""), limit=50).items
    assert (entry.actor, entry.action, entry.target, entry.reason) == ("ada", "pause", "low", "give high the workers")
    assert (entry.state, entry.count, entry.outcome) == ("done", 1, "low is paused.")
    assert entry.ended_at is not None


def test_without_an_outcome_it_runs_and_after_a_minute_its_process_died() -> None:
    began(2)
    began(0.5)
    states = [entry.state for entry in audit.page(audit.chosen(""), limit=50).items]
    assert states == ["running", "died"]
    assert (found("outcome:died"), found("outcome:running")) == (["eve"], ["eve"])
    assert found("outcome:done,failed") == []


def test_what_raised_has_failed_also_when_it_had_done_something() -> None:
    def fail_halfway(done: str) -> None:
        with audit.audited(actor="bob", action="x", target="all") as outcome:
            outcome.sentence = done
            raise ValueError("halfway")

    for done in ("", "3 jobs put back."):
        with pytest.raises(ValueError, match="halfway"):
            fail_halfway(done)
    did()
    assert [entry.state for entry in audit.page(audit.chosen(""), limit=50).items] == ["done", "failed", "failed"]
    assert (found("outcome:failed"), found("outcome:done"), found("-outcome:failed")) == (["bob"] * 2, ["ada"], ["ada"])


def test_filters() -> None:
    did("ada", reason="INC-2291")
    did("bob", "resume", "high", sentence="high goes on.")
    assert found("by:ada") == ["ada"]
    assert found("by:ada,bob") == ["bob", "ada"]
    assert found("-by:ada action:resume target:HIG") == ["bob"]
    assert found("inc-2291") == ["ada"]
    assert found('"goes on"') == ["bob"]
    assert found("since:1h") == ["bob", "ada"]
    assert found("until:1h") == []
    assert audit.count(audit.chosen("by:ada")) == 1
    for wrong in ("queue:high", "outcome:perhaps", "payload.x:1"):
        with pytest.raises(FilterError):
            audit.chosen(wrong)


def test_pages_follow_and_cursors_are_checked() -> None:
    for number in range(5):
        did(target=f"queue-{number}")
    asked = audit.chosen("")
    first = audit.page(asked, limit=2)
    did(target="later")  # what comes meanwhile moves nothing
    second = audit.page(asked, cursor=first.next or "", limit=2)
    third = audit.page(asked, cursor=second.next or "", limit=2)
    targets = [entry.target for page in (first, second, third) for entry in page.items]
    assert targets == [f"queue-{number}" for number in (4, 3, 2, 1, 0)]
    assert third.next is None
    for wrong in ("x", "MjAyNg", "é", "A" * 500):
        with pytest.raises(BadCursor):
            audit.page(asked, cursor=wrong, limit=2)


def test_operations_of_one_instant_are_each_shown_once() -> None:
    at = timezone.now()
    for number in range(5):
        AuditEntry.objects.create(
            at=at, operation=f"{number:032}", step="intent", actor="ada", action="pause", target=f"{number}"
        )
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = audit.page(audit.chosen(""), cursor=cursor, limit=2)
        seen += [entry.target for entry in page.items]
        cursor = page.next
    assert seen == ["4", "3", "2", "1", "0"]


def test_x7_only_what_put_something_into_the_trash_can_be_undone() -> None:
    did(action="discard", target="job-1")
    did(action="empty", target="low")
    did(action="end_discard", target="replay 7")
    did(action="retry", target="job-1")
    retried, replayed, emptied, discarded = audit.page(audit.chosen(""), limit=50).items
    assert (retried.undo, replayed.undo) == ("", "replay-7")
    assert (emptied.undo, discarded.undo) == (emptied.id, discarded.id)
    AuditEntry.objects.update(at=timezone.now() - timedelta(hours=25))
    assert {entry.undo for entry in audit.page(audit.chosen(""), limit=50).items} == {""}


def test_credentials_in_texts_are_masked() -> None:
    did(reason="password=hunter2 leaked")
    (entry,) = audit.page(audit.chosen(""), limit=50).items
    assert "hunter2" not in entry.reason
