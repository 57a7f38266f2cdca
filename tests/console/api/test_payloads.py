"""GET, PUT and reveal of what a job carries, and sending it again."""

import json
from collections.abc import Callable

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from ingest.accept import Unavailable
from ingest.reading import payloads
from queueadmin.console import operations, queries
from tests.console.api.conftest import BACKEND, problem_of
from tests.console.conftest import Jobs, outcome
from tests.console.job_lists.conftest import finished

pytestmark = pytest.mark.django_db

EVENT = b'{"title":"Disk full","token":"s3cret-1","value":18446744073709551615,"f":1.10}'


@pytest.fixture
def dead(local: Client, jobs: Jobs, empty_redis: redis.Redis) -> str:
    job_id: str = local.post("/api/v1/events", EVENT, content_type="application/json").json()["id"]
    claim = jobs.start(queue="medium")
    jobs.transitions.fail("medium", claim, "w", [jobs.failure(job_id)])
    return job_id


def _put(client: Client, job_id: str, body: bytes | str) -> object:
    return client.put(f"/api/v1/jobs/{job_id}/payload", body, content_type="application/json")


def test_the_payload_is_shown_without_credentials_and_exact(local: Client, dead: str) -> None:
    response = local.get(f"/api/v1/jobs/{dead}/payload")
    assert response.json() == {
        "id": dead,
        "payload": json.loads(EVENT) | {"token": "•••"},
        "masked": 1,
        "size": len(EVENT),
    }
    assert b"18446744073709551615" in response.content


def test_of_a_finished_job_the_row_has_it_and_one_that_cannot_be_read_is_null(local: Client, jobs: Jobs) -> None:
    assert local.get(f"/api/v1/jobs/{finished('done')}/payload").json()["payload"] == {"title": "done"}
    odd = finished("odd", body="{")
    assert local.get(f"/api/v1/jobs/{odd}/payload").json()["payload"] is None


def test_numbers_that_json_cannot_say_are_texts(local: Client, admin: Client, jobs: Jobs) -> None:
    huge = finished("huge", body='{"n":1e999}')
    for answer in (local.get(f"/api/v1/jobs/{huge}/payload"), admin.post(f"/api/v1/jobs/{huge}/payload/reveal")):
        assert answer.json()["payload"] == {"n": "1e999"}


def test_x6_a_put_replaces_it_keeps_what_is_masked_and_retries(admin: Client, dead: str) -> None:
    shown = admin.get(f"/api/v1/jobs/{dead}/payload").json()["payload"]
    body = json.dumps({"payload": shown | {"title": "Disk replaced"}, "reason": "wrong title"})
    response = _put(admin, dead, body)
    assert response.status_code == 202  # type: ignore[attr-defined]
    assert response.json()["state"] == "queued"  # type: ignore[attr-defined]
    kept = payloads.carried(dead).body or b""
    assert json.loads(kept) == json.loads(EVENT) | {"title": "Disk replaced"}
    assert b"18446744073709551615" in kept
    assert outcome().reason == "wrong title"


def test_without_retry_it_stays_a_dead_letter(admin: Client, dead: str) -> None:
    response = _put(admin, dead, '{"payload":{"title":"x","n":1.500},"retry":false}')
    assert (response.status_code, response.json()["state"]) == (200, "failed")  # type: ignore[attr-defined]
    assert payloads.carried(dead).body == b'{"title":"x","n":1.500}'


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "invalid_json"),
        ("[]", 422, "invalid_body"),
        ("{}", 422, "invalid_body"),
        ('{"payload":{},"retry":"yes"}', 422, "invalid_body"),
        ('{"payload":[]}', 422, "invalid_payload"),
        ('{"payload":"text"}', 422, "invalid_payload"),
        ('{"payload":{"a":1,"a":2}}', 422, "invalid_payload"),
        ('{"payload":{"other":"•••"}}', 422, "invalid_payload"),
        ('{"payload":{"title":5}}', 422, "invalid_payload"),
        ('{"payload":{"title":"\\u0000"}}', 422, "invalid_payload"),
        ('{"payload":{},"reason":"' + "x" * 501 + '"}', 422, "invalid_field"),
    ],
)
def test_a_wrong_put_is_refused_and_changes_nothing(
    body: str, status: int, code: str, admin: Client, dead: str
) -> None:
    problem_of(_put(admin, dead, body.encode()), status, code)  # type: ignore[arg-type]
    assert payloads.carried(dead).body == EVENT


def test_what_runs_or_is_over_keeps_its_event(admin: Client, jobs: Jobs) -> None:
    (running,) = jobs.enqueue(1)
    jobs.start()
    for job_id, state in ((running, "started"), (finished("done"), "finished")):
        problem = problem_of(_put(admin, job_id, '{"payload":{"a":1}}'), 409, "already_moved")  # type: ignore[arg-type]
        assert problem["state"] == state


def test_reveal_is_for_admins_and_on_the_record(
    admin: Client, dead: str, make_user: Callable[..., User], with_key: Callable[..., Client]
) -> None:
    path = f"/api/v1/jobs/{dead}/payload/reveal"
    response = admin.post(path, {"reason": "a look"}, content_type="application/json")
    assert response.json()["payload"] == json.loads(EVENT)
    assert (outcome().action, outcome().target, outcome().reason) == ("reveal", dead, "a look")
    before = outcome().pk
    problem_of(with_key("read").post(path), 403, "forbidden_scope")
    session = Client()
    session.force_login(make_user("olga", "operator"), BACKEND)
    problem_of(session.post(path), 403, "forbidden_permission")
    assert outcome().pk == before
    session.force_login(make_user("root", "admin"), BACKEND)
    assert session.post(path).status_code == 200


def test_a_copy_is_a_job_of_its_own(admin: Client, dead: str) -> None:
    copy = admin.post(f"/api/v1/jobs/{dead}/duplicate").json()
    assert copy["id"] != dead
    assert (copy["state"], copy["queue"]) == ("queued", "medium")
    assert payloads.carried(copy["id"]).body == EVENT


def test_a_copy_that_cannot_be_made_is_a_problem(
    admin: Client, dead: str, monkeypatch: pytest.MonkeyPatch, jobs: Jobs, settings: Settings
) -> None:
    odd = finished("odd", body='{"title":5}')
    problem_of(admin.post(f"/api/v1/jobs/{odd}/duplicate"), 409, "not_repeatable")

    settings.QUEUE_LIMITS = settings.QUEUE_LIMITS | {"medium": 1}
    jobs.enqueue(1, queue="medium")
    problem = problem_of(admin.post(f"/api/v1/jobs/{dead}/duplicate"), 503, "no_durable_store")
    assert problem["detail"] == "The queue medium is full."

    def away(*_: object, **__: object) -> None:
        raise Unavailable("nothing can be stored")

    monkeypatch.setattr(operations, "duplicate", away)
    problem_of(admin.post(f"/api/v1/jobs/{dead}/duplicate"), 503, "no_durable_store")
    assert queries.job(dead) is not None


@pytest.mark.parametrize("message_id", [None, "m1"])
def test_a_message_is_sent_again_however_its_copies_are_told(
    with_key: Callable[..., Client], empty_redis: redis.Redis, message_id: str | None
) -> None:
    admin = with_key("ingest,read,admin")
    said = {"user_id": "u", "message": "Hello", "message_id": message_id, "ordering_key": "chat"}
    ids = [admin.post("/api/messages", said, content_type="application/json").json()["id"]]
    for _ in range(2):
        copy = admin.post(f"/api/v1/jobs/{ids[0]}/duplicate")
        assert copy.status_code == 200, copy.content
        ids.append(copy.json()["id"])
    assert len(set(ids)) == 3
    assert [admin.get(f"/api/v1/jobs/{each}").json()["waits_for"] for each in ids] == [None, ids[0], ids[0]]
