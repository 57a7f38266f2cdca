"""The fast lane itself: on the wire under Daphne, and where only ASGI's messages can show it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler

from ingest.api import fastlane, limits
from ingest.api.fastlane import FastLane
from ingest.queue.connections import close_async_connections
from ingest.queue.transitions import AsyncTransitions
from tests.conftest import Valkey, wait_until
from tests.ingest.api.conftest import EVENTS, stored_ids
from tests.migrated import give_database

REPOSITORY = Path(__file__).parents[3]


#: Without it a Redis that a busy machine keeps waiting for half a second is away, and the spool takes what comes.
PATIENT = "from ingest.queue import connections; connections.ACCEPTANCE_TIMEOUT = 60.0"


class Daphne:
    """The web process alone, as `make run` starts it; `before` is code for it to run first.

    It waits for Redis as long as it takes, unless it is `impatient`, as the product is.
    """

    def __init__(self, folder: Path, before: str = "", *, impatient: bool = False, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "web.log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "queueadmin.settings",
            "QUEUEADMIN_HOME": str(folder),
            **settings,
        }
        self.environment.pop("DATABASE_URL", None)
        (folder / "static").mkdir()
        give_database(folder)
        lines = (
            "" if impatient else PATIENT,
            before,
            "from queueadmin.web import CommandLine",
            "CommandLine.entrypoint()",
        )
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "\n".join(lines),
                    "-p",
                    str(self.port),
                    "-v",
                    "0",
                    "queueadmin.asgi:application",
                ],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, what="Daphne's first answer")

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", arguments[0], "--skip-checks", *arguments[1:]]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/healthz", timeout=60).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module", params=["1", "0"], ids=["fast_lane", "lane_off"])
def daphne(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daphne]:
    server = Daphne(tmp_path_factory.mktemp("web"), INGEST_FAST_LANE=request.param)
    yield server
    server.stop()


def test_many_senders_at_once(daphne: Daphne, empty_redis: redis.Redis) -> None:
    def send(number: int) -> tuple[int, Any]:
        with requests.Session() as session:
            answers = [
                session.post(f"{daphne.url}{EVENTS}", json={"id": f"{number}-{step}"}, timeout=60) for step in range(5)
            ]
        return {answer.status_code for answer in answers} == {202}, {answer.json()["id"] for answer in answers}

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(send, range(16)))

    assert all(fine for fine, _ in results)
    assert stored_ids(empty_redis) == set().union(*(ids for _, ids in results))
    assert empty_redis.llen("rq:queue:medium") == 80


def test_the_wire(daphne: Daphne, empty_redis: redis.Redis) -> None:
    at = f"{daphne.url}{EVENTS}"
    json_type = {"Content-Type": "application/json"}
    chunked = requests.post(at, data=iter([b'[{"title":"a"}', b',{"title":"b"}]']), headers=json_type, timeout=60)
    too_large = requests.post(at, data=b"[" + b" " * limits.WIRE_BYTES + b"]", headers=json_type, timeout=60)
    large = requests.post(at, data=b"[{}" + b" " * (limits.WIRE_BYTES - 4) + b"]", headers=json_type, timeout=60)
    page = requests.post(at, json={}, headers={"Origin": daphne.url}, timeout=60)
    other_host = requests.post(at, json={}, headers={"Host": "evil.example.org"}, timeout=60)
    got = requests.get(at, timeout=60)

    assert (chunked.status_code, chunked.json()["accepted"]) == (202, 2)
    assert (too_large.status_code, too_large.json()["limit"]) == (413, "wire_bytes")
    assert large.status_code == 202
    assert (page.status_code, other_host.status_code, got.status_code) == (401, 400, 405)
    assert {answer.headers["content-type"] for answer in (too_large, page, other_host, got)} == {
        "application/problem+json"
    }
    assert empty_redis.llen("rq:queue:medium") == 3


def test_a_key_works_and_its_secret_is_in_no_log(daphne: Daphne, empty_redis: redis.Redis) -> None:
    key = daphne.manage("api_key", "create", "edge").splitlines()[-1]
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "192.0.2.7"}

    assert requests.post(f"{daphne.url}{EVENTS}", json={}, headers=headers, timeout=60).status_code == 202
    assert requests.post(f"{daphne.url}{EVENTS}?key={key}", json={}, headers=headers, timeout=60).status_code == 202
    daphne.manage("api_key", "revoke", "edge")
    wait_until(
        lambda: requests.post(f"{daphne.url}{EVENTS}", json={}, headers=headers, timeout=60).status_code == 401,
        what="the refusal of the revoked key",
    )
    log = daphne.log.read_text()
    assert "POST /api/v1/events 202 1 events by edge in" in log
    assert key not in log


def test_a_sender_that_hangs_up_harms_nobody(daphne: Daphne, empty_redis: redis.Redis) -> None:
    head = f"POST {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    for sent in (head[:20], head, head + '{"title":'):
        with socket.create_connection(("127.0.0.1", daphne.port)) as sender:
            sender.sendall(sent.encode())

    assert requests.post(f"{daphne.url}{EVENTS}", json={}, timeout=60).status_code == 202
    assert len(stored_ids(empty_redis)) == 1


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc/net/tcp")
def test_what_is_in_flight_is_answered_before_the_end(tmp_path: Path, own_valkey: Valkey) -> None:
    """SIGTERM: what is being stored is answered; here Redis hangs, so the spool stores it."""
    server = Daphne(tmp_path, impatient=True, REDIS_URL=own_valkey.url)
    try:
        assert requests.post(f"{server.url}{EVENTS}", json={}, timeout=60).status_code == 202
        os.kill(own_valkey.process.pid, signal.SIGSTOP)
        with socket.create_connection(("127.0.0.1", server.port)) as sender:
            head = f"POST {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2"
            sender.sendall(f"{head}\r\n\r\n{{}}".encode())
            wait_until(lambda: has_read(sender), what="Daphne reading the request")
            server.process.terminate()
            sender.settimeout(60)
            answer = sender.recv(65536).decode()
        assert answer.startswith("HTTP/1.1 202 ")
        assert '"status":"spooled"' in answer
        assert server.process.wait(timeout=60) is not None
    finally:
        os.kill(own_valkey.process.pid, signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            server.process.kill()
        server.process.wait()


def has_read(sender: socket.socket) -> bool:
    """Whether the other side has taken everything out of its receive buffer: nothing of ours waits there."""
    local, remote = sender.getsockname()[1], sender.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(end.rpartition(":")[2], 16) for end in fields[1:3]]
        if ports == [remote, local]:
            return int(fields[4].rpartition(":")[2], 16) == 0
    return False


# --- ASGI's messages -------------------------------------------------------------------------


def scope(**more: Any) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    return {
        "type": "http",
        "method": "POST",
        "path": EVENTS,
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "client": ["127.0.0.1", 50000],
        "server": ["127.0.0.1", 8000],
    } | more


def run(test: Any) -> None:
    async def running() -> None:
        try:
            await test()
        finally:
            await close_async_connections()

    asyncio.run(running())


async def status(lane: ApplicationCommunicator) -> int:
    started = await lane.receive_output(timeout=60)
    await lane.receive_output(timeout=60)
    await lane.wait(60)
    return int(started["status"])


def test_a_body_beyond_the_limit_is_not_read_to_its_end() -> None:
    async def test() -> None:
        lane = ApplicationCommunicator(FastLane(ASGIHandler()), scope())
        for _ in range(6):
            await lane.send_input({"type": "http.request", "body": b" " * 1024 * 1024, "more_body": True})
        assert await status(lane) == 413

    run(test)


def test_a_slow_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)

    async def test() -> None:
        app = FastLane(ASGIHandler())
        lane = ApplicationCommunicator(app, scope())
        await lane.send_input({"type": "http.request", "body": b"{", "more_body": True})
        assert await status(lane) == 408
        assert app._in_flight.held == 0

    run(test)


def test_a_client_that_hangs_up_gets_no_answer() -> None:
    async def test() -> None:
        app = FastLane(ASGIHandler())
        lane = ApplicationCommunicator(app, scope())
        await lane.send_input({"type": "http.request", "body": b"{", "more_body": True})
        await lane.send_input({"type": "http.disconnect"})
        await lane.wait(60)
        assert await lane.receive_nothing()
        assert app._in_flight.held == 0

    run(test)


def test_too_much_in_flight_is_503() -> None:
    async def test() -> None:
        app = FastLane(ASGIHandler())
        app._in_flight = limits.InFlight(limit=1)
        lane = ApplicationCommunicator(app, scope())
        await lane.send_input({"type": "http.request", "body": b"{}"})
        assert await status(lane) == 503
        assert app._in_flight.held == 0

    run(test)


def test_a_fault_of_ours_is_a_problem(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr(fastlane.intake, "read_body", fail)

    async def test() -> None:
        lane = ApplicationCommunicator(FastLane(ASGIHandler()), scope())
        await lane.send_input({"type": "http.request", "body": b"{}"})
        started = await lane.receive_output(timeout=60)
        ended = await lane.receive_output(timeout=60)
        await lane.wait(60)
        assert started["status"] == 500
        assert b"secret" not in ended["body"]

    run(test)
    assert "SELECT secret" in caplog.text  # in the log, for us


def test_a_canceled_request_is_stored_and_answered(empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    sending = asyncio.Event()
    real = AsyncTransitions.enqueue

    async def slow(self: Any, jobs: Any, **more: Any) -> Any:
        sending.set()
        await asyncio.sleep(0)
        return await real(self, jobs, **more)

    monkeypatch.setattr(AsyncTransitions, "enqueue", slow)

    async def test() -> None:
        sent = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        task = asyncio.create_task(FastLane(ASGIHandler())(scope(), receive, send))
        await sending.wait()
        task.cancel()
        await task
        assert sent[0]["status"] == 202

    run(test)
    assert len(stored_ids(empty_redis)) == 1


@pytest.mark.parametrize(
    ("scheme", "headers", "redirected"),
    [("http", [], True), ("https", [], False), ("http", [(b"x-forwarded-proto", b"https")], False)],
)
def test_where_https_is_demanded_plain_http_is_left_to_django(
    settings: Any, scheme: str, headers: list[tuple[bytes, bytes]], redirected: bool
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if headers else None
    reached = []

    async def django(*_: Any) -> None:
        reached.append("django")

    async def test() -> None:
        given = scope(scheme=scheme, headers=scope()["headers"] + headers)
        lane = ApplicationCommunicator(FastLane(django), given)
        await lane.send_input({"type": "http.request", "body": b"nonsense"})
        if not redirected:
            started = await lane.receive_output(timeout=60)
            assert (b"Strict-Transport-Security", b"max-age=60; includeSubDomains") not in started["headers"]
            assert (b"Strict-Transport-Security", b"max-age=60") in started["headers"]
            await lane.receive_output(timeout=60)
        await lane.wait(60)

    run(test)
    assert bool(reached) is redirected
