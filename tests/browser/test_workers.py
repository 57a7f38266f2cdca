"""The pages /workers/ and /audit/ in a browser: what a person does there, by keyboard and by pointer."""

import csv
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import live

OpenPage = Callable[..., Page]


def test_a_worker_is_drained_and_resumed_and_the_page_follows_by_itself(page: Page) -> None:
    page.goto("/")
    live(page)
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page.locator("h1")).to_have_text("Workers")
    live(page)
    page.get_by_role("button", name="Drain").first.click()
    expect(page.locator("#toast")).to_contain_text("claims nothing more until it is resumed")
    # The page was loaded before the worker had heard it, and reads itself anew.
    expect(page.locator(".t.workers .st").filter(has_text="drain").first).to_be_visible()
    page.get_by_role("button", name="Resume").first.click()
    expect(page.locator("#toast")).to_contain_text("claims again")
    expect(page.get_by_role("button", name="Drain").first).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_killing_asks_first(page: Page) -> None:
    page.goto("/workers/")
    page.get_by_role("link", name="Kill").first.click()
    expect(page.locator("main h2").first).to_contain_text("Kill ")
    expect(page.locator("main")).to_contain_text("supervisor starts another", ignore_case=True)
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("Workers")


def test_the_log_is_filtered_by_the_address_and_had_as_a_file(page: Page) -> None:
    page.goto("/queues/low/pause/")
    page.get_by_label("Why").fill("=give high the workers")
    page.get_by_role("button", name="15 min").click()
    expect(page.locator("#toast")).to_contain_text("low is paused")
    live(page)
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.locator("h1")).to_have_text("Audit")
    page.get_by_label("Filter", exact=True).fill("by:admin workers")
    page.get_by_label("Action").select_option("pause")
    page.get_by_role("button", name="Filter").click()
    row = page.locator(".t.audit tbody tr").first
    expect(row).to_contain_text("=give high the workers")
    expect(row).to_contain_text("low is paused for 15 min")
    with page.expect_download() as got:
        page.get_by_role("link", name="as CSV").click()
    (first, *_) = csv.DictReader(Path(got.value.path()).read_text().splitlines())
    assert (first["actor"], first["action"], first["reason"]) == ("admin", "pause", "'=give high the workers")
    page.get_by_role("link", name="Without by:admin").click()
    expect(page).to_have_url("/audit/?filter=workers&action=pause")
    page.goto("/")
    page.get_by_role("button", name="Resume low").click()
    expect(page.locator("#toast")).to_contain_text("low goes on")


def test_without_a_socket_the_page_asks_every_few_seconds_and_says_so(
    open_page: OpenPage, complaints: list[str]
) -> None:
    page = open_page()
    page.route_web_socket("**/ws/console/*", lambda socket: socket.close(code=1011))
    page.goto("/workers/")
    expect(page.locator(".top .live")).to_contain_text("every 5 s")
    complaints.clear()  # the browser's own of the socket
