"""GET /api/v1/jobs: several by their ids, and pages by a filter (contract, section 4)."""

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from ingest.models import Event, SpooledEvent
from ingest.queue import keys
from ingest.queue.calls import NEAR
from ingest.spool import rows
from tests.console.api.conftest import problem_of
from tests.console.conftest import WORKER, Jobs

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

JOBS = "/api/v1/jobs"


def ids(client: Client, *wanted: str) -> Any:
    answer = client.get(JOBS, {"ids": ",".join(wanted)})
    assert answer.status_code == 200, answer.content
    return answer.json()


def finished(job_id: str, **more: Any) -> Event:
    now = timezone.now()
    values = {"kind": "alert", "priority": "high", "body": "{}", "processed_at": now} | more
    return Event.objects.create(id=job_id, received_at=now, **values)


# --- by their ids --------------------------------------------------------------------------------------


def test_several_as_each_is_shown_alone(local: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """In the order asked for, wherever they are."""
    (dead,) = jobs.fail()
    first, second, canceled, discarded = jobs.enqueue(4)
    (retrying,) = jobs.enqueue(queue="low", retries=(600,))
    jobs.transitions.fail("low", jobs.start(queue="low"), WORKER, [jobs.failure(retrying, retry=True)])
    (started,) = jobs.enqueue(queue="critical")
    jobs.start(queue="critical")
    jobs.transitions.cancel("high", [canceled])
    jobs.transitions.discard("high", [discarded])
    finished("done")
    wanted = [second, "done", dead, first, retrying, started, canceled, discarded]

    answer = ids(local, *wanted[:2], "nobody", *wanted[2:], first)

    assert [job["id"] for job in answer["items"]] == wanted
    assert (answer["missing"], answer["next"]) == (["nobody"], None)
    states = ["queued", "finished", "failed", "queued", "retrying", "started", "canceled", "trash"]
    assert [job["state"] for job in answer["items"]] == states
    for job in answer["items"]:
        assert job == local.get(f"{JOBS}/{job['id']}").json()


def test_positions_of_several_leave_out_what_is_gone(
    local: Client, jobs: Jobs, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From both ends of a long list, with ids of discarded jobs in it."""
    from ingest.reading import jobs as one
    from ingest.reading import several

    monkeypatch.setattr(one, "POSITION_CAP", 100)
    monkeypatch.setattr(several, "POSITION_CAP", 100)
    higher = jobs.enqueue(3, queue="critical")
    waiting = jobs.enqueue(NEAR + 200)
    jobs.transitions.discard("high", [*waiting[5:10], *waiting[500:510], *waiting[-10:-5]])
    assert empty_redis.scard(keys.tombstones("high")) == 20
    picked = [higher[1], waiting[0], waiting[20], waiting[104], waiting[600], waiting[-20], waiting[-1]]

    found = {job["id"]: job for job in ids(local, *picked)["items"]}

    shown = [(found[job_id]["position"], found[job_id]["ahead"]) for job_id in picked]
    assert shown == [(2, 1), (1, 3), (16, 18), (">100", None), (">100", None), (">100", 1168), (">100", 1182)]
    assert found[waiting[20]]["ahead_by_queue"] == {"critical": 3, "high": 15}
    for job_id in picked:
        assert local.get(f"{JOBS}/{job_id}").json() == found[job_id]


def test_what_is_spooled_is_shown_so(local: Client, empty_redis: redis.Redis) -> None:
    from tests.ingest.spool.conftest import job

    made = job("x", event_id="a")
    rows.insert([made])
    assert [each["state"] for each in ids(local, made.id, "x")["items"]] == ["spooled"]
    assert SpooledEvent.objects.count() == 1


def test_redis_away_is_503_unless_the_database_knows_all(local: Client, no_redis: None) -> None:
    from tests.ingest.spool.conftest import job

    made = job("x", event_id="a")
    rows.insert([made])
    assert [each["state"] for each in ids(local, made.id)["items"]] == ["spooled"]
    problem_of(local.get(JOBS, {"ids": f"{made.id},x"}), 503, "redis_unavailable")


@pytest.mark.parametrize("given", ["", " , ", ",".join(str(number) for number in range(501)), "x" * 65])
def test_ids_that_are_none_or_too_many_are_422(local: Client, empty_redis: redis.Redis, given: str) -> None:
    problem = problem_of(local.get(JOBS, {"ids": given}), 422, "invalid_field")
    assert problem["field"] == "ids"


def test_five_hundred_odd_ids_are_missing(local: Client, empty_redis: redis.Redis) -> None:
    odd = ["\x00", "a\x00b", "ü", "%00", "../..", "{}"]
    wanted = odd + [str(number) for number in range(500 - len(odd))]
    assert ids(local, *wanted) == {"items": [], "missing": wanted, "next": None}


# --- by a filter ---------------------------------------------------------------------------------------


def test_a_page_and_the_next(local: Client, jobs: Jobs) -> None:
    waiting = jobs.enqueue(60)
    dead = jobs.fail(queue="low")
    first = local.get(JOBS).json()
    assert set(first) == {"items", "next", "scanned", "complete"}
    assert ([job["id"] for job in first["items"]], first["complete"]) == (waiting[:50], True)
    second = local.get(JOBS, {"cursor": first["next"], "limit": "500"}).json()
    assert ([job["id"] for job in second["items"]], second["next"]) == (waiting[50:] + dead, None)
    chosen = local.get(JOBS, {"filter": "state:failed queue:low reason:error"}).json()
    assert chosen["items"] == [local.get(f"{JOBS}/{dead[0]}").json()]


def test_a_bad_filter_is_told_by_its_term(local: Client, empty_redis: redis.Redis) -> None:
    for text, term in {"state:bad kind:alert": "state:bad", "x nonsense:1": "nonsense:1", 'a "b': '"b'}.items():
        problem = problem_of(local.get(JOBS, {"filter": text}), 422, "invalid_filter")
        assert (problem["field"], problem["term"]) == ("filter", term)
        assert problem["detail"].startswith(f"{term}: ")
    problem = problem_of(local.get(JOBS, {"filter": "x" * 2001}), 422, "invalid_filter")
    assert (problem["term"], problem["detail"]) == ("", "A filter has at most 2,000 characters, not 2,001.")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("limit", value) for value in ("0", "501", "-1", "x", "", "1.5", "٣", "9" * 5000)),
        ("cursor", "x"),
        ("cursor", "\x00"),
    ],
)
def test_a_bad_limit_or_cursor_is_422(local: Client, empty_redis: redis.Redis, field: str, value: str) -> None:
    assert problem_of(local.get(JOBS, {field: value}), 422, "invalid_field")["field"] == field


def test_ids_stand_alone(local: Client, empty_redis: redis.Redis) -> None:
    for other in ("filter", "cursor", "limit"):
        assert problem_of(local.get(JOBS, {"ids": "a", other: "1"}), 422, "invalid_field")["field"] == "ids"


def test_a_key_of_a_tenant_pages_through_its_own(with_key: Callable[..., Client], jobs: Jobs) -> None:
    from ingest.models import ApiKey

    jobs.enqueue(3, tenant="globex")
    own = jobs.enqueue(3, tenant="acme")
    client = with_key("read")
    ApiKey.objects.update(tenant="acme")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(JOBS, {"limit": "1", "cursor": cursor}).json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
    assert seen == own


def test_a_page_changes_nothing(local: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    jobs.fail(3, queue="low")
    jobs.enqueue(3)
    before = {key: empty_redis.dump(key) for key in empty_redis.keys("*")}
    for text in ("", "source:test", "payload.title:x", "state:failed"):
        assert local.get(JOBS, {"filter": text, "limit": "2"}).status_code == 200
    assert {key: empty_redis.dump(key) for key in empty_redis.keys("*")} == before


def test_redis_away_is_503_unless_the_states_are_the_databases(local: Client, no_redis: None) -> None:
    finished("done")
    problem_of(local.get(JOBS), 503, "redis_unavailable")
    assert [job["id"] for job in local.get(JOBS, {"filter": "state:finished,spooled"}).json()["items"]] == ["done"]
