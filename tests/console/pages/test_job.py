"""One job's page: its life with every attempt, its event shown whole, edited, sent again; its hash as it is."""

import json
from collections.abc import Callable

import pytest
import redis
from django.test import Client

from ingest.queue import keys
from ingest.reading import payloads
from queueadmin.console import queries
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs, outcome
from tests.console.job_lists.conftest import finished, spooled
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db

EVENT = {"title": "Disk full", "severity": "high", "token": "s3cret-1", "value": 18446744073709551615}


@pytest.fixture
def sent(operator: Client, jobs: Jobs) -> str:
    """A dead letter with a credential in its event."""
    answer = operator.post("/api/v1/events", json.dumps(EVENT), content_type="application/json")
    job_id: str = answer.json()["id"]  # type: ignore[attr-defined]
    jobs.transitions.fail("high", jobs.start(), "w", [jobs.failure(job_id)])
    return job_id


def _event(job_id: str) -> dict[str, object]:
    return json.loads(payloads.carried(job_id).body or b"null")  # type: ignore[no-any-return]


def _edit(client: Client, job_id: str, text: str | None = None, **more: str) -> object:
    page = client.get(f"/jobs/{job_id}/edit/")
    shown = page.context["text"] if text is None else text
    return client.post(f"/jobs/{job_id}/edit/", {"event": shown, "of": page.context["of"], **more})


def test_its_life_has_every_attempt_with_its_worker(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1, retries=(0,))
    for worker in ("worker-a", "worker-b"):
        jobs.transitions.fail("high", jobs.start(), worker, [jobs.failure(job_id, retry=True)])
    page = text_of(operator.get(f"/jobs/{job_id}/"))
    life = page.split('class="life"')[1].split("</ol>")[0]
    assert life.count("Failed: ValueError") == 2
    assert life.index("Claimed by worker-a") < life.index("then tried again") < life.index("Claimed by worker-b")
    assert "Dead letter" in life


def test_x6_an_edit_shows_what_it_changes_then_the_job_is_retried_with_it(operator: Client, sent: str) -> None:
    page = text_of(operator.get(f"/jobs/{sent}/edit/"))
    assert "s3cret" not in page
    text = operator.get(f"/jobs/{sent}/edit/").context["text"].replace("Disk full", "Disk replaced")
    compared = text_of(_edit(operator, sent, text, step="compare"))  # type: ignore[arg-type]
    assert "Retry with 1 change" in compared
    assert 'class="del"' in compared
    assert "s3cret" not in compared
    assert _event(sent) == EVENT
    response = _edit(operator, sent, text, step="sure", reason="wrong title")
    assert "changed in one line; 1 job put back into the queue." in message_after(operator, response)  # type: ignore[arg-type]
    assert _event(sent) == EVENT | {"title": "Disk replaced"}
    assert queries.several([sent])[sent]["state"] == "queued"
    edit, retry = (AuditEntry.objects.filter(step="outcome", action=each).latest("id") for each in ("edit", "retry"))
    assert (edit.target, edit.count, edit.reason, retry.count) == (sent, 1, "wrong title", 1)
    assert "Disk replaced" in edit.outcome
    assert "s3cret" not in edit.outcome


def test_an_edit_can_go_on_from_where_it_was(operator: Client, sent: str) -> None:
    response = _edit(operator, sent, '{"title": "half', step="edit")
    assert "{&quot;title&quot;: &quot;half" in text_of(response)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no event."),
        ("{", "It is not JSON"),
        ("[]", "one JSON object"),
        ('{"title":"Disk full","severity":"high","token":"•••","value":18446744073709551615}', "Nothing was changed."),
        ('{"other":"•••"}', "covers a credential"),
        ('{"title":"\\ud800"}', "surrogate"),
        ('{"title":5}', "title must be a text"),
        ('{"kind":"point"}', "kind"),
        ('{"title":"' + "x" * 300_000 + '"}', "at most 262,144 bytes"),
    ],
)
def test_a_wrong_edit_changes_nothing_and_says_why(text: str, sentence: str, operator: Client, sent: str) -> None:
    for step in ("compare", "sure"):
        response = _edit(operator, sent, text, step=step)
        if step == "sure" or "bytes" not in sentence:
            assert response.status_code == 422, text_of(response)  # type: ignore[attr-defined,arg-type]
            assert sentence in text_of(response)  # type: ignore[arg-type]
    assert _event(sent) == EVENT
    assert queries.several([sent])[sent]["state"] == "failed"


def test_an_edit_of_an_event_that_somebody_else_changed_is_refused(operator: Client, sent: str) -> None:
    response = operator.post(f"/jobs/{sent}/edit/", {"event": "{}", "of": "0" * 64, "step": "sure"})
    assert response.status_code == 422
    assert "meanwhile" in text_of(response)


def test_what_waits_is_edited_and_waits_on(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    response = _edit(operator, job_id, '{"title":"other"}', step="sure")
    assert "the next execution has it" in message_after(operator, response)  # type: ignore[arg-type]
    assert _event(job_id) == {"title": "other"}


def test_what_runs_or_is_over_keeps_its_event(operator: Client, jobs: Jobs) -> None:
    (running,) = jobs.enqueue(1)
    jobs.start()
    for job_id in (running, finished("done"), spooled("s-1")):
        assert "/edit/" not in text_of(operator.get(f"/jobs/{job_id}/"))
        assert "keeps its event" in message_after(operator, operator.get(f"/jobs/{job_id}/edit/"))
    assert operator.get("/jobs/nobody/edit/").status_code == 404


def test_credentials_are_revealed_to_admins_alone_and_on_the_record(
    sign_in: Callable[..., Client], operator: Client, sent: str
) -> None:
    assert "Reveal secrets" not in text_of(operator.get(f"/jobs/{sent}/"))
    assert operator.post(f"/jobs/{sent}/reveal/").status_code == 403
    assert not AuditEntry.objects.filter(action="reveal").exists()
    admin = sign_in("root", "admin")
    page = text_of(admin.get(f"/jobs/{sent}/"))
    assert "Reveal secrets" in page
    assert "s3cret" not in page
    revealed = admin.post(f"/jobs/{sent}/reveal/")
    assert "s3cret-1" in text_of(revealed)
    assert "no-store" in revealed["Cache-Control"]
    assert (outcome().action, outcome().actor, outcome().target) == ("reveal", "root", sent)
    assert admin.get(f"/jobs/{sent}/reveal/").status_code == 405
    assert admin.post("/jobs/nobody/reveal/").status_code == 404


def test_an_event_is_sent_again_as_a_job_of_its_own(operator: Client, sent: str, jobs: Jobs) -> None:
    response = operator.post(f"/jobs/{sent}/duplicate/")
    copy = response["Location"].split("/")[2]
    assert copy != sent
    assert "Sent once more" in message_after(operator, response)
    assert _event(copy) == EVENT
    found = queries.several([copy])[copy]
    assert (found["state"], found["queue"], found["event_id"]) == ("queued", "high", None)
    assert (outcome().action, outcome().target) == ("duplicate", sent)


def test_a_client_id_does_not_make_the_copy_a_duplicate(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1, event_id="mine", source="billing", tenant="acme")
    copy = operator.post(f"/jobs/{job_id}/duplicate/")["Location"].split("/")[2]
    found = queries.several([copy])[copy]
    assert (found["source"], found["tenant"], found["event_id"]) == ("billing", "acme", None)


def test_what_cannot_be_sent_again_is_said(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    (job_id,) = jobs.enqueue(1)
    empty_redis.hset(keys.job(job_id), "data", b"rubbish")
    assert "cannot be sent once more" in said(operator.post(f"/jobs/{job_id}/duplicate/", headers=HTMX))
    assert "Duplicate" not in text_of(operator.get(f"/jobs/{job_id}/"))


def test_a_job_is_moved_and_a_dead_letter_retried_in_another_queue(operator: Client, sent: str, jobs: Jobs) -> None:
    (waits,) = jobs.enqueue(1)
    assert "moved to the back of low" in message_after(operator, operator.post(f"/jobs/{waits}/move/", {"to": "low"}))
    response = operator.post(f"/jobs/{sent}/move/", {"to": "critical", "retry": "on"})
    assert "1 job put into critical." in message_after(operator, response)
    assert operator.post(f"/jobs/{sent}/move/", {"to": "x"}, headers=HTMX).status_code == 422


def test_the_raw_hash_is_shown_without_credentials(
    operator: Client, jobs: Jobs, sent: str, empty_redis: redis.Redis
) -> None:
    extra = {"callback": "https://u:s3cret-2@x/", "my_token": "s3cret-3", "meta": b"\xff\x00<b>"}
    empty_redis.hset(keys.job(sent), mapping=extra)  # type: ignore[arg-type]
    page = text_of(operator.get(f"/jobs/{sent}/raw/"))
    assert "s3cret" not in page
    assert "<b>" not in page.split("<tbody>")[1]
    for shown in ("origin", "failed", "bytes, shown on the job&#x27;s page", "&lt;b&gt;"):
        assert shown in page
    assert operator.get(f"/jobs/{finished('done')}/raw/").status_code == 404


def test_a_viewer_may_look_and_no_more(sign_in: Callable[..., Client], operator: Client, sent: str) -> None:
    viewer = sign_in("vera", "viewer")
    page = text_of(viewer.get(f"/jobs/{sent}/"))
    assert "Edit and retry" not in page
    assert page.count('type="submit"') == page.count("Sign out</button>")
    assert viewer.get(f"/jobs/{sent}/raw/").status_code == 200
    for verb in ("edit", "duplicate", "move", "reveal"):
        assert viewer.post(f"/jobs/{sent}/{verb}/").status_code == 403


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</textarea><b>"])
def test_what_others_wrote_runs_nowhere(evil: str, operator: Client, jobs: Jobs) -> None:
    event = {"title": evil, evil: evil, "source": evil}
    job_id = operator.post("/api/v1/events", json.dumps(event), content_type="application/json").json()["id"]  # type: ignore[attr-defined]
    pages = [operator.get(f"/jobs/{job_id}/{part}") for part in ("", "edit/", "raw/")]
    text = pages[1].context["text"].replace("source", "source2")
    pages += [_edit(operator, job_id, text, step="compare"), _edit(operator, job_id, evil, step="compare")]  # type: ignore[list-item]
    for page in map(text_of, pages):
        assert evil not in page
