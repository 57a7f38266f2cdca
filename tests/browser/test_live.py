"""The page moves by itself, acts, and comes back after an outage."""

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from playwright.sync_api import Page, expect

from ingest.queue import keys
from ingest.queue.transitions import Transitions
from tests.browser.conftest import Send, figure, live, settled
from tests.conftest import wait_until
from tests.instance import Instance


def _open_dead_letters(page: Page, *job_ids: str) -> None:
    """Open the list once all of these are on it."""

    def are_there() -> bool:
        page.goto("/dead-letters/")
        return all(page.locator(f'#dead input[value="{job_id}"]').count() for job_id in job_ids)

    wait_until(are_there, what="the dead letters")
    live(page)


def test_a14_a_number_moves_without_a_reload(page: Page, send: Send) -> None:
    page.goto("/")
    live(page)
    page.evaluate("window.same = true")
    before = settled(page, "enqueued")
    send(severity="critical")
    expect(page.locator('[data-k="enqueued"]')).to_have_text(f"{before + 1:,}")
    assert page.evaluate("window.same"), "the page was loaded again"
    expect(page).to_have_title("(0) Overview · queueadmin")


def test_a_dead_letter_comes_up_is_retried_and_goes(page: Page, send: Send) -> None:
    job_id, other = (send(severity="high", fault="permanent") for _ in range(2))
    _open_dead_letters(page, job_id, other)
    row = page.locator("#dead tbody tr").filter(has=page.locator(f'input[value="{job_id}"]'))
    expect(row).to_contain_text("PermanentError")
    row.get_by_role("button", name="Retry").click()
    expect(row).to_have_count(0)
    expect(page.locator("#toast")).to_contain_text("1 job put back into the queue.")
    # It fails for ever: it comes back, but behind the pill and not under the cursor.
    expect(page.locator("#dead-new")).to_contain_text("new")
    expect(row).to_have_count(0)


def test_after_the_last_row_the_list_fetches_what_comes_next(page: Page, send: Send) -> None:
    job_id = send(severity="critical", fault="permanent")
    _open_dead_letters(page, job_id)
    page.get_by_role("link", name="critical").click()
    live(page)
    rows = page.locator("#dead tbody tr")
    for _ in range(rows.count()):
        rows.first.get_by_role("button", name="Retry").click()
        expect(page.locator("#toast")).to_contain_text("put back into the queue.")
    # Each fails for ever, so it is dead once more and comes by itself: there was nothing to jump.
    again = rows.filter(has=page.locator(f'input[value="{job_id}"]')).locator(".tries")
    expect(again).to_have_text("2")


def test_chosen_rows_are_retried_together_and_the_button_tells_how_many(page: Page, send: Send) -> None:
    ids = [send(severity="medium", fault="permanent") for _ in range(3)]
    _open_dead_letters(page, *ids)
    for job_id in ids[:2]:
        page.get_by_label(f"Select job {job_id}").check()
    page.get_by_role("button", name="Retry 2", exact=True).click()
    expect(page.locator("#toast")).to_contain_text("2 jobs put back into the queue.")


def test_retry_all_repeats_the_number_before_it_acts(page: Page, send: Send) -> None:
    job_id = send(severity="low", fault="permanent")
    _open_dead_letters(page, job_id)
    page.get_by_role("link", name="low").click()
    live(page)
    page.get_by_role("link", name="Retry all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("dead letters of low?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Retry all").click()
    number = dialog.locator('[data-k="here"]').first.inner_text()
    dialog.get_by_role("button", name=f"Retry {number}", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#toast")).to_contain_text("put back into the queue.")


def test_x_what_a_client_sent_is_text_and_never_markup(page: Page, send: Send) -> None:
    attack = f"<img src=x onerror=window.hit=1><script>window.hit=1</script>{uuid.uuid4().hex}"
    job_id = send(title=attack, source='"><script>window.hit=1</script>', severity="high", fault="permanent")
    _open_dead_letters(page, job_id)
    expect(page.get_by_text(attack).first).to_be_visible()
    page.goto("/")
    expect(page.get_by_text(attack).first).to_be_visible()
    page.goto(f"/jobs/{job_id}/")
    expect(page.get_by_text(attack).first).to_be_visible()
    assert page.evaluate("window.hit") is None


@contextmanager
def _stopped(instance: Instance, *programs: str) -> Iterator[None]:
    pids = [pid for name, pid in instance.pids().items() if name.startswith(programs)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a10_stalled_jobs_show_and_the_button_takes_them_back(page: Page, send: Send, instance: Instance) -> None:
    page.goto("/")
    live(page)
    with _stopped(instance, "worker"), instance.redis() as client:
        job_id = send(severity="low")
        # On a busy machine by way of the spool, which maintenance empties.
        wait_until(lambda: client.exists(keys.job(job_id)), what="the job in Redis")
        with _stopped(instance, "maintain"):
            claim = Transitions(client).claim("gone", ["low"], claim_id=uuid.uuid4().hex, limit=1, lease=0)
            assert claim is not None
            assert [job.id for job in claim.jobs] == [job_id]
            button = page.get_by_role("button", name="Recover stalled (1)")
            expect(button).to_be_visible()
            button.click()
            expect(page.locator("#toast")).to_contain_text("1 job taken back to the front of low.")
            expect(page.get_by_role("button", name="Recover stalled (0)")).to_be_visible()


@contextmanager
def _killed(instance: Instance, program: str) -> Iterator[None]:
    """kill -9 one program; leave only when the product is whole again, for the tests that follow."""
    instance.kill(program)
    try:
        yield
    finally:
        wait_until(lambda: _is_ready(instance), what=f"the return of {program}")


def _is_ready(instance: Instance) -> bool:
    try:
        return requests.get(f"{instance.url}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def test_the_page_keeps_its_numbers_and_comes_back_when_the_server_does(
    page: Page, send: Send, instance: Instance, complaints: list[str]
) -> None:
    page.goto("/")
    live(page)
    page.evaluate("window.same = true")
    enqueued = page.locator('[data-k="enqueued"]')
    before = settled(page, "enqueued") + 1
    send()
    expect(enqueued).to_have_text(f"{before:,}")
    with _stopped(instance, "web"):
        expect(page.locator(".live")).to_contain_text("stale")
    live(page)
    with _killed(instance, "web"):
        expect(page.locator(".live")).to_contain_text("reconnecting")
        expect(enqueued).to_have_text(f"{before:,}")
    live(page)
    assert page.evaluate("window.same"), "the page was loaded again"
    send()
    expect(enqueued).to_have_text(f"{before + 1:,}")
    # The browser itself logs that the server was away.
    own = ("WebSocket connection", "net::ERR_")
    complaints[:] = [said for said in complaints if not any(words in said for words in own)]


def test_while_redis_is_away_the_page_says_so_and_keeps_the_last_numbers(
    page: Page, send: Send, instance: Instance
) -> None:
    page.goto("/")
    live(page)
    before = settled(page, "enqueued") + 1
    send()
    expect(page.locator('[data-k="enqueued"]')).to_have_text(f"{before:,}")
    with _stopped(instance, "valkey"):
        # Degraded and no more: events are taken in, into the spool.
        expect(page.locator(".verdict strong")).to_have_text("Degraded:")
        expect(page.locator(".verdict")).to_contain_text("Redis does not answer")
        expect(page.locator(".live")).to_contain_text("stale")
        assert figure(page, "enqueued") == before
    live(page)
    expect(page.locator(".verdict")).not_to_contain_text("Redis does not answer")


def test_a_button_leads_to_the_login_when_the_session_has_ended(page: Page) -> None:
    page.goto("/")
    live(page)
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Recover stalled").click()
    expect(page).to_have_url("/login/?next=%2F")
