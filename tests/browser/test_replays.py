"""From the dead letters to a replay that stops itself, goes on and ends, by the pages alone (X1, issue 8 part 4)."""

import re
import uuid
from collections.abc import Callable

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.accessible import no_fault_in_either_theme
from tests.browser.conftest import PHONE, Send, live
from tests.instance import Instance
from tests.waiting import wait_until

OpenPage = Callable[..., Page]


@pytest.fixture
def source(instance: Instance, send: Send) -> str:
    """Twelve dead letters of a source of their own: the two oldest fail again, the others succeed."""
    name = f"replayed-{uuid.uuid4().hex[:8]}"
    with instance.redis() as client:
        # One after the other: the longest dead are the canary, and on a busy machine jobs overtake each other. There a
        # lease may lapse as well, which is an attempt: with error:5 the replay's would be the sixth, and succeed.
        for fault, count, total in (("error:20", 2, 2), ("error:4", 10, 12)):
            for _ in range(count):
                send(source=name, severity="low", fault=fault)
            wait_until(lambda total=total: are_dead(client, name, total), what="the dead letters")  # type: ignore[misc]
    return name


def are_dead(client: redis.Redis, source: str, count: int) -> bool:
    """Whether so many of the source are dead; their retries are brought forward."""
    for job in client.zrange("rq:scheduled:low", 0, -1):
        client.zadd("rq:scheduled:low", {job: 1}, xx=True)
    ids = [job.decode() for job in client.zrange("rq:failed:low", 0, -1)]
    return sum(client.hget(f"rq:job:{job}", "source") == source.encode() for job in ids) == count


def test_a_replay_is_begun_stops_itself_goes_on_and_tells_its_outcome(
    page: Page, open_page: OpenPage, source: str
) -> None:
    page.goto("/dead-letters/?queue=low")
    page.get_by_role("link", name="Replay…").click()
    expect(page).to_have_url(re.compile(r"/replays/new/\?filter=queue:low$"))
    box = page.get_by_label("Filter", exact=True)
    box.fill(f"source:{source}")
    box.press("Enter")
    expect(page.get_by_role("heading", name="12 dead letters match")).to_be_visible()
    page.get_by_label("Canary").fill("4")
    page.get_by_label("Then").select_option("as fast as it goes")
    page.get_by_label("Why").fill("the receiver is back")
    page.get_by_role("button", name="Begin with 12").click()
    expect(page.locator("h1")).to_have_text(re.compile(r"^Replay \d+$"))
    # Without a press or a reload the page says what came of the canary.
    expect(page.get_by_text("2 of the canary of 4 failed again; more than 5 % stop it.")).to_be_visible()
    expect(page.get_by_role("link", name="FaultError")).to_be_visible()
    path = page.url
    for shown in (open_page(), open_page(**PHONE)):
        shown.goto(path)
        live(shown)
        no_fault_in_either_theme(shown)
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Of 12: 10 succeeded, 2 failed again.")).to_be_visible()
    page.get_by_role("link", name="Open as dead letters").click()
    expect(page.locator("#dead tbody tr")).to_have_count(2)
    page.goto("/replays/")
    expect(page.get_by_role("row").filter(has_text=source)).to_contain_text("done")
