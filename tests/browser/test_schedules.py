"""The pages /schedules/ in a real browser: issue 6 (4)."""

import uuid

from playwright.sync_api import Page, expect

from tests.browser.conftest import live


def test_it_is_written_with_its_meaning_beside_it_then_pressed_and_seen_to_fire(page: Page) -> None:
    name = f"tick {uuid.uuid4().hex[:8]}"
    page.goto("/schedules/new/")
    live(page)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Cron expression").fill("0 8 * * 1-5")
    expect(page.locator("#preview")).to_contain_text("At 08:00 on Monday through Friday, UTC.")
    page.get_by_label("Cron expression").fill("")
    page.get_by_label("Or every so many seconds").fill("1")
    expect(page.locator("#preview")).to_contain_text("Every second.")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("h1")).to_have_text(name)
    # Live: nobody touches the page, and maintenance fires it.
    expect(page.locator("#schedule-facts")).to_contain_text("Fired last")
    expect(page.locator("#schedule-facts .id")).to_have_count(1)
    page.get_by_role("button", name=f"Pause {name}").click()
    expect(page.locator("#toast")).to_contain_text("is paused.")
    page.goto("/schedules/")
    expect(page.get_by_role("row", name=name)).to_contain_text("paused")
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#toast")).to_contain_text("is deleted")
