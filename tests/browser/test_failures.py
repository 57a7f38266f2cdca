"""Triage in a browser: a time chosen by dragging, by keyboard and without scripts, and what is said of a cause (X4)."""

import uuid
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.accessible import no_fault_in_either_theme
from tests.browser.conftest import PHONE, Send, live
from tests.instance import Instance
from tests.waiting import wait_until

OpenPage = Callable[..., Page]


def _indexed(instance: Instance, page: Page, send: Send) -> str:
    """A dead letter that the index has, shown with its cause; its source."""
    source = f"triage-{uuid.uuid4().hex[:8]}"
    send(fault="permanent", severity="high", source=source)

    def shown() -> bool:
        page.goto(f"/dead-letters/?filter=source:{source}")
        counts = [page.locator(each).count() for each in ("#dead tbody tr", ".groups a", "#hist")]
        return counts == [1, 1, 1]

    wait_until(shown, what="the index")
    return source


def test_all_that_match_are_selected_and_one_is_marked_permanent(page: Page, instance: Instance, send: Send) -> None:
    """Issue 8 parts 3 and 6: each button says how many it is about."""
    source = _indexed(instance, page, send)
    live(page)
    page.locator("#dead tbody input").check()
    page.get_by_role("button", name="Select all 1 matching").click()
    expect(page.locator("#said")).to_contain_text("1 matching selected")
    expect(page.get_by_role("link", name="Discard 1…")).to_be_visible()
    expect(page.locator("#retry-chosen")).to_be_hidden()
    assert f"filter=source%3A{source}" in (page.get_by_role("link", name="Replay 1…").get_attribute("href") or "")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#said")).to_be_hidden()
    page.locator("#dead tbody input").check()
    page.get_by_role("button", name="Mark 1 permanent").click()
    expect(page.locator("#dead .st.permanent")).to_have_text("marked permanent")


def test_at_1280_the_error_has_room_and_all_else_is_there(page: Page, instance: Instance, send: Send) -> None:
    """It had 14 characters. What loses its column stands beside the id and the error."""
    source = _indexed(instance, page, send)
    for width in (1280, 1440, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        box = page.locator("#dead td.err .msg").bounding_box()
        assert box is not None
        assert box["width"] > (300 if width < 1600 else 200), width
        for told in (source, "high"):
            expect(page.locator("#dead tbody tr").get_by_text(told).locator("visible=true")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_a_time_is_chosen_by_dragging(page: Page, instance: Instance, send: Send) -> None:
    source = _indexed(instance, page, send)
    live(page)
    box = page.locator("#hist svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30)
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 40)
    expect(page.locator("#hist-said")).to_contain_text("1 failure")
    page.mouse.up()
    expect(page.locator(".chip")).to_have_count(3)
    assert all(term in page.url for term in ("since%3A", "until%3A", source))
    expect(page.locator("#dead tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Remove until:").click()
    expect(page.locator(".chip")).to_have_count(2)


def test_a_time_is_chosen_with_the_arrow_keys(page: Page, instance: Instance, send: Send) -> None:
    _indexed(instance, page, send)
    live(page)
    page.locator("#hist").focus()
    page.keyboard.press("ArrowLeft")  # the newest bar
    expect(page.locator("#hist-said")).to_contain_text("1 failure")
    page.keyboard.press("Escape")
    expect(page.locator("#hist-said")).to_have_text("")
    page.keyboard.press("Home")
    expect(page.locator("#hist-said")).to_contain_text("0 failures")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+End")
    expect(page.locator("#hist-said")).to_contain_text("1 failure")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(3)
    expect(page.locator("#hist rect.window").first).to_be_visible()


def test_without_scripts_a_bar_is_a_link_and_fields_choose(open_page: OpenPage, instance: Instance, send: Send) -> None:
    page = open_page(java_script_enabled=False)
    _indexed(instance, page, send)
    page.locator("#hist a").last.click(position={"x": 2, "y": 2})
    expect(page.locator(".chip")).to_have_count(3)
    page.get_by_label("From, UTC").fill("")
    page.get_by_label("To, UTC").fill("")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".chip")).to_have_count(1)
    page.locator(".groups a").first.click()
    page.get_by_text("Note and assignee").click()
    page.get_by_label("Note", exact=True).fill("the event asks for it")
    page.get_by_role("button", name="Keep note").click()
    expect(page.locator(".said-of")).to_contain_text("the event asks for it")


def test_the_page_of_a_cause_has_no_fault_that_a_tool_can_find(
    page: Page, open_page: OpenPage, instance: Instance, send: Send
) -> None:
    _indexed(instance, page, send)
    path = page.locator(".groups a").first.get_attribute("href")
    assert path is not None
    for options in ({}, PHONE):
        shown = open_page(**options)
        shown.goto(path)
        live(shown)
        no_fault_in_either_theme(shown)
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_cause_is_acknowledged_and_its_jobs_retried_from_its_page(page: Page, instance: Instance, send: Send) -> None:
    source = _indexed(instance, page, send)
    page.locator(".groups a").first.click()
    live(page)
    if page.get_by_role("button", name="Open again").count():
        page.get_by_role("button", name="Open again").click()
        live(page)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#cause .st.ack")).to_be_visible()
    page.goto(f"/dead-letters/?filter=source:{source}")
    live(page)
    page.locator("#dead tbody input[type=checkbox]").check()
    page.get_by_role("button", name="Retry 1", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("1 job put back into the queue.")
    assert f"source:{source}" in page.url.replace("%3A", ":")


def test_causes_follow_what_is_done_with_the_list(page: Page, instance: Instance, send: Send) -> None:
    source = _indexed(instance, page, send)
    page.goto("/dead-letters/")
    live(page)
    before = int(page.locator(".groups .cnt").first.inner_text().replace(",", ""))
    row = page.locator("#dead tbody tr", has_text=source)
    row.get_by_role("button", name="Discard").click()
    expect(page.locator(".toast")).to_contain_text("1 job moved to the trash")
    wait_until(lambda: page.locator(".groups .cnt").first.inner_text() == f"{before - 1:,}", what="one less")


def test_a_filter_that_is_wrong_is_said_and_the_page_lives_on(page: Page, complaints: list[str]) -> None:
    page.goto("/dead-letters/?filter=nokey:x")
    expect(page.locator("#filter-said")).to_contain_text("nokey")
    live(page)
    complaints[:] = [said for said in complaints if "status of 422" not in said]
