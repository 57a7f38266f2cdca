"""Issue 6 (4): what a person does with schedules is audited, and says what it did."""

import pytest
from django.core.exceptions import ValidationError

from ingest.models import Schedule
from queueadmin.console import operations
from tests.console.conftest import outcome

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

NIGHTLY = {"name": "nightly", "kind": "alert", "body": '{"title": "x"}', "cron": "15 3 * * *"}


def test_its_whole_life_is_on_the_record() -> None:
    operations.create_schedule(actor="ana", **NIGHTLY)
    assert outcome().outcome == "“nightly” sends an alert: At 03:15 every day, UTC."
    operations.update_schedule("nightly", {"cron": "0 4 * * *", "priority": "low"}, actor="ben", reason="later")
    assert (outcome().actor, outcome().outcome, outcome().reason) == (
        "ben",
        "“nightly”: cron, priority changed.",
        "later",
    )
    assert operations.pause_schedule("nightly", actor="ana").changed
    assert not operations.pause_schedule("nightly", actor="ana").changed
    assert (outcome().count, outcome().outcome) == (0, "“nightly” was paused already.")
    ran = operations.run_schedule("nightly", actor="ana")
    assert ran.receipt.stored
    assert ran.receipt.id in outcome().outcome
    assert operations.resume_schedule("nightly", actor="ana").schedule.enabled
    assert operations.delete_schedule("nightly", actor="ana").changed
    assert (outcome().action, outcome().target, outcome().count) == ("delete_schedule", "schedule nightly", 1)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("kind", {"kind": "callback"}),
        ("body", {"body": {"api_key": "•••"}}),
        ("body", {"body": "[]"}),
        ("cron", {"cron": "x"}),
        ("name", {"name": "a/b"}),
        ("name", {"name": ".."}),
    ],
)
def test_what_people_may_not_say(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as made:
        operations.create_schedule(actor="ana", **NIGHTLY | changes)
    assert field in made.value.message_dict
    operations.create_schedule(actor="ana", **NIGHTLY)
    with pytest.raises(ValidationError) as changed:
        operations.update_schedule("nightly", changes, actor="ana")
    assert field in changed.value.message_dict
    assert "failed: ValidationError" in outcome().outcome


def test_one_that_is_not_there() -> None:
    for operation in (operations.pause_schedule, operations.run_schedule, operations.delete_schedule):
        with pytest.raises(Schedule.DoesNotExist):
            operation("nobody", actor="ana")
