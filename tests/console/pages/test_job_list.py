"""/jobs/ and /queues/<name>/: tabs, chips, pages, and the buttons over the list."""

import math
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from django.test import Client
from django.urls import reverse

from ingest.queue.connections import connection
from ingest.reading import lists
from queueadmin.console import queries
from queueadmin.console.figures import counts
from queueadmin.console.job_lists import budget
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs, outcome, worker
from tests.console.job_lists.conftest import everywhere, finished
from tests.console.pages.conftest import HTMX, message_after, said, text_of

pytestmark = pytest.mark.django_db


def _ids(response: object) -> list[str]:
    return [row.job["id"] for row in response.context["rows"]]  # type: ignore[attr-defined]


def test_the_list_has_jobs_of_every_state_and_store(operator: Client, jobs: Jobs) -> None:
    places = everywhere(jobs)
    page = operator.get("/jobs/")
    assert sorted(_ids(page)) == sorted(job_id for ids in places.values() for job_id in ids)
    text = text_of(page)
    for said_there in (
        "Problem 1",
        "kept",
        "done",
        "ValueError: no such device",
        "runs for",
        f"{len(_ids(page))} shown",
    ):
        assert said_there in text


def test_a_tab_is_a_filter_in_the_address_and_a_chip_takes_it_away(operator: Client, jobs: Jobs) -> None:
    places = everywhere(jobs)
    page = operator.get("/jobs/", {"filter": "state:canceled source:test"})
    assert _ids(page) == places["canceled"]
    assert page.context["chips"] == [
        ("state:canceled", "/jobs/?filter=source%3Atest"),
        ("source:test", "/jobs/?filter=state%3Acanceled"),
    ]
    tabs = {tab.word: to for tab, to in page.context["tabs"]}
    assert tabs["All"] == "/jobs/?filter=source%3Atest"
    assert tabs["Trash"] == "/jobs/?filter=state%3Atrash+source%3Atest"


def test_a_term_that_is_added_leads_to_an_address_with_it(operator: Client, jobs: Jobs) -> None:
    response = operator.get("/jobs/", {"filter": "state:queued", "more": "  source:test ", "limit": "200"})
    assert parse_qs(urlsplit(response["Location"]).query) == {"filter": ["state:queued source:test"], "limit": ["200"]}


def test_a_wrong_term_stays_in_the_box_with_what_is_wrong_and_the_chips_stay(operator: Client) -> None:
    response = operator.get("/jobs/", {"filter": "state:queued", "more": "stat:failed"})
    assert response.status_code == 422
    page = text_of(response)
    assert "there is no key stat" in page
    assert 'value="stat:failed"' in page
    assert 'aria-label="Remove state:queued"' in page


@pytest.mark.parametrize("query", ["filter=state:none", 'filter="open', "filter=%00", "filter=" + "a" * 3000])
def test_an_address_with_a_wrong_filter_says_what_is_wrong(query: str, operator: Client) -> None:
    response = operator.get(f"/jobs/?{query}")
    assert response.status_code == 422
    assert 'id="filter-said"' in text_of(response)


@pytest.mark.parametrize("cursor", ["rubbish", "\0", "a" * 9000])
def test_a_cursor_of_another_list_is_a_page_that_says_so(cursor: str, operator: Client) -> None:
    assert operator.get("/jobs/", {"cursor": cursor}).status_code == 404


def test_an_id_in_the_filter_box_leads_to_the_job(operator: Client, jobs: Jobs) -> None:
    (job_id,) = jobs.enqueue(1)
    assert operator.get("/jobs/", {"more": job_id})["Location"] == reverse("console:job", args=[job_id])


def test_pages_follow_one_another_by_key_and_show_each_job_once(operator: Client, jobs: Jobs) -> None:
    ids = jobs.enqueue(60) + jobs.fail(3, queue="low")[::-1]
    first = operator.get("/jobs/")
    assert len(_ids(first)) == 50
    rest = operator.get(first.context["next"])
    assert _ids(first) + _ids(rest) == ids
    assert rest.context["next"] == ""
    assert len(_ids(operator.get("/jobs/?limit=200"))) == 63
    assert len(_ids(operator.get("/jobs/?limit=9999"))) == 50


def test_a_queue_that_is_longer_than_is_listed_is_said(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.enqueue(4)
    assert "one is longer" not in text_of(operator.get("/jobs/"))
    monkeypatch.setattr(lists, "DEPTH", 3)
    assert "one is longer" in text_of(operator.get("/jobs/?filter=state:queued"))


def test_a_page_that_ended_early_says_how_much_it_looked_at_and_looks_further(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 7: looked at 6,000 of 300,000."""
    monkeypatch.setattr(budget, "LOOKED_AT", 20)
    jobs.enqueue(45)
    (last,) = jobs.enqueue(source="last")
    first = operator.get("/jobs/", {"filter": "state:queued source:last"})
    assert "None of the 20 jobs looked at so far match, of 46." in text_of(first)
    assert "Look further" in text_of(first)
    going = operator.get(first.context["next"] + "&look=on", headers=HTMX)
    assert (going["HX-Retarget"], going["HX-Reselect"]) == ("#looking", "#looking")
    assert "None of the 40 jobs looked at so far match, of 46." in text_of(going)
    found = operator.get(going.context["next"] + "&look=on", headers=HTMX)
    assert "HX-Retarget" not in found
    assert _ids(found) == [last]
    assert "looked at 46" in text_of(found)


def test_a_page_that_is_not_full_and_not_the_last_leads_further(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "SECONDS", 0)
    monkeypatch.setattr(budget, "LEAST", 20)
    jobs.enqueue(45)
    page = text_of(operator.get("/queues/high/"))
    assert "20 shown, looked at 20 of 45" in page
    assert "Look further" in page


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Send a test event"),
        ("state:started", "Nothing runs"),
        ("state:scheduled,retrying", "delay_seconds"),
        ("state:trash", "The trash is empty"),
        ("source:nobody", "see all jobs"),
    ],
)
def test_an_empty_list_teaches(text: str, sentence: str, operator: Client) -> None:
    assert sentence in text_of(operator.get("/jobs/", {"filter": text}))


def test_a_page_costs_the_same_with_few_and_with_many_jobs(
    operator: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands counted by Redis itself; a queue of any length is read a page at a time."""
    # Redis' own settings are asked for every ten seconds, whatever the page: on a busy machine in the middle of this.
    monkeypatch.setattr(counts, "SETTINGS_SECONDS", math.inf)

    def commands(path: str) -> int:
        stats = connection().info("commandstats")
        operator.get(path)
        after = connection().info("commandstats")
        return sum(each["calls"] - stats.get(name, {"calls": 0})["calls"] for name, each in after.items())

    jobs.enqueue(120)
    paths = ("/jobs/?filter=state:queued", "/queues/high/")
    for path in paths:
        operator.get(path)
    few = [commands(path) for path in paths]
    for _ in range(10):
        jobs.enqueue(100)
    assert [commands(path) for path in paths] == few


def test_rows_tell_in_their_places_what_became_of_them(operator: Client, jobs: Jobs) -> None:
    waits, dead = jobs.enqueue(1)[0], jobs.fail(1, queue="low")[0]
    asked = operator.get("/jobs/").context["asked"]
    jobs.transitions.cancel("high", [waits])
    jobs.transitions.discard("low", [dead])
    jobs.transitions.purge("low", [dead])
    page = text_of(operator.get(asked, headers=HTMX))
    assert 'id="row-1-state" data-verbs="" hx-swap-oob="true"' in page
    assert page.index("canceled") < page.index('id="row-2-state"') < page.index("gone")


def test_odd_rows_are_refused_or_gone(operator: Client) -> None:
    assert "gone" in text_of(operator.get("/job-rows/", {"ids": "\0,x,,"}))
    assert operator.get("/job-rows/", {"ids": "x," * 501}).status_code == 404


def test_chosen_jobs_are_moved_canceled_run_and_discarded_with_a_reason(operator: Client, jobs: Jobs) -> None:
    one, two, three = jobs.enqueue(3)
    answered = operator.post("/chosen-jobs/move/", {"ids": [one, two], "to": "low", "reason": "no hurry"}, headers=HTMX)
    assert said(answered) == "2 jobs moved to the back of low."
    assert (outcome().action, outcome().count, outcome().reason) == ("move", 2, "no hurry")
    assert said(operator.post("/chosen-jobs/cancel/", {"ids": [one]}, headers=HTMX)) == "1 job canceled."
    response = operator.post("/chosen-jobs/discard/", {"ids": [two, three], "next": "/jobs/?filter=state:queued"})
    assert response["Location"] == "/jobs/?filter=state:queued"
    assert "2 jobs moved to the trash" in message_after(operator, response)
    restored = operator.post("/chosen-jobs/restore/", {"ids": [two, three]}, headers=HTMX)
    assert said(restored) == "2 jobs restored."
    (later,) = jobs.enqueue(1, retries=(600,))
    jobs.transitions.fail("high", jobs.start(), "w", [jobs.failure(job_id, retry=True) for job_id in jobs.claimed])
    assert said(operator.post("/chosen-jobs/run-now/", {"ids": [later]}, headers=HTMX)) == "1 job put into the queue."
    (dead,) = jobs.fail(1, queue="critical")
    assert "put back into the queue" in said(operator.post("/chosen-jobs/retry/", {"ids": [dead]}, headers=HTMX))


def test_what_had_moved_already_is_said(operator: Client, jobs: Jobs) -> None:
    one, two = jobs.enqueue(2)
    jobs.transitions.cancel("high", [one])
    answered = operator.post("/chosen-jobs/cancel/", {"ids": [one, two]}, headers=HTMX)
    assert said(answered) == "1 job canceled; 1 job had moved already (canceled)."


@pytest.mark.parametrize("verb", ["cancel", "discard"])
def test_over_a_hundred_need_a_reason_to_be_destroyed(verb: str, operator: Client, jobs: Jobs) -> None:
    ids = jobs.enqueue(101)
    refused = operator.post(f"/chosen-jobs/{verb}/", {"ids": ids, "reason": " "}, headers=HTMX)
    assert refused.status_code == 422
    assert "over 100 need a reason" in said(refused)
    assert queries.several(ids[:1])[ids[0]]["state"] == "queued"
    assert operator.post(f"/chosen-jobs/{verb}/", {"ids": ids, "reason": "a test"}, headers=HTMX).status_code == 200
    assert (outcome().count, outcome().reason) == (101, "a test")


@pytest.mark.parametrize("sent", [{}, {"ids": ["x"], "to": "nowhere"}, {"ids": ["x"]}, {"ids": ["a b"], "to": "low"}])
def test_a_wrong_selection_is_refused_in_words(sent: dict[str, object], operator: Client) -> None:
    response = operator.post("/chosen-jobs/move/", sent, headers=HTMX)
    assert response.status_code == 422
    assert said(response)


def test_stored_results_are_cleaned_and_the_events_stay(operator: Client, jobs: Jobs) -> None:
    finished("in-a-row")
    ids = jobs.enqueue(2, result_ttl=500)
    jobs.transitions.complete("high", jobs.start(), "w", ids, results={job_id: 1 for job_id in ids})
    assert "Clean 2 stored results" in text_of(operator.get("/jobs/?filter=state:finished"))
    assert "Delete what 2 finished jobs returned?" in text_of(operator.get("/finished-jobs/clean/"))
    answered = operator.post("/finished-jobs/clean/", headers=HTMX)
    assert said(answered) == "The stored results of 2 jobs deleted; their events stay."
    assert (outcome().action, outcome().count) == ("clean_finished", 2)
    assert "Clean" not in text_of(operator.get("/jobs/?filter=state:finished"))
    assert _ids(operator.get("/jobs/?filter=state:finished")) == ["in-a-row"]


def test_so_many_stored_results_are_not_cleaned_without_a_reason(operator: Client, jobs: Jobs) -> None:
    """Issue 7.4: asked for by the server, and in the audit log."""
    ids = jobs.enqueue(101, result_ttl=500)
    done: list[str] = []
    while len(done) < len(ids):
        claim = jobs.start()
        jobs.transitions.complete("high", claim, "w", jobs.claimed, results=dict.fromkeys(jobs.claimed, 1))
        done += jobs.claimed
    assert "needed for more than 100 jobs" in text_of(operator.get("/finished-jobs/clean/"))
    refused = operator.post("/finished-jobs/clean/", {"reason": " "}, headers=HTMX)
    assert refused.status_code == 422
    assert said(refused) == "101 jobs would be left without what they returned; over 100 need a reason."
    assert not AuditEntry.objects.exists()
    operator.post("/finished-jobs/clean/", {"reason": "memory is short"}, headers=HTMX)
    assert (outcome().count, outcome().reason) == (101, "memory is short")


def test_a_viewer_sees_the_list_and_no_button(sign_in: Callable[..., Client], jobs: Jobs) -> None:
    jobs.enqueue(1)
    for path in ("/jobs/", "/queues/high/"):
        page = text_of(sign_in(f"vera{len(path)}", "viewer").get(path))
        assert "Problem 1" in page
        assert "what you may do" in page
        assert "/chosen-jobs/" not in page
        assert 'type="checkbox"' not in page


def test_a_queues_page_has_its_numbers_and_its_jobs(operator: Client, jobs: Jobs) -> None:
    jobs.enqueue(2, queue="low")
    jobs.enqueue(1, queue="high")
    page = operator.get("/queues/low/")
    assert len(_ids(page)) == 2
    text = text_of(page)
    assert '<b data-f="depth">2</b>' in text
    assert "no worker listens" in text
    assert "/queues/low/empty/" in text
    assert operator.get("/queues/low/", {"more": "state:queued"})["Location"] == "/queues/low/?filter=state%3Aqueued"
    assert operator.get("/queues/nowhere/").status_code == 404


def test_a_queues_page_names_the_workers_that_listen(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    assert "manage.py rqworker low" in text_of(operator.get("/queues/low/"))
    worker(empty_redis, "alpha", queues="high,low", held="")
    worker(empty_redis, "beta", queues="high", held="")
    worker(empty_redis, "gone", queues="low", held="", silent=10_000)
    page = text_of(operator.get("/queues/low/")).split("Listening:")[1].split("All workers")[0]
    assert "alpha" in page
    assert "beta" not in page
    assert "gone" not in page


@pytest.mark.usefixtures("no_redis")
def test_without_redis_the_pages_say_so(sign_in: Callable[..., Client]) -> None:
    operator = sign_in("ada", "operator")
    for path in ("/jobs/", "/queues/low/"):
        response = operator.get(path)
        assert response.status_code == 503
        assert "Redis does not answer" in text_of(response)


def test_what_others_wrote_runs_nowhere(operator: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    for evil in ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "javascript:alert(1)"):
        finished(f"e-{len(evil)}", source=evil, tenant=evil, body='{"title":"' + evil.replace('"', '\\"') + '"}')
        for query in ({"filter": evil}, {"more": evil}, {"filter": f'source:"{evil.replace(chr(34), "")}"'}):
            page = text_of(operator.get("/jobs/", query, follow=True))
            assert "<script>alert" not in page
            assert "<img src=x" not in page
    page = text_of(operator.get("/jobs/"))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
