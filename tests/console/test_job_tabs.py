"""Tabs by state, counted from what is known already."""

from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from queueadmin.console import job_tabs
from queueadmin.console.figures import metrics
from queueadmin.console.filters import parse
from tests.console.conftest import Jobs
from tests.console.job_lists.conftest import everywhere, finished, spooled

pytestmark = pytest.mark.django_db


def _counts(text: str, queue: str | None = None) -> dict[str, int | None]:
    snapshot = metrics.snapshot().as_dict()
    return {tab.word: tab.count for tab in job_tabs.tabs(parse(text), snapshot, queue=queue)}


def test_every_state_has_a_tab_with_its_count(jobs: Jobs) -> None:
    everywhere(jobs)
    assert _counts("") == {
        "All": None, "Running": 1, "Queued": 3, "Scheduled, retrying": 1, "Spooled": 4, "Dead letters": 1,
        "Finished": 2, "Canceled": 1, "Trash": 1,
    }  # fmt: skip


def test_of_some_queues_only_those_are_counted_and_what_has_no_queue_is_not(jobs: Jobs) -> None:
    everywhere(jobs)
    low = {
        "All": None, "Running": 0, "Queued": 0, "Scheduled, retrying": 1, "Spooled": None, "Dead letters": 0,
        "Finished": None, "Canceled": 0, "Trash": 0,
    }  # fmt: skip
    assert _counts("queue:low") == low
    assert _counts("state:queued", queue="low") == low


def test_a_filter_that_says_more_is_not_counted(jobs: Jobs) -> None:
    everywhere(jobs)
    assert set(_counts("source:test").values()) == {None}


def test_finished_ones_are_counted_up_to_a_bound(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_tabs, "COUNTED", 2)
    for number in range(3):
        finished(f"done-{number}")
    tab: Any = next(t for t in job_tabs.tabs(parse(""), metrics.snapshot().as_dict()) if t.word == "Finished")
    assert (tab.count, tab.more) == (2, True)


def test_the_tab_of_the_filters_states_is_the_one_that_is_open(empty_redis: redis.Redis) -> None:
    def here(text: str) -> list[str]:
        return [tab.word for tab in job_tabs.tabs(parse(text), metrics.snapshot().as_dict()) if tab.here]

    assert here("kind:alert") == ["All"]
    assert here("state:retrying,scheduled") == ["Scheduled, retrying"]
    assert here("state:queued,failed") == []
    assert here("-state:queued") == []


@pytest.mark.usefixtures("no_redis")
def test_without_redis_nothing_is_counted_rather_than_zero() -> None:
    assert set(_counts("").values()) == {None}


def test_a1_without_a_redis_the_spool_is_the_queue(settings: Settings) -> None:
    settings.REDIS = False
    for number, state in enumerate(("spooled", "spooled", "failed", "retrying")):
        spooled(f"s-{number}", state)
    assert _counts("") == {
        "All": None, "Running": 0, "Scheduled, retrying": 1, "Spooled": 2, "Dead letters": 1, "Finished": 0, "Trash": 0,
    }  # fmt: skip
