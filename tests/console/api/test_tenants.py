"""S2: every endpoint, by every method, for every kind of caller; and a key of one tenant meets nobody else's jobs.

The table below is checked against the URLs, so that no endpoint is left out: a new one needs a row.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import redis
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver

from ingest import schedules as rules
from ingest.accept import Incoming, accept, breaker
from ingest.api import keyring, keys
from ingest.api.schema import read_event
from ingest.api.sender import Sender
from queueadmin.console.models import AuditEntry
from tests.console.conftest import Jobs, report, track

pytestmark = pytest.mark.django_db

Needs = Literal["nothing", "read", "admin"]
#: What an endpoint is about: no jobs, every tenant's, one job (or alert), the jobs, a list without others' (alerts,
#: devices), groups of one's own dead letters, or what is to be found among one's own.
About = Literal["nothing", "everyone", "job", "jobs", "alerts", "groups", "file", "own"]

#: Route → method → what its caller needs, and what it is about.
ENDPOINTS: dict[str, dict[str, tuple[Needs, About]]] = {
    "health": {"get": ("nothing", "nothing")},
    "healthz": {"get": ("nothing", "nothing")},
    "readyz": {"get": ("nothing", "nothing")},
    "api/schema/": {"get": ("nothing", "nothing")},
    "metrics": {"get": ("read", "everyone")},
    "queue/status": {"get": ("read", "everyone")},
    "api/admin/queue/health": {"get": ("read", "everyone")},
    "api/admin/queue/recover-stalled": {"post": ("admin", "everyone")},
    "api/v1/queues": {"get": ("read", "everyone")},
    "api/v1/queues/pause": {"post": ("admin", "everyone")},
    "api/v1/queues/resume": {"post": ("admin", "everyone")},
    "api/v1/queues/<str:name>/pause": {"post": ("admin", "everyone")},
    "api/v1/queues/<str:name>/resume": {"post": ("admin", "everyone")},
    "api/v1/queues/<str:name>/empty": {"post": ("admin", "everyone")},
    "api/v1/history": {"get": ("read", "everyone")},
    "api/v1/latencies": {"get": ("read", "everyone")},
    "api/v1/marks": {"post": ("admin", "everyone")},
    "api/v1/statistics": {"get": ("read", "everyone")},
    "api/v1/jobs": {"get": ("read", "jobs")},
    "api/v1/jobs/lookup": {"get": ("read", "job")},
    "api/v1/dlq/groups": {"get": ("read", "groups")},
    "api/v1/dlq/views": {"get": ("read", "everyone"), "post": ("read", "everyone")},
    "api/v1/dlq/views/<str:view>": {"get": ("read", "worker"), "delete": ("read", "worker")},
    "api/v1/dlq/policies": {"get": ("read", "everyone"), "post": ("admin", "everyone")},
    "api/v1/dlq/policies/<str:policy>": {"get": ("read", "worker"), "delete": ("admin", "worker")},
    "api/v1/dlq/export": {"get": ("read", "file")},
    **{f"api/v1/dlq/{verb}": {"post": ("admin", "own")} for verb in ("retry", "discard", "restore")},
    "api/v1/replays/<str:replay>": {"get": ("read", "own")},
    **{
        f"api/v1/replays/<str:replay>/{verb}": {"post": ("admin", "own")}
        for verb in ("pause", "resume", "tune", "cancel")
    },
    "api/v1/audit": {"get": ("admin", "everyone")},
    "api/v1/audit/<str:operation>/undo": {"post": ("admin", "worker")},
    "api/v1/dlq/purge": {"post": ("admin", "everyone")},
    "api/v1/workers": {"get": ("read", "everyone")},
    **{
        f"api/v1/workers/<path:worker>/{verb}": {"post": ("admin", "worker")}
        for verb in ("drain", "resume", "restart", "kill")
    },
    "api/v1/alerts": {"get": ("read", "alerts")},
    "api/v1/alerts/<str:alert_id>": {"get": ("read", "job")},
    "api/v1/alerts/<str:alert_id>/acknowledge": {"post": ("admin", "job")},
    "api/v1/alerts/<str:alert_id>/resolve": {"post": ("admin", "job")},
    "api/v1/schedules": {"get": ("read", "everyone"), "post": ("admin", "everyone")},
    "api/v1/schedules/<str:schedule>": {
        "get": ("read", "everyone"),
        "put": ("admin", "everyone"),
        "delete": ("admin", "everyone"),
    },
    **{
        f"api/v1/schedules/<str:schedule>/{verb}": {"post": ("admin", "everyone")}
        for verb in ("pause", "resume", "run-now")
    },
    "api/v1/devices": {"get": ("read", "alerts")},
    "api/v1/batches/<str:batch_id>": {"get": ("read", "job")},
    "api/v1/jobs/<job:job_id>": {"get": ("read", "job")},
    **{
        f"api/v1/jobs/<job:job_id>/{verb}": {"post": ("admin", "job")}
        for verb in (
            "retry",
            "run-now",
            "cancel",
            "discard",
            "restore",
            "move",
            "duplicate",
            "payload/reveal",
            "mark-permanent",
            "unmark-permanent",
        )
    },
    "api/v1/jobs/<job:job_id>/payload": {"get": ("read", "job"), "put": ("admin", "job")},
}
#: What is asked for, where the path does not say it.
QUERIES = {"api/v1/jobs": "?ids={job}", "api/v1/jobs/lookup": "?source=s3cret-source&id={job}"}
#: What is sent, where an endpoint does nothing without it.
BODIES: dict[str, Any] = {
    **{f"api/v1/dlq/{verb}": {"filter": ""} for verb in ("retry", "discard", "restore")},
    "api/v1/dlq/views": {"name": "mine"},
    "api/v1/dlq/policies": {"keep_days": 30, "reason": "disk"},
    "api/v1/dlq/purge": {"queue": "low", "confirm": "low", "reason": "spam"},
    "api/v1/marks": {"text": "deploy 4f2c91e"},
    "api/v1/jobs/<job:job_id>/move": {"queue": "low"},
    "api/v1/workers/<path:worker>/kill": {"reason": "it hangs"},
    "api/v1/schedules": {"name": "made", "kind": "alert", "body": {}, "interval_seconds": 60},
}
METHODS = ("get", "post", "put", "patch", "delete")
CELLS = [(route, method) for route in ENDPOINTS for method in METHODS]

Send = Callable[..., HttpResponse]


def routes() -> Iterator[str]:
    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "app_name", None) == "console-api":
            for entry in resolver.url_patterns:  # type: ignore[union-attr]
                assert isinstance(entry, URLPattern)
                yield str(entry.pattern)


def test_the_table_has_every_endpoint() -> None:
    assert set(routes()) == set(ENDPOINTS)


@pytest.fixture
def send(empty_redis: redis.Redis) -> Send:
    """One request, from afar, with a key of these scopes and this tenant, or without one."""
    made: dict[tuple[str, str], str] = {}
    keys.forget()

    def secret(scopes: str, tenant: str) -> str:
        if (scopes, tenant) not in made:
            made[scopes, tenant] = keyring.create(f"{scopes} {tenant}", scopes=scopes.split(","), tenant=tenant).secret
        return made[scopes, tenant]

    def send(
        route: str, method: str, *, scopes: str = "", tenant: str = "", job: str = "x", query: str | None = None
    ) -> HttpResponse:
        path = "/" + route.replace("<str:name>", "high").replace("<job:job_id>", job)
        path = path.replace("<str:alert_id>", job).replace("<str:batch_id>", job)
        path += QUERIES.get(route, "").replace("{job}", job) if query is None else query
        headers = {"host": "localhost", **({"x-api-key": secret(scopes, tenant)} if scopes else {})}
        path = path.replace("<str:schedule>", "hourly").replace("<path:worker>", "x").replace("<str:replay>", "1")
        path = path.replace("<str:operation>", "0" * 32)
        if "/schedules" in path:
            rules.delete("hourly")
            rules.delete("made")
        if "hourly" in path:
            rules.create("hourly", kind="alert", body="{}", cron="0 * * * *")
        client = Client(headers=headers, REMOTE_ADDR="192.0.2.7")
        return getattr(client, method)(path, BODIES.get(route, {}), content_type="application/json")  # type: ignore[no-any-return]

    return send


@pytest.mark.parametrize(("route", "method"), CELLS)
def test_who_may_call(send: Send, route: str, method: str) -> None:
    """Every cell of endpoint, method and caller."""
    needs = ENDPOINTS[route].get(method)
    open_to_all = needs is not None and needs[0] == "nothing"
    for scopes in ("", "ingest", "read", "admin", "ingest,read,admin"):
        response = send(route, method, scopes=scopes)
        status = response.status_code
        kind = response["Content-Type"].partition(";")[0]
        assert kind in {
            "application/json",
            "application/problem+json",
            "text/plain"[: 10 * (route == "metrics")],
            "application/x-ndjson",
        }
        has = set(scopes.split(","))
        allowed = needs is not None and (
            open_to_all or (needs[0] == "read" and has & {"read", "admin"}) or (needs[0] == "admin" and "admin" in has)
        )
        if allowed:
            assert status in ({404} if needs and needs[1] in ("job", "worker", "own") else {200}), (
                scopes,
                response.content,
            )
        elif needs is None:
            assert status in {401, 403, 405}, (scopes, response.content)
        else:
            assert status == (403 if scopes else 401), (scopes, response.content)


@pytest.mark.parametrize(("route", "method"), CELLS)
def test_a_key_of_a_tenant_gets_nothing_of_the_others(
    send: Send, jobs: Jobs, empty_redis: redis.Redis, route: str, method: str
) -> None:
    """Another tenant's job is as unknown as one that never was; what is about all of them is closed."""
    waiting, free = jobs.enqueue(tenant="globex", source="s3cret-source") + jobs.enqueue(source="s3cret-source")
    dead = jobs.fail(tenant="globex", queue="low", source="s3cret-source")[0]
    for number, job in enumerate((waiting, free, dead)):
        report(job, tenant="globex" if number != 1 else "", source="s3cret-source")
    track("globex-1", tenant="globex")
    before = everything(empty_redis)
    for job in (waiting, free, dead):
        response = send(route, method, scopes="read,admin", tenant="acme", job=job)

        shown = "" if response.streaming else response.content.decode()
        assert "globex" not in shown
        assert "s3cret" not in shown.replace("source s3cret-source", "")  # where it says what was asked for
        needs = ENDPOINTS[route].get(method)
        if needs is None:
            assert response.status_code in {403, 404, 405}
        elif needs[1] in ("everyone", "worker"):
            assert (response.status_code, response.json()["code"]) == (403, "forbidden_tenant")  # type: ignore[attr-defined]
        elif needs[1] == "job":
            unknown = send(route, method, scopes="read,admin", tenant="acme", job="0" * 32)
            assert response.status_code == unknown.status_code == 404
            assert shown.replace(job, "?") == unknown.content.decode().replace("0" * 32, "?")
        elif needs[1] == "own":
            assert response.status_code == 404
        elif needs[1] == "file":
            assert (response.status_code, b"".join(response.streaming_content)) == (200, b"")  # type: ignore[attr-defined]
        elif needs[1] == "groups":
            assert response.json() == {"items": [], "groups": 0, "scanned": 0, "complete": True}  # type: ignore[attr-defined]
        elif needs[1] == "alerts":
            assert response.json() == {"items": [], "next": None}  # type: ignore[attr-defined]
        elif needs[1] == "jobs":
            assert response.json() == {"items": [], "missing": [job], "next": None}  # type: ignore[attr-defined]
            for text in ("", f"id:{job}", "source:s3cret-source", f"id:{job} source:s3cret-source tenant:globex"):
                page = send(route, method, scopes="read", tenant="acme", query=f"?filter={text}")
                shown = {"items": [], "next": None, "scanned": 0, "complete": True}
                assert page.json() == shown  # type: ignore[attr-defined]
        else:
            assert response.status_code == 200
            assert "queues" not in response.json()  # type: ignore[attr-defined]
    assert everything(empty_redis) == before
    assert not AuditEntry.objects.exists()


def test_its_own_jobs_it_reads_and_moves(send: Send, jobs: Jobs) -> None:
    (dead,) = jobs.fail(tenant="acme")

    def state(verb: str, method: str = "post") -> tuple[int, Any]:
        route = f"api/v1/jobs/<job:job_id>{verb}"
        response = send(route, method, scopes="read,admin", tenant="acme", job=dead)
        return response.status_code, response.json()["state"]  # type: ignore[attr-defined]

    assert state("", "get") == (200, "failed")
    assert state("/discard") == (200, "trash")
    assert state("/restore") == (200, "failed")
    assert state("/retry") == (202, "queued")
    assert state("/move") == (200, "queued")
    assert state("/cancel") == (200, "canceled")
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"key:read,admin acme"}


@pytest.fixture
def _breaker() -> Iterator[None]:
    """Closed before and after: Redis is away in between."""
    breaker.reset()
    yield
    breaker.reset()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_breaker", "no_redis")
def test_a_job_in_the_spool_is_its_tenant_s_too(send: Send) -> None:
    """While Redis is away an accepted event is found in the database."""
    ids = {}
    for tenant in ("acme", "globex"):
        event = read_event(b'{"id": "1", "title": "x"}', Sender("s", frozenset({"ingest"}), None, tenant=tenant))
        assert isinstance(event, Incoming)
        ids[tenant] = accept([event])[0].id

    route = "api/v1/jobs/<job:job_id>"
    own = send(route, "get", scopes="read", tenant="acme", job=ids["acme"])
    other = send(route, "get", scopes="read", tenant="acme", job=ids["globex"])

    assert (own.status_code, own.json()["state"], own.json()["tenant"]) == (200, "spooled", "acme")  # type: ignore[attr-defined]
    assert (other.status_code, other.json()["code"]) == (404, "job_not_found")  # type: ignore[attr-defined]


def everything(client: redis.Redis) -> dict[bytes, Any]:
    """All that Redis holds, but what time alone changes."""
    return {key: client.dump(key) for key in client.keys("*")}
