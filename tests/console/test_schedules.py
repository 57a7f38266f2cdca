"""Schedules as they are shown: issue 6 (4), B2."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest import schedules as rules
from ingest.models import Schedule
from queueadmin.console import schedules

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]


def make(name: str = "nightly", **fields: object) -> Schedule:
    given: dict[str, object] = {"kind": "alert", "body": '{"title": "x"}', "cron": "15 3 * * *"}
    return rules.create(name, **given | fields)  # type: ignore[arg-type]


def test_it_is_told_in_words_with_its_next_five_times() -> None:
    shown = schedules.shown(make(timezone="Asia/Kolkata"))
    assert shown["words"] == "At 03:15 every day, Asia/Kolkata"
    assert len(shown["upcoming"]) == schedules.UPCOMING
    steps = {after - at for at, after in zip(shown["upcoming"], shown["upcoming"][1:], strict=False)}
    assert steps == {timedelta(days=1)}
    assert shown["upcoming"][0].strftime("%H:%M") == "21:45"
    assert (shown["last_due"], shown["last_job"], shown["problem"]) == (None, None, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "Every second"), (60, "Every minute"), (900, "Every 15 minutes"), (90, "Every 90 seconds"),
     (7200, "Every 2 hours"), (86_400, "Every day")],
)  # fmt: skip
def test_an_interval_in_words(seconds: int, words: str) -> None:
    assert schedules.words(make(cron="", interval_seconds=seconds)) == words


def test_one_that_is_paused_has_no_next_times() -> None:
    make()
    assert schedules.upcoming(rules.pause("nightly")) == []


def test_one_whose_time_zone_went_is_shown_all_the_same() -> None:
    make()
    Schedule.objects.update(timezone="Mars/Olympus")
    shown = schedules.shown(Schedule.objects.get())
    assert "Mars/Olympus" in shown["words"]
    assert len(shown["upcoming"]) == 1


def test_credentials_of_its_body_are_masked() -> None:
    shown = schedules.shown(make(body='{"title": "x", "api_key": "hunter2"}'))
    assert shown["body"] == {"title": "x", "api_key": "•••"}


def test_pages_go_by_name() -> None:
    for name in "cab":
        make(name)
    first = schedules.page(limit=2)
    assert [each.name for each in first.items] == ["a", "b"]
    second = schedules.page(cursor=first.next or "", limit=2)
    assert ([each.name for each in second.items], second.next) == (["c"], None)
    assert schedules.page(cursor="\0", limit=2).items == ()


def test_how_they_stand() -> None:
    assert schedules.standing() == schedules.Standing(0, 0, 0, 0, None)
    for name in ("late", "stuck", "paused", "well"):
        make(name)
    rules.pause("paused")
    Schedule.objects.filter(name="late").update(next_due=datetime.now(UTC) - timedelta(minutes=2))
    Schedule.objects.filter(name="stuck").update(problem="Its queue is full.")
    found = schedules.standing()
    assert (found.total, found.paused, found.stuck, found.overdue) == (4, 1, 1, 1)
