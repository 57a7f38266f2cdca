"""The two faces of taking in, behind one function, so that every test of the contract runs on both."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.test import Client

from ingest import accept
from ingest.api import batches, buckets, idempotency, key_use, keys, mappings, pressure, resolving, tally
from ingest.api.fastlane import FastLane
from ingest.queue.connections import close_async_connections
from tests.waiting import wait_until

EVENTS = "/api/v1/events"
ALERT = "/api/alerts/event"
NDJSON = "application/x-ndjson"


def ndjson(*lines: bytes) -> bytes:
    return b"\n".join(lines)


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Post = Callable[..., Response]


@pytest.fixture(autouse=True)
def _nothing_remembered(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, rate, pressure, open breaker or job of an earlier test; and this machine's disk does not matter."""
    monkeypatch.setattr(pressure, "_disk_free", lambda: (50.0, 100.0))
    keys.forget()
    buckets.forget()
    pressure.watch.forget()
    batches.forget()
    idempotency.forget()
    mappings.forget()
    resolving.forget()
    tally.forget()
    accept.breaker.reset()
    yield
    # Now, not before the next test: what is on its way would arrive in the Redis that was emptied for that one.
    tally.forget()
    mappings.forget()
    accept.breaker.reset()


def through_django(path: str, body: bytes, headers: dict[str, str], peer: str) -> Response:
    headers = dict(headers)
    content_type = headers.pop("content-type", "")
    answer = Client(raise_request_exception=False).generic(
        "POST", path, body, content_type=content_type, headers=headers, REMOTE_ADDR=peer
    )
    return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


def through_fast_lane(path: str, body: bytes, headers: dict[str, str], peer: str) -> Response:
    return asyncio.run(_through_fast_lane(path, body, headers, peer))


async def _through_fast_lane(path: str, body: bytes, headers: dict[str, str], peer: str) -> Response:
    headers = {"content-length": str(len(body)), **headers}
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": [peer, 50000],
        "server": ["127.0.0.1", 8000],
    }
    lane = ApplicationCommunicator(FastLane(ASGIHandler()), scope)
    for start in range(0, len(body) or 1, 8192):
        part = body[start : start + 8192]
        await lane.send_input({"type": "http.request", "body": part, "more_body": start + 8192 < len(body)})
    started = await lane.receive_output(timeout=60)
    ended = await lane.receive_output(timeout=60)
    await lane.wait(60)
    key_use.settle()
    await close_async_connections()
    shown = {name.decode().lower(): value.decode() for name, value in started["headers"]}
    return Response(started["status"], shown, ended["body"])


@pytest.fixture(params=[through_fast_lane, through_django], ids=["fast_lane", "django"])
def post(request: pytest.FixtureRequest, transactional_db: None) -> Post:
    """POST to one of the two faces: from this machine, in JSON, unless said otherwise."""
    face = request.param

    def send(
        path: str,
        body: object,
        *,
        headers: dict[str, str] | None = None,
        peer: str = "127.0.0.1",
        content_type: str = "application/json",
    ) -> Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return face(path, raw, {"host": "localhost:8000", "content-type": content_type, **(headers or {})}, peer)

    return send


@pytest.fixture
def make_key(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A key as `manage.py api_key create` makes it."""

    def make(name: str = "edge", scopes: str = "ingest", *options: str) -> str:
        call_command("api_key", "create", name, f"--scopes={scopes}", *options)
        return capsys.readouterr().out.splitlines()[-1]

    return make


def warmed(post: Post) -> set[str]:
    """The ids of events that were sent until Redis took one: a connection is open. A busy machine needs several."""
    ids: set[str] = set()

    def is_taken() -> bool:
        answer = post(EVENTS, {"title": "warm"}).json
        ids.add(answer["id"])
        return bool(answer["durability"] == "redis")

    wait_until(is_taken, what="an open connection")
    return ids


def stored_ids(connection: redis.Redis) -> set[str]:
    """The ids of every job that waits, in any queue or scheduled."""
    found: set[bytes] = set()
    for name in settings.PRIORITIES:
        found.update(connection.lrange(f"rq:queue:{name}", 0, -1))
        found.update(connection.zrange(f"rq:scheduled:{name}", 0, -1))
    return {job_id.decode() for job_id in found}
