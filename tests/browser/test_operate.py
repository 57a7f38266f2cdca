"""An operator at work: pausing and going on, discarding and undoing, understanding a loss."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from ingest.queue import keys
from tests.browser.conftest import Send, live, settled
from tests.conftest import wait_until
from tests.instance import Instance


@pytest.fixture(autouse=True)
def _goes_on(instance: Instance) -> Iterator[None]:
    """No pause is left for the tests that follow on the shared instance."""
    yield
    with instance.redis() as client:
        client.delete(keys.PAUSED)


def _row(page: Page, queue: str) -> Locator:
    return page.locator(f'[data-q="{queue}"]')


def _dead_letter(page: Page, job_id: str) -> Locator:
    return page.locator("#dead tbody tr").filter(has=page.locator(f'input[value="{job_id}"]'))


def _open_list_with(page: Page, *job_ids: str) -> None:
    def are_there() -> bool:
        page.goto("/dead-letters/")
        return all(_dead_letter(page, job_id).count() for job_id in job_ids)

    wait_until(are_there, what="the dead letters")
    live(page)


def test_what_is_away_when_a_button_is_pressed_is_named(page: Page, complaints: list[str]) -> None:
    """The database was, and the page said that Redis was, and that nothing was changed."""
    page.goto("/")
    live(page)
    away = '<p class="code-no">503</p>\n<h1>The database does not answer</h1>'  # as of templates/503.html
    page.route("**/recover-stalled/", lambda route: route.fulfill(status=503, content_type="text/html", body=away))
    page.locator("#recover").click()
    said = "The database does not answer. What was done until then shows once it is back."
    expect(page.locator("#toast")).to_contain_text(said)
    complaints[:] = [each for each in complaints if "503" not in each]


def test_b3_a_paused_queue_stands_still_until_it_is_resumed(page: Page, send: Send) -> None:
    page.goto("/")
    live(page)
    settled(page, "enqueued")
    row = _row(page, "low")
    expect(row.locator('[data-f="depth"]')).to_have_text("0")
    row.get_by_role("link", name="Pause low").click()
    page.get_by_role("dialog").get_by_role("button", name="Until resumed").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("low is paused until resumed; what runs already goes on.")
    expect(row.locator('[data-f="paused"]')).to_have_text("paused")
    processed = page.locator('[data-k="processed"]')
    before = int(processed.inner_text().replace(",", ""))
    for _ in range(3):
        send(severity="low")
    expect(row.locator('[data-f="depth"]')).to_have_text("3")
    expect(row.locator('[data-f="eta"]')).to_have_text("paused")
    # The worker is well: what is not paused goes through, and low still stands.
    send(severity="critical")
    expect(processed).to_have_text(f"{before + 1:,}")
    expect(row.locator('[data-f="depth"]')).to_have_text("3")
    row.get_by_role("button", name="Resume low").click()
    expect(page.locator("#toast")).to_contain_text("low goes on.")
    expect(row.locator('[data-f="depth"]')).to_have_text("0")
    expect(processed).to_have_text(f"{before + 4:,}")
    expect(row.locator('[data-f="paused"]')).to_be_hidden()
    expect(row.get_by_role("link", name="Pause low")).to_be_visible()


def test_b3_all_queues_pause_at_once_and_go_on(page: Page) -> None:
    page.goto("/")
    live(page)
    page.get_by_role("link", name="Pause all").click()
    page.get_by_role("dialog").get_by_role("button", name="15 min").click()
    expect(page.locator("#toast")).to_contain_text("All queues are paused for 15 min")
    for queue in ("critical", "high", "medium", "low"):
        expect(_row(page, queue).locator('[data-f="paused"]')).to_have_text("paused, 15 min left")
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator("#toast")).to_contain_text("All queues go on.")
    expect(page.get_by_role("link", name="Pause all")).to_be_visible()


def test_a_discarded_dead_letter_goes_and_undo_brings_it_back(page: Page, send: Send) -> None:
    job_id = send(severity="high", fault="permanent")
    _open_list_with(page, job_id)
    page.evaluate("window.same = true")
    row = _dead_letter(page, job_id)
    row.get_by_role("button", name="Discard").click()
    expect(row).to_have_count(0)
    toast = page.locator("#toast")
    expect(toast).to_contain_text("1 job moved to the trash, kept for 24 h.")
    expect(toast.get_by_role("link", name="In the log")).to_be_visible()
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_contain_text("1 job restored.")
    expect(row).to_have_count(1)
    assert page.evaluate("window.same"), "the page was loaded again"


def test_chosen_rows_are_discarded_together_and_come_back_together(page: Page, send: Send) -> None:
    ids = [send(severity="medium", fault="permanent") for _ in range(2)]
    _open_list_with(page, *ids)
    for job_id in ids:
        page.get_by_label(f"Select job {job_id}").check()
    page.get_by_role("button", name="Discard 2", exact=True).click()
    expect(page.locator("#toast")).to_contain_text("2 jobs moved to the trash")
    for job_id in ids:
        expect(_dead_letter(page, job_id)).to_have_count(0)
    page.locator("#toast").get_by_role("button", name="Undo").click()
    for job_id in ids:
        expect(_dead_letter(page, job_id)).to_have_count(1)


def test_a_job_is_discarded_and_restored_on_its_page(page: Page, send: Send) -> None:
    job_id = send(severity="high", fault="permanent")
    _open_list_with(page, job_id)
    page.goto(f"/jobs/{job_id}/")
    head = page.locator(".job-hd")
    head.get_by_role("button", name="Discard").click()
    expect(head).to_contain_text("in the trash")
    page.locator("#toast").get_by_role("button", name="Undo").click()
    expect(page).to_have_url(f"/jobs/{job_id}/")
    expect(page.locator("#toast")).to_contain_text("1 job restored.")
    expect(head).to_contain_text("dead letter")
    page.locator("#toast").get_by_role("link", name="In the log").click()
    expect(page.locator("#audit tbody tr")).to_have_count(1)
    expect(page.locator("#audit tbody tr")).to_contain_text("1 job restored.")


def test_it_works_without_scripts(open_page: Callable[..., Page], send: Send) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/")
    _row(page, "low").get_by_role("link", name="Pause low").click()
    page.get_by_role("button", name="60 min").click()
    expect(page.locator("#toast")).to_contain_text("low is paused for 60 min")
    expect(_row(page, "low")).to_contain_text("paused, 60 min left")
    send(severity="low")
    _row(page, "low").get_by_role("link", name="Empty low").click()
    page.get_by_role("button", name="Empty low (1)").click()
    expect(page.locator("#toast")).to_contain_text("1 job of low moved to the trash, kept for 24 h.")
    _row(page, "low").get_by_role("button", name="Resume low").click()
    expect(page.locator("#toast")).to_contain_text("low goes on.")
    job_id = send(severity="high", fault="permanent")

    def is_dead() -> bool:
        page.goto("/dead-letters/")
        return bool(page.get_by_role("button", name=f"Discard {job_id}").count())

    wait_until(is_dead, what="the dead letter")
    page.get_by_role("button", name=f"Discard {job_id}").click()
    expect(page.locator("#toast")).to_contain_text("1 job moved to the trash, kept for 24 h.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("1 job restored.")
    expect(page.get_by_role("button", name=f"Discard {job_id}")).to_be_visible()


def test_e3_a_loss_of_redis_comes_onto_the_open_page_and_goes_when_understood(page: Page, instance: Instance) -> None:
    page.goto("/dead-letters/")
    live(page)
    lost = (
        "from ingest.models import RedisLoss; from django.utils.timezone import now; "
        "RedisLoss.objects.create(kind='empty', detected_at=now(), mirrored_at=now(), waiting=1234, scheduled=0, "
        "started=0, failed=0, trash=0, missing=1234)"
    )
    instance.manage("shell", "-v", "0", "-c", lost)
    banner = page.get_by_label("Redis lost its data")
    expect(banner).to_contain_text("Redis came back empty: it held 1,234 jobs (1,234 waiting).")
    banner.get_by_role("button", name="Understood").click()
    expect(page.locator("#toast")).to_contain_text("Noted who has understood it.")
    expect(banner).to_be_hidden()
