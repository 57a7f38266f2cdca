"""Everything by the keyboard, and what is pressed before its script came (issue 7 parts 5 and 7)."""

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PHONE, Send, live
from tests.browser.test_live import _stopped
from tests.instance import Instance

HTMX = "**/htmx-2.min*.js"


def test_slash_reaches_the_filter_or_the_find_box(page: Page) -> None:
    page.goto("/")
    live(page)
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.goto("/jobs/")
    live(page)
    page.keyboard.press("/")
    expect(page.locator('main [data-filter], main input[name="add"]').first).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()


def test_an_id_pasted_into_a_filter_leads_to_its_job(page: Page, send: Send) -> None:
    job_id = send(severity="low")
    page.goto("/jobs/")
    live(page)
    page.keyboard.press("/")
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData('text', text);
            const pasted = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
            document.activeElement.dispatchEvent(pasted);
        }""",
        f" {job_id}\n",
    )
    expect(page).to_have_url(f"/jobs/{job_id}/")


def test_rows_are_walked_and_the_focus_stays_when_one_goes(page: Page, send: Send, instance: Instance) -> None:
    dead = [send(severity="low", fault="permanent", source="keyboard") for _ in range(2)]
    page.goto("/")
    live(page)
    page.keyboard.press("j")
    expect(page.locator('[data-q="critical"] a').first).to_be_focused()
    page.goto("/")
    live(page)
    for job_id in dead:
        expect(page.get_by_role("button", name=f"Retry {job_id}")).to_be_visible()
    retry = page.locator("#latest tbody tr button").first
    pressed = page.get_by_role("button", name=retry.get_attribute("aria-label") or "")
    # Else it is dead again at once, and the first row another one.
    with _stopped(instance, "worker"):
        retry.focus()
        page.keyboard.press("Enter")
        expect(pressed).to_have_count(0)
        expect(page.locator("#latest tbody tr").first.locator(":focus")).to_have_count(1)


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    page.goto("/")
    live(page)
    opener = page.locator("#pause-all-link")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#pause-all")
    expect(dialog).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        # The browser's own bar has its turn too, and is seen as the body.
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_what_is_pressed_before_its_script_came_is_done_once_it_has(page: Page) -> None:
    held: list[Route] = []
    page.route(HTMX, lambda route: held.append(route))
    page.goto("/")
    live(page)
    button = page.locator("#recover")
    button.click()
    button.click()
    expect(page.locator("#toast")).to_be_empty()
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#toast")).not_to_be_empty()
    expect(page).to_have_url("/")


def test_which_of_a_form_s_buttons_it_was_is_kept_until_then(page: Page) -> None:
    """A pause for 15 minutes became one until resumed."""
    held: list[Route] = []
    page.route(HTMX, lambda route: held.append(route))
    page.goto("/")
    live(page)
    page.get_by_role("link", name="Pause all").click()
    page.get_by_role("dialog").get_by_role("button", name="15 min").click()
    expect(page.locator("#toast")).to_be_empty()
    held[0].continue_()
    expect(page.locator("#toast")).to_contain_text("All queues are paused for 15 min")
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator("#toast")).to_contain_text("All queues go on.")


def test_without_that_script_the_button_does_what_it_does_without_scripts(page: Page, complaints: list[str]) -> None:
    page.route(HTMX, lambda route: route.abort())
    page.goto("/")
    live(page)
    page.locator("#recover").click()
    expect(page.locator("#toast")).not_to_be_empty()
    complaints.clear()


def test_the_phone_chooses_a_window_and_finds(open_page: Callable[..., Page]) -> None:
    page = open_page(**PHONE)
    page.goto("/")
    live(page)
    page.locator("main .seg").get_by_role("button", name="1h").click()
    expect(page).to_have_url("/?window=3600")
    expect(page.locator('main .seg [aria-pressed="true"]')).to_have_text("1h")
    page.get_by_role("button", name="Find or do anything").first.click()
    expect(page.locator("#palette")).to_be_visible()
