"""The charts of the overview: how far back they reach, and the table behind each (issue 7.1)."""

import time

from playwright.sync_api import Page, expect

from tests.browser.conftest import Send, live, settled


def test_a_longer_window_is_read_and_stays_in_the_address(page: Page) -> None:
    page.goto("/")
    live(page)
    with page.expect_response(lambda answer: "/api/v1/history?window=86400" in answer.url) as asked:
        page.get_by_role("button", name="24h", exact=True).click()
    answer = asked.value.json()
    assert (answer["window"], answer["step"]) == (86_400, 100)
    expect(page.get_by_role("button", name="24h", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator('[data-k="window"]')).to_have_text("Last 24 h")
    page.reload()
    expect(page).to_have_url("/?window=86400")
    expect(page.get_by_role("button", name="24h", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_chart_has_its_numbers_as_a_table(page: Page, send: Send) -> None:
    send(severity="low")
    page.goto("/")
    live(page)
    settled(page, "enqueued")
    page.locator('details[data-of="flow"] summary').click()
    table = page.locator('details[data-of="flow"] table')
    expect(table.get_by_role("columnheader")).to_have_text(["Until", "in/s", "done/s", "failures/min"])
    expect(table.get_by_role("rowheader").first).to_be_visible()


def test_percentiles_are_drawn_and_told_as_a_table(page: Page) -> None:
    columns = ["at", "jobs", "wait_p50", "wait_p95", "wait_p99", "run_p50", "run_p95", "run_p99"]
    now = time.time()
    rows = [[now - 20, 4, 0.001, 0.02, 3.5, None, None, None], [now - 10, 9, 0.002, 0.03, 12, 0.2, 0.4, 90]]
    answer = {"window": 900, "step": 10, "queue": None, "columns": columns, "rows": rows}
    page.route("**/api/v1/latencies*", lambda route: route.fulfill(json=answer))
    page.goto("/")
    live(page)
    chart = page.locator('.chart[data-of="run"]')
    box = page.locator('details[data-of="run"]')
    box.locator("summary").click()
    expect(box.locator("tbody tr").first).to_contain_text("200 ms400 ms2 min")
    expect(box.locator("tbody tr").last).to_contain_text("–––")
    chart.scroll_into_view_if_needed()
    shape = chart.bounding_box()
    assert shape is not None
    page.mouse.move(shape["x"] + shape["width"] - 20, shape["y"] + 40)
    expect(chart.locator(".tip")).to_contain_text("400 ms")
    expect(chart.locator(".none")).to_be_hidden()


def test_a_window_without_jobs_says_so(page: Page) -> None:
    page.route("**/api/v1/latencies*", lambda route: route.fulfill(json={"columns": [], "rows": [], "step": 10}))
    page.goto("/queues/low/")
    expect(page.locator('.chart[data-of="wait"] .none')).to_have_text("No job was claimed in this time.")
