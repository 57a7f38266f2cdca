"""ctrl k: go anywhere and begin anything (issue 7.5)."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Send, live


def test_it_goes_to_pages_and_begins_actions_by_the_keyboard_alone(page: Page) -> None:
    page.goto("/")
    live(page)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Find or do anything")
    expect(box).to_be_focused()
    assert Axe().run(page).violations_count == 0
    box.fill("dead")
    expect(page.locator('#palette [aria-selected="true"]')).to_contain_text("Dead letters")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/dead-letters/")
    live(page)  # its scripts hear keys now
    page.keyboard.press("Control+k")
    box.fill("pause low")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/queues/low/pause/")


def test_a_pasted_id_goes_to_the_job(page: Page, send: Send) -> None:
    job_id = send(severity="low")
    page.goto("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Find or do anything").fill(f" {job_id} ")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"/jobs/{job_id}/")


def test_words_are_looked_for_and_never_run(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    attack = "<img src=x onerror=window.hit=1>"
    page.get_by_role("combobox", name="Find or do anything").fill(attack)
    expect(page.locator('#palette [aria-selected="true"]')).to_have_text(f"Jobs that match “{attack}”")
    page.keyboard.press("ArrowDown")
    expect(page.locator('#palette [aria-selected="true"]')).to_contain_text("Dead letters that match")
    assert page.evaluate("window.hit") is None
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
