"""An intent, then an outcome; what cannot be recorded is not done."""

from collections.abc import Callable

import pytest

from queueadmin.console import audit
from queueadmin.console.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def _done(count: int = 1, target: str = "job-1") -> None:
    with audit.audited(actor="ada", action="retry", target=target, count=count, reason="fixed it") as outcome:
        outcome.count, outcome.sentence = count, f"{count} jobs put back."


def test_x10_intent_first_then_outcome() -> None:
    with audit.audited(actor="ada", action="retry", target="job-1", count=2) as outcome:
        (intent,) = AuditEntry.objects.all()
        assert (intent.step, intent.count, intent.outcome) == ("intent", 2, "")
        outcome.count, outcome.sentence = 1, "1 job put back."
    _, done = AuditEntry.objects.order_by("id")
    assert (done.step, done.count, done.outcome) == ("outcome", 1, "1 job put back.")
    assert done.operation == intent.operation


def test_an_operation_that_raised_says_so_and_what_it_had_done() -> None:
    def fail_halfway() -> None:
        with audit.audited(actor="ada", action="x", target="all") as outcome:
            outcome.count, outcome.sentence = 3, "3 jobs put back."
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail_halfway()
    done = AuditEntry.objects.get(step="outcome")
    assert done.count == 3
    assert done.outcome == "3 jobs put back. Then it failed: ValueError: halfway"


def test_what_cannot_be_recorded_is_not_done(no_database: Callable[[bool], None]) -> None:
    no_database(True)
    did = []
    with (
        pytest.raises(audit.AuditUnavailable, match="Nothing was done"),
        audit.audited(actor="ada", action="x", target="all"),
    ):
        did.append(1)
    assert not did


def test_the_last_mover_is_whoever_touched_something_last() -> None:
    _done(1)
    _done(0)
    found = audit.last_mover("job-1", "mine")
    assert found is not None
    assert (found.actor, found.count) == ("ada", 1)
    assert audit.last_mover("job-2", "mine") is None


def test_the_last_mover_may_be_one_whose_outcome_is_not_written_yet() -> None:
    """It was a moment faster; who came too late is not told about an older operation."""
    _done(1)
    with audit.audited(actor="bob", action="retry", target="job-1") as first:
        found = audit.last_mover("job-1", "mine")
        assert found is not None
        assert found.actor == "bob"
        of_bob_himself = audit.last_mover("job-1", first.operation)
        assert of_bob_himself is not None
        assert of_bob_himself.actor == "ada"


@pytest.mark.usefixtures("no_redis")
def test_an_outcome_that_cannot_be_recorded_is_logged_and_does_not_undo_what_was_done(
    no_database: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    with audit.audited(actor="ada", action="retry", target="job-1") as outcome:
        outcome.sentence = "1 job put back."
        no_database(True)
    assert "the outcome of retry by ada is not recorded: 1 job put back." in caplog.text
    assert AuditEntry.objects.get().step == "intent"


def test_text_that_no_database_holds_is_recorded_without_it() -> None:
    with audit.audited(actor="ada", action="retry", target="a\0b\ud800c", reason="x" * 600):
        pass
    intent, _ = AuditEntry.objects.order_by("id")
    assert (intent.target, len(intent.reason)) == ("a\ufffdb\ufffdc", 500)


def test_within_noting_it_is_known_what_was_recorded() -> None:
    """What a request did, and no other one's."""
    with audit.audited(actor="ada", action="pause", target="low"):
        pass
    assert audit.noted() == ()
    with audit.noting():
        assert list(audit.noted()) == []
        with audit.audited(actor="ada", action="pause", target="low") as first:
            pass
        with pytest.raises(RuntimeError), audit.audited(actor="ada", action="pause", target="low") as second:
            raise RuntimeError
        assert audit.noted() == [first.operation, second.operation]
    assert audit.noted() == ()
