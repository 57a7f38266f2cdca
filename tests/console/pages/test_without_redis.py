"""A1: the pages with REDIS=false: what works is there, and what needs Redis is not offered, and a sentence says so."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ingest.api import tally
from ingest.models import SpooledEvent
from tests.console.job_lists.conftest import finished, spooled
from tests.console.pages.conftest import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(sign_in: Callable[..., Client], settings: Settings) -> Iterator[Client]:
    settings.REDIS = False
    yield sign_in("root", "admin")
    tally.forget()


def test_every_page_is_there(root: Client) -> None:
    jobs = [spooled("dead", "failed"), spooled("kept"), finished("done")]
    paths = ["/", "/dead-letters/", "/ingest/", "/ingest/add/", "/ingest/keys/new/", "/account/", "/queues/pause/"]
    paths += ["/queues/high/pause/", "/dead-letters/retry-all/", "/api/docs/", "/schedules/", "/schedules/new/"]
    paths += [
        "/devices/",
        "/jobs/",
        "/jobs/?filter=state:finished",
        "/queues/high/",
        "/matching-jobs/",
        *(f"/jobs/{job}/" for job in jobs),
    ]
    for path in paths:
        answer = root.get(path)
        assert answer.status_code == 200, path
        assert "Redis does not answer" not in text_of(answer), path


def test_jobs_are_listed_with_what_can_be_done(root: Client) -> None:
    spooled("dead", "failed")
    spooled("kept")
    for path in ("/jobs/", "/queues/high/"):
        page = text_of(root.get(path))
        assert "Retry selected" in page
        for offered in ("Discard selected", "Move selected", "Cancel selected", "Pause</a>", "rqworker"):
            assert offered not in page, offered
    root.post("/chosen-jobs/retry/", {"ids": ["dead"], "next": "/jobs/"})
    assert SpooledEvent.objects.get(id="dead").state == "spooled"
    page = text_of(root.get("/jobs/dead/"))
    assert "Edit" not in page.split('id="job"')[1].split("</section>")[0]


def test_the_overview_says_what_needs_redis_and_offers_none_of_it(root: Client) -> None:
    spooled("dead", "failed")
    page = text_of(root.get("/"))
    assert "There is no Redis" in page
    for offered in ("Recover stalled", "Pause all", "Pause high", "Dequeued", 'data-f="in"', "pause-high"):
        assert offered not in page, offered
    assert "Retry" in page


@pytest.mark.django_db(transaction=True)
def test_schedules_are_kept_and_run_now_and_the_page_says_that_none_fires(root: Client) -> None:
    form = {"name": "x", "kind": "alert", "cron": "* * * * *", "priority": "low", "catch_up": "skip"}
    made = root.post("/schedules/new/", form)["Location"]
    page = text_of(root.get("/schedules/"))
    assert "Nothing fires:" in page
    assert "it needs Redis" in page
    assert root.post(f"{made}run-now/").status_code == 302
    assert SpooledEvent.objects.get().kind == "alert"


def test_dead_letters_are_retried_and_nothing_else(root: Client) -> None:
    spooled("dead", "failed")
    page = text_of(root.get("/dead-letters/"))
    assert "Retry selected" in page
    assert "Discard" not in page
    root.post("/jobs/dead/retry/", {"next": "/dead-letters/"})
    assert SpooledEvent.objects.get().state == "spooled"


@pytest.mark.parametrize(
    "path", ["/recover-stalled/", "/queues/pause/", "/queues/high/pause/", "/queues/high/empty/", "/jobs/dead/discard/"]
)
def test_what_needs_redis_says_so_when_it_is_asked_for_anyway(root: Client, path: str) -> None:
    spooled("dead", "failed")
    answer = root.post(path, {"minutes": "15", "next": "/"}, follow=True)
    assert answer.status_code < 600
    assert "REDIS=false" in text_of(answer)
    assert SpooledEvent.objects.get().state == "failed"


def test_a_delayed_event_does_not_wait_yet(root: Client) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from queueadmin.console.figures import metrics

    spooled("later", due_at=timezone.now() + timedelta(minutes=10))
    high = metrics.snapshot().queues[1]
    assert (high.depth, high.scheduled, high.oldest_wait) == (0, 1, 0.0)


def test_throughput_is_of_what_was_run(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from ingest.spool import lease
    from queueadmin.console.figures import metrics

    clock, done = 1000.0, 0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    monkeypatch.setattr(lease, "holder", lambda: lease.Holder("here", done, done // 10))
    assert metrics.snapshot().totals.out_rate == 0
    clock, done = 1005.0, 50
    totals = metrics.snapshot().totals
    assert (totals.in_rate, totals.out_rate, totals.dead_per_minute) == (10.0, 11.0, 60.0)
