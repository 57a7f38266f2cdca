"""A job's page follows its job (B6, B7)."""

import uuid
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from ingest.queue.payload import Payload, encode
from ingest.queue.transitions import Failure, NewJob, Transitions, new_id
from tests.browser.conftest import PHONE, Send, live
from tests.instance import Instance

#: Not one of the workers' queues: what happens there, the test does itself.
QUEUE = "browser-test"


def _job(transitions: Transitions) -> str:
    job_id = new_id()
    event = Payload(job_id, "alert", datetime.now(UTC), "high", "billing", "", None, b'{"title":"Invoice 4711"}')
    job = NewJob(job_id, QUEUE, encode(event), "alert", source="billing", retry_delays=(0,))
    assert transitions.enqueue([job])[0].accepted
    return job_id


def _claim(transitions: Transitions) -> str:
    claim = transitions.claim(f"browser-{uuid.uuid4().hex[:8]}", [QUEUE], claim_id=new_id(), lease=600)
    assert claim is not None
    return claim.id


def test_b7_state_progress_log_and_attempts_come_without_a_reload(page: Page, instance: Instance) -> None:
    with instance.redis() as client:
        transitions = Transitions(client)
        job_id = _job(transitions)
        page.goto(f"/jobs/{job_id}/")
        live(page)
        page.evaluate("window.same = true")
        state, progress = page.locator("#job .st"), page.locator("#job-progress")
        expect(state).to_have_text("queued")
        expect(progress).to_be_hidden()

        claim = _claim(transitions)
        expect(state).to_have_text("started")
        transitions.progress(QUEUE, claim, job_id, value=40, line="<i>page 4 of 10</i>")
        expect(progress.locator(".said")).to_have_text("40 %")
        expect(progress.locator("progress")).to_have_js_property("value", 40)
        expect(progress.locator("li")).to_have_text(["<i>page 4 of 10</i>"])

        transitions.fail(QUEUE, claim, "w", [Failure(job_id, "Traceback: first", error_type="KeyError", message="m")])
        first = page.locator("details", has_text="Attempt 1")
        expect(first).to_have_attribute("open", "")
        first.locator("summary").click()  # closed by the reader, and stays so
        transitions.fail(
            QUEUE, _claim(transitions), "w", [Failure(job_id, "Traceback: second", error_type="ValueError")]
        )
        expect(state).to_have_text("dead letter")
        expect(page.locator("details", has_text="Attempt 2")).to_have_attribute("open", "")
        expect(first).not_to_have_attribute("open", "")
        expect(page.get_by_role("button", name="Retry", exact=True)).to_be_visible()
        assert page.evaluate("window.same"), "the page was loaded again"
        transitions.discard(QUEUE, [job_id])
        transitions.purge(QUEUE, [job_id])


def test_a_page_opened_before_its_job_runs_sees_it_finish(page: Page, send: Send, instance: Instance) -> None:
    job_id = send(severity="high", delay_seconds=3600)
    page.goto(f"/jobs/{job_id}/")
    live(page)
    expect(page.locator("#job .st")).to_have_text("scheduled")
    with instance.redis() as client:
        Transitions(client).run_now("high", [job_id])
    expect(page.locator("#job .st")).to_have_text("finished")
    expect(page.locator(".life")).to_contain_text("Finished")


def test_on_the_phone_nothing_is_wider_than_the_page(open_page, send: Send) -> None:  # type: ignore[no-untyped-def]
    job_id = send(severity="high", fault="permanent", title="x" * 300)
    page = open_page(**PHONE)
    page.goto(f"/jobs/{job_id}/")
    expect(page.locator("#job .st")).to_have_text("dead letter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_x6_an_event_is_edited_looked_at_and_retried(page: Page, send: Send) -> None:
    job_id = send(severity="high", fault="permanent", title="before", api_token="s3cret")
    page.goto(f"/jobs/{job_id}/")
    live(page)
    expect(page.locator("#job .st")).to_have_text("dead letter")
    page.get_by_role("link", name="Edit and retry").click()
    box = page.get_by_label("The event")
    text = box.input_value()
    assert "s3cret" not in text
    box.fill(text.replace("before", "after").replace('"permanent"', "null"))
    page.get_by_role("button", name="Show what changes").click()
    expect(page.locator(".diff .add", has_text="after")).to_have_count(1)
    page.get_by_role("button", name="Edit further").click()
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_label("Why").fill("the fault is gone")
    page.get_by_role("button", name="Retry with 2 changes").click()
    expect(page.locator("#toast")).to_contain_text("The event was changed in 2 lines; 1 job put back into the queue.")
    expect(page.locator("#job .st")).to_have_text("finished")
    page.get_by_role("button", name="Reveal secrets").click()
    expect(page.locator("#payload")).to_contain_text('"api_token": "s3cret"')
    page.get_by_role("link", name="Mask again").click()
    expect(page.locator("#payload")).not_to_contain_text("s3cret")


def test_a_job_is_sent_again_and_its_hash_looked_at(page: Page, send: Send) -> None:
    job_id = send(severity="high", delay_seconds=3600)
    page.goto(f"/jobs/{job_id}/")
    live(page)
    page.get_by_role("button", name="Duplicate").click()
    expect(page.locator("#toast")).to_contain_text("Sent once more as")
    assert job_id not in page.url
    expect(page.locator("#job .st")).to_have_text("finished")
    page.goto(f"/jobs/{job_id}/")
    page.get_by_role("link", name="raw hash").click()
    expect(page.locator("h1")).to_have_text("Raw hash")
