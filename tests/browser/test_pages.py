"""Every page in a real browser: signing in, the look's promises, the keyboard, without scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.accessible import no_fault_in_either_theme
from tests.browser.conftest import PHONE, Send, live, sign_in

PATHS = [
    "/",
    "/dead-letters/",
    "/dead-letters/?filter=-source:none%20since:1h&span=24h",
    "/jobs/",
    "/jobs/?filter=state:failed,queued%20-source:none",
    "/queues/high/",
    "/matching-jobs/?filter=state:failed",
    "/account/",
    "/settings/",
    "/devices/",
    "/schedules/",
    "/workers/",
    "/audit/",
    "/schedules/new/",
    "/replays/",
    "/replays/new/",
    "/ingest/",
    "/ingest/add/",
    "/ingest/keys/new/",
    "/ingest/fields/",
    "/alerts/",
    "/finished-jobs/clean/",
    "/dead-letters/retry-all/",
    "/dead-letters/policies/?keep_days=30&keep_count=1000",
    "/queues/pause/",
    "/queues/low/pause/",
    "/queues/low/empty/",
    "/queues/low/purge/",
    "/replays/new/?filter=source:nobody",
]
OF_A_JOB = ["/jobs/{job}/", "/jobs/{job}/edit/", "/jobs/{job}/raw/"]
#: Each with a browser's profile of its own; all in one took half of a test's two minutes on a quiet machine.
PARTS = 4
WIDTHS = (360, 390, 760, 1024, 1440, 1920)
DESKTOP: ViewportSize = {"width": 1280, "height": 720}
OpenPage = Callable[..., Page]


def test_login_refuses_a_wrong_password_in_words_and_takes_the_right_one(open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    page.goto("/dead-letters/")
    expect(page).to_have_url("/login/?next=/dead-letters/")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Name and password do not fit together. Both are case-sensitive.")
    expect(page.get_by_label("Password")).to_be_focused()
    no_fault_in_either_theme(page, "a wrong password")
    sign_in(page)
    expect(page.locator("h1")).to_have_text("Overview")
    page.goto("/account/")
    page.locator("main").get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url("/login/")
    page.goto("/")
    expect(page).to_have_url("/login/?next=/")


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_live_fits_every_screen_and_has_no_fault_that_a_tool_can_find(
    open_page: OpenPage, send: Send, part: int
) -> None:
    """One load for it all: making a page takes as long as asking it."""
    long = "x" * 200
    dead = send(title=f"{long} {long}", source=long, fault="permanent", severity="high", labels={"label": long * 3})
    page = open_page(**PHONE)
    for path in (path.replace("{job}", dead) for path in (*PATHS, *OF_A_JOB)[part::PARTS]):
        page.goto(path)
        fits_every_screen(page, path)
        page.set_viewport_size(DESKTOP)
        live(page)
        no_fault_in_either_theme(page, path)


def test_a_page_that_is_missing_fits_every_screen(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page(**PHONE)
    page.goto("/jobs/nobody/")
    fits_every_screen(page, "/jobs/nobody/")
    # The browser itself logs the page that is meant to be missing.
    complaints[:] = [said for said in complaints if "404" not in said]


def fits_every_screen(page: Page, path: str) -> None:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} px wide at {width}"


def test_the_phone_has_a_bar_of_five_whose_last_opens_the_rest(open_page: OpenPage) -> None:
    page = open_page(**PHONE)
    page.goto("/")
    bar = page.get_by_role("navigation", name="Main").locator("a:visible")
    expect(bar).to_have_count(5)
    bar.last.click()
    sheet = page.locator("#more")
    expect(sheet).to_be_visible()
    expect(sheet.get_by_role("button", name="Sign out")).to_be_visible()
    sheet.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()


def test_keys_go_help_and_theme_and_rest_while_typing(page: Page) -> None:
    page.goto("/")
    live(page)
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Find a job by its id").first).to_be_focused()
    page.keyboard.type("t?gd")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page).to_have_url("/dead-letters/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_it_works_without_scripts(open_page: OpenPage, send: Send) -> None:
    job_id = send(fault="permanent", severity="high")
    page = open_page(java_script_enabled=False)
    page.goto("/")
    expect(page.locator('[data-k="enqueued"]').first).not_to_have_text("0")
    page.get_by_role("button", name="Recover stalled").click()
    expect(page.get_by_role("status").filter(has_text="stalled")).to_be_visible()
    _until_dead(page, job_id)
    page.get_by_role("button", name=f"Retry {job_id}").click()
    expect(page.locator("#toast")).to_contain_text("1 job put back into the queue")
    page.get_by_role("link", name="Retry all").click()
    expect(page.locator("main h2")).to_contain_text("Retry all")


def _until_dead(page: Page, job_id: str) -> None:
    for _ in range(100):
        page.goto("/dead-letters/")
        if page.get_by_role("button", name=f"Retry {job_id}").count():
            return
    pytest.fail("the job did not become a dead letter")
