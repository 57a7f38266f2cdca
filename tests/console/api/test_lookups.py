"""Jobs looked up by their senders' ids; ids that are gone; looking at a million."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from ingest.accept import derived_id
from ingest.models import Event
from ingest.queue import keys
from ingest.reading import ages
from tests.console.api.conftest import problem_of
from tests.console.conftest import Jobs

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

JOBS = "/api/v1/jobs"
LOOKUP = "/api/v1/jobs/lookup"


def ids(client: Client, *wanted: str) -> Any:
    answer = client.get(JOBS, {"ids": ",".join(wanted)})
    assert answer.status_code == 200, answer.content
    return answer.json()


def finished(job_id: str, **more: Any) -> Event:
    now = timezone.now()
    values = {"kind": "alert", "priority": "high", "body": "{}", "processed_at": now} | more
    return Event.objects.create(id=job_id, received_at=now, **values)


# --- by the sender's id ------------------------------------------------------------------------------


def test_a_job_by_the_id_of_its_sender(local: Client, jobs: Jobs) -> None:
    [queued] = _enqueue(jobs, derived_id("alert", "", "prometheus", "evt-1"))
    found = local.get(LOOKUP, {"source": "prometheus", "id": "evt-1"}).json()
    assert (found["id"], found["state"], found["position"]) == (queued, "queued", 1)
    assert found == local.get(LOOKUP, {"kind": "alert", "source": "prometheus", "id": "evt-1"}).json()
    finished(derived_id("alert", "acme", "", "evt-2"), tenant="acme")
    assert local.get(LOOKUP, {"id": "evt-2", "tenant": "acme"}).json()["state"] == "finished"


def test_a_message_by_where_it_was_said(local: Client, jobs: Jobs) -> None:
    [said] = _enqueue(jobs, derived_id("message", "acme", "telegram", "bot7", "chat9", "m1"), tenant="acme")
    place = {"source_type": "telegram", "source_id": "bot7", "chat_id": "chat9", "tenant": "acme"}
    assert local.get(LOOKUP, {"kind": "message", "id": "m1", **place}).json()["id"] == said
    problem_of(local.get(LOOKUP, {"kind": "message", "id": "m1", **place, "chat_id": "c"}), 404, "job_not_found")
    [plain] = _enqueue(jobs, derived_id("message", "", "sms", "", "", "m1"))
    assert local.get(LOOKUP, {"kind": "message", "id": "m1", "source": "sms"}).json()["id"] == plain


def test_unknown_ids_of_senders_are_404(local: Client, jobs: Jobs) -> None:
    _enqueue(jobs, derived_id("alert", "", "prometheus", "evt-1"))
    for asked in ({"id": "evt-1"}, {"id": "evt-1", "source": "prometheus", "tenant": "t"}, {"id": "a\x00b"}):
        problem_of(local.get(LOOKUP, asked), 404, "job_not_found")


def test_a_lookup_says_what_is_missing(local: Client, empty_redis: redis.Redis) -> None:
    assert problem_of(local.get(LOOKUP), 422, "invalid_field")["field"] == "id"
    assert problem_of(local.get(LOOKUP, {"id": "x", "kind": "nonsense"}), 422, "invalid_field")["field"] == "kind"
    assert problem_of(local.get(LOOKUP, {"id": "x", "kind": "callback"}), 422, "invalid_field")["field"] == "kind"


def test_a_tenants_key_finds_its_own_alone(
    with_key: Callable[..., Client], jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.api import keys as api_keys

    own, other = (derived_id("alert", tenant, "s", "1") for tenant in ("acme", "globex"))
    _enqueue(jobs, own, tenant="acme")
    _enqueue(jobs, other, tenant="globex")
    reader = with_key("read")
    sender = api_keys.Sender("acme's", frozenset({"read"}), 1, tenant="acme")
    monkeypatch.setattr(api_keys, "authenticate", lambda *args, **kwargs: sender)
    assert reader.get(LOOKUP, {"source": "s", "id": "1"}).json()["id"] == own
    assert reader.get(LOOKUP, {"source": "s", "id": "1", "tenant": "globex"}).json()["id"] == own
    answer = ids(reader, other, own)
    assert ([job["id"] for job in answer["items"]], answer["missing"]) == ([own], [other])


def test_looking_needs_the_scope_read(with_key: Callable[..., Client], empty_redis: redis.Redis) -> None:
    sender = with_key("ingest")
    for path in (f"{JOBS}?ids=x", f"{LOOKUP}?id=x", "/api/v1/batches/x"):
        problem_of(sender.get(path), 403, "forbidden_scope")
        problem_of(Client(headers={"host": "example.com"}).get(path), 400, "disallowed_host")
        problem_of(Client(headers={"host": "localhost", "via": "x"}).get(path), 401, "unauthenticated")


def _enqueue(jobs: Jobs, *wanted: str, tenant: str = "") -> list[str]:
    from msgspec.structs import replace

    made = [replace(jobs._job("high", (), {"tenant": tenant}), id=job_id) for job_id in wanted]
    assert all(result.accepted for result in jobs.transitions.enqueue(made))
    return list(wanted)


# --- gone --------------------------------------------------------------------------------------------


def test_a_time_ordered_id_older_than_retention_is_410(local: Client, empty_redis: redis.Redis) -> None:
    old, new = (_uuid7(timezone.now() - age) for age in (ages.RETENTION + timedelta(hours=1), timedelta(days=29)))
    problem_of(local.get(f"{JOBS}/{old}"), 410, "job_gone")
    problem_of(local.get(f"{JOBS}/{new}"), 404, "job_not_found")
    finished(old)
    assert local.get(f"{JOBS}/{old}").json()["state"] == "finished"


@pytest.mark.parametrize(
    "other", ["x", "0" * 32, "ffffffffffff7fffbfffffffffffffff", "01940000-0000-7000-8000-000000000000", "1" * 32]
)
def test_what_tells_no_time_is_unknown(local: Client, empty_redis: redis.Redis, other: str) -> None:
    problem_of(local.get(f"{JOBS}/{other}"), 404, "job_not_found")


def _uuid7(at: datetime) -> str:
    return f"{int(at.timestamp() * 1000):012x}7abc8{'d' * 15}"


# --- at a million ------------------------------------------------------------------------------------


def test_looking_is_bounded_at_a_million_queued(local: Client, jobs: Jobs, empty_redis: redis.Redis) -> None:
    """The position is exact near both ends, and nobody looks further than 10,000 ids."""
    (first,) = jobs.enqueue()
    fill = "for i = 1, 5000 do redis.call('RPUSH', KEYS[1], ARGV[1] .. i) end"
    for number in range(100):
        empty_redis.eval(fill, 1, keys.queue("high"), f"a{number}-")
    (middle,) = jobs.enqueue()
    for number in range(100):
        empty_redis.eval(fill, 1, keys.queue("high"), f"b{number}-")
    (last,) = jobs.enqueue()
    (urgent,) = jobs.enqueue(queue="critical")
    _leaves(empty_redis, "high", 500.0)
    before = empty_redis.info("commandstats")

    wanted = [first, middle, last, urgent]
    found = [local.get(f"{JOBS}/{job_id}").json() for job_id in wanted]

    searched = empty_redis.info("commandstats")
    assert searched["cmdstat_lpos"]["calls"] - before.get("cmdstat_lpos", {"calls": 0})["calls"] == 2 * len(wanted)
    assert [(job["position"], job["ahead"]) for job in found] == [
        (1, 1),
        (">10000", None),
        (">10000", 1_000_003),
        (1, 0),
    ]
    assert found[2]["ahead_by_queue"] == {"critical": 1, "high": 1_000_002}
    assert found[2]["eta_seconds"] == pytest.approx(2000, rel=0.01)
    assert found[2]["eta_basis"] == "500.0 jobs/s left critical, high over the last 10 s"
    assert (found[1]["eta_seconds"], found[1]["eta_basis"]) == (None, None)
    assert [job["ahead"] for job in ids(local, *wanted)["items"]] == [1, None, 1_000_003, 0]


def _leaves(client: redis.Redis, queue: str, rate: float) -> None:
    """A published snapshot that says so."""
    import dataclasses

    from queueadmin.console.figures import metrics

    snapshot = metrics.snapshot()
    queues = tuple(dataclasses.replace(q, out_rate=rate if q.name == queue else 0.0) for q in snapshot.queues)
    client.set(keys.SNAPSHOT, dataclasses.replace(snapshot, queues=queues).as_json())
