"""The socket, with Channels' communicator, a real session and a real Valkey."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from ingest.queue import connections
from queueadmin.console.access import sessions
from queueadmin.console.figures import history, metrics
from queueadmin.console.figures.snapshot import Snapshot, Workers
from queueadmin.console.live import consumers, door_feed, feed, publisher
from queueadmin.console.live.consumers import NOT_ALLOWED, NOT_LOGGED_IN, same_origin
from queueadmin.console.live.lifecycle import Lifecycle
from queueadmin.console.live.routing import router
from tests.conftest import Valkey, wait_until
from tests.console.conftest import Jobs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())
HOST = (b"host", b"localhost:8000")
ORIGIN = (b"origin", b"http://localhost:8000")


@pytest.fixture
def session(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("ada", "viewer"), "django.contrib.auth.backends.ModelBackend")
    return client


@asynccontextmanager
async def _socket(
    session: Client | None = None, *headers: tuple[bytes, bytes], query: str = ""
) -> AsyncIterator[WebsocketCommunicator]:
    given = list(headers) or [HOST, ORIGIN]
    if session is not None:
        cookie = session.cookies[settings.SESSION_COOKIE_NAME].value
        given.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    socket = WebsocketCommunicator(AuthMiddlewareStack(router), f"/ws/console/{query}", headers=given)
    try:
        yield socket
    finally:
        await socket.disconnect()
        layer = get_channel_layer()
        assert layer is not None
        await layer.flush()


async def _publish(snapshot: Snapshot = SAMPLE) -> None:
    await publisher.send(snapshot)


async def _frame(socket: WebsocketCommunicator) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json_from(timeout=10)
    return frame


async def _told(socket: WebsocketCommunicator, snapshot: Snapshot) -> dict[str, Any]:
    """The frame that this brings, published as often as it takes until the socket's process follows."""
    async with asyncio.timeout(20):
        while True:
            await _publish(snapshot)
            await asyncio.sleep(0.05)
            while not socket.output_queue.empty():
                frame = await _frame(socket)
                if frame.get("seq", snapshot.seq) == snapshot.seq:
                    return frame


async def test_history_first_then_snapshots_as_they_were_sent(session: Client, empty_redis: redis.Redis) -> None:
    await sync_to_async(history.Writer(empty_redis).write)(SAMPLE)
    async with _socket(session) as socket:
        assert (await socket.connect(timeout=10))[0]
        first = await _frame(socket)
        assert (first["type"], len(first["rows"])) == ("history", 1)
        second = await _told(socket, SAMPLE)
        assert second == json.loads(SAMPLE.as_json())


@pytest.mark.parametrize(
    ("query", "rows"), [("", 3), ("?after=x", 3), ("?after={0}", 2), ("?after={2}", 0), ("?rows=0", 0)]
)
async def test_a_page_gets_the_rows_of_the_history_that_it_lacks(
    session: Client, empty_redis: redis.Redis, query: str, rows: int
) -> None:
    moments = [round(time.time()) + n for n in range(3)]
    for at in moments:
        await sync_to_async(history.Writer(empty_redis).write)(replace(SAMPLE, at=at))
    async with _socket(session, query=query.format(*moments)) as socket:
        await socket.connect(timeout=10)
        assert [row[0] for row in (await _frame(socket))["rows"]] == moments[3 - rows :]


async def test_without_a_login_it_closes_with_4401(empty_redis: redis.Redis) -> None:
    async with _socket() as socket:
        assert (await socket.connect(timeout=10))[0]
        closed = await socket.receive_output(timeout=10)
        assert (closed["type"], closed["code"]) == ("websocket.close", NOT_LOGGED_IN)


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", b"http://localhost:9000", b""])
async def test_another_origin_is_refused(session: Client, empty_redis: redis.Redis, origin: bytes) -> None:
    headers = [HOST, (b"origin", origin)] if origin else [HOST]
    async with _socket(session, *headers) as socket:
        assert not (await socket.connect(timeout=10))[0]


@pytest.mark.parametrize("end", ["sign out", "bar", "new password", "remove", "end elsewhere"])
async def test_the_end_of_a_session_ends_its_sockets(session: Client, empty_redis: redis.Redis, end: str) -> None:
    """At the next frame, not when the session is looked at anyway."""
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        assert (await _frame(socket))["type"] == "history"
        ada = await User.objects.aget(username="ada")
        match end:
            case "sign out":
                await sync_to_async(session.logout)()
            case "bar":
                ada.is_active = False
                await ada.asave()
            case "new password":
                ada.set_password("another-one-42")
                await ada.asave()
            case "remove":
                await ada.adelete()
            case _:
                await sync_to_async(sessions.end)(ada, None)
        await _closed(socket)


async def test_another_session_s_end_is_none_of_its_business(
    session: Client, make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    other = Client()
    user = await sync_to_async(make_user)("bob", "viewer")
    await sync_to_async(other.force_login)(user, "django.contrib.auth.backends.ModelBackend")
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await _frame(socket)
        await sync_to_async(other.logout)()
        assert (await _told(socket, SAMPLE))["type"] == "snapshot"


async def test_a_session_that_ends_elsewhere_is_looked_at_again(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.0)
    await User.objects.filter(username="ada").aupdate(is_active=False)  # no signal tells of it
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        closed = await socket.receive_output(timeout=10)
        assert closed.get("code") == NOT_LOGGED_IN


async def test_a_database_that_hangs_holds_up_no_numbers(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the session waits for it; once it answers, its answer counts."""
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.0)
    monkeypatch.setattr(consumers, "LOOK_SECONDS", 0.01)
    back = asyncio.Event()

    async def hang(_: object) -> int:
        await back.wait()
        return NOT_LOGGED_IN

    monkeypatch.setattr(consumers.ConsoleConsumer, "_refused_by_now", hang)
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await _frame(socket)  # the history
        for seq in (5, 6, 7):
            assert (await _told(socket, replace(SAMPLE, seq=seq)))["seq"] == seq
        back.set()
        await _closed(socket)


async def _closed(socket: WebsocketCommunicator) -> None:
    """Publish until it is closed, as one that is signed out."""
    async with asyncio.timeout(20):
        while True:
            await _publish()
            await asyncio.sleep(0.05)
            while not socket.output_queue.empty():
                message = await socket.receive_output(timeout=1)
                if message["type"] == "websocket.close":
                    assert message["code"] == NOT_LOGGED_IN
                    return


async def test_with_no_publisher_the_process_reads_for_itself(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 0.2)
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await _frame(socket)
        frame = await _frame(socket)
        assert (frame["type"], frame["redis"]["status"]) == ("snapshot", "connected")


@pytest.mark.usefixtures("no_redis")
async def test_without_redis_it_opens_and_shows_the_last_known_numbers(
    session: Client, settings: Any, tmp_path: Path
) -> None:
    layer = dict(settings.CHANNEL_LAYERS["default"])
    layer["CONFIG"] = {**layer["CONFIG"], "hosts": [f"unix://{tmp_path}/nobody.sock"]}
    settings.CHANNEL_LAYERS = {"default": layer}
    metrics.remember(SAMPLE)
    async with _socket(session) as socket:
        assert (await socket.connect(timeout=10))[0]
        first, second = await _frame(socket), await _frame(socket)
    assert first == {"type": "history", "step": 1, "columns": history.columns(), "release": "", "rows": []}
    assert second["redis"]["status"] == "disconnected"
    assert second["verdict"]["status"] == "degraded"
    assert second["totals"] == json.loads(SAMPLE.as_json())["totals"]


async def test_it_goes_on_by_itself_when_redis_comes_back(
    session: Client, settings: Any, own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SILENT_SECONDS", 0.3)
    layer = dict(settings.CHANNEL_LAYERS["default"])
    layer["CONFIG"] = {**layer["CONFIG"], "hosts": [own_valkey.url]}
    settings.CHANNEL_LAYERS = {"default": layer}
    connections.close_connections()
    settings.REDIS_URL = own_valkey.url
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await _frame(socket)
        await _frame_with(socket, "connected")
        await asyncio.to_thread(own_valkey.kill)
        await _frame_with(socket, "disconnected")
        await asyncio.to_thread(own_valkey.start)
        await _frame_with(socket, "connected")
        # And it follows the publisher again, not only its own reading.
        async with asyncio.timeout(20):
            while (await _frame(socket)).get("seq") != SAMPLE.seq:
                await _publish()
    connections.close_connections()


async def _frame_with(socket: WebsocketCommunicator, status: str) -> None:
    async with asyncio.timeout(30):
        while (frame := await _frame(socket))["type"] != "snapshot" or frame["redis"]["status"] != status:
            pass


async def test_a_page_follows_one_job(session: Client, empty_redis: redis.Redis) -> None:
    """B7: through the whole way, from the script to the socket."""
    jobs = Jobs(empty_redis)
    [one], [other] = await sync_to_async(jobs.enqueue)(1), await sync_to_async(jobs.enqueue)(1)
    stop = asyncio.Event()
    forwarding = asyncio.create_task(Lifecycle(lambda: True).run(stop))
    try:
        async with _socket(session) as socket:
            await socket.connect(timeout=10)
            await socket.send_json_to({"follow": one})
            assert (await _job_frame(socket, one))["job"]["state"] == "queued"
            claim = await sync_to_async(jobs.start)()
            assert (await _job_frame(socket, one, "started"))["job"]["attempts"] == 1
            await sync_to_async(jobs.transitions.progress)("high", claim, one, value=40, line="nearly")
            while (frame := await _job_frame(socket, one))["job"]["progress"] is None:
                pass
            assert (frame["job"]["progress"], frame["log"]) == (40, ["nearly"])
            await sync_to_async(jobs.transitions.fail)("high", claim, "w", [jobs.failure(one)])
            assert (await _job_frame(socket, one, "failed"))["job"]["error"]["type"] == "ValueError"
            await socket.send_json_to({"follow": other})
            assert (await _job_frame(socket, other))["job"]["state"] == "started"
            await socket.send_json_to({"follow": None})
    finally:
        stop.set()
        await forwarding


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"follow":7}', '{"follow":"' + "x" * 256 + '"}', "[" * 100_000])
async def test_what_a_page_may_not_say_is_ignored(session: Client, empty_redis: redis.Redis, text: str) -> None:
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await socket.send_to(text_data=text)
        await socket.send_to(bytes_data=b"\xff")
        await socket.send_json_to({"follow": "nobody"})
        assert (await _job_frame(socket, "nobody"))["job"] is None


async def test_without_a_login_nothing_is_followed(empty_redis: redis.Redis) -> None:
    async with _socket() as socket:
        await socket.connect(timeout=10)
        await socket.send_json_to({"follow": "nobody"})
        assert (await socket.receive_output(timeout=10))["code"] == NOT_LOGGED_IN
        assert await socket.receive_nothing(timeout=0.2)


async def test_a_page_is_told_what_comes_in_until_it_wants_no_more(session: Client, empty_redis: redis.Redis) -> None:
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await socket.send_json_to({"door": True})
        async with asyncio.timeout(20):
            while (frame := await _frame(socket))["type"] != "door":
                pass
            assert frame["verdict"]["reason"] == "The door is open."
            while (await _frame(socket))["type"] != "door":
                pass
        await socket.send_json_to({"follow": None})
        left = door_feed.door_feed()
        await asyncio.to_thread(wait_until, lambda: not left._followers)


async def _job_frame(socket: WebsocketCommunicator, job_id: str, state: str | None = None) -> dict[str, Any]:
    """The next frame about this job, in this state."""
    async with asyncio.timeout(20):
        while True:
            frame = await _frame(socket)
            if frame["type"] == "job" and frame["id"] == job_id and (not state or frame["job"]["state"] == state):
                return frame


async def test_with_deltas_only_what_changed_is_sent_and_it_adds_up(session: Client, empty_redis: redis.Redis) -> None:
    async with _socket(session, query="?deltas=1") as socket:
        await socket.connect(timeout=10)
        await _frame(socket)
        whole = await _told(socket, SAMPLE)
        assert whole == json.loads(SAMPLE.as_json())
        later = replace(SAMPLE, seq=SAMPLE.seq + 1, at=SAMPLE.at + 1, workers=Workers(9, 7))
        delta = await _told(socket, later)
        assert delta == {
            "type": "delta",
            "seq": later.seq,
            "changed": {"seq": later.seq, "at": later.at, "workers": {"total": 9, "busy": 7}},
        }


async def test_a_socket_that_missed_rows_gets_them_before_the_next_whole_snapshot(
    session: Client, empty_redis: redis.Redis
) -> None:
    writer = history.Writer(empty_redis)
    first, missed, last = (replace(SAMPLE, seq=SAMPLE.seq + n, at=round(time.time()) + n) for n in range(3))
    async with _socket(session, query="?deltas=1") as socket:
        await socket.connect(timeout=10)
        assert (await _frame(socket))["rows"] == []
        for snapshot in (first, missed, last):
            await sync_to_async(writer.write)(snapshot)
        await _told(socket, first)
        rows = await _told(socket, last)
        assert [row[0] for row in rows["rows"]] == [missed.at, last.at]
        assert (await _frame(socket))["seq"] == last.seq


async def test_who_takes_nothing_is_dropped(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SLOW_SECONDS", 0.05)
    sent = consumers.ConsoleConsumer.send

    async def stuck(self: Any, text_data: str) -> None:
        await sent(self, text_data)
        await asyncio.Event().wait()

    monkeypatch.setattr(consumers.ConsoleConsumer, "send", stuck)
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        assert (await _frame(socket))["type"] == "history"
        closed = await socket.receive_output(timeout=10)
        assert (closed["type"], closed["code"]) == ("websocket.close", consumers.TOO_SLOW)


async def test_what_a_page_asks_for_needs_a_session_that_still_is(session: Client, empty_redis: redis.Redis) -> None:
    """Permission per message, issue 7, point 6."""
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await _frame(socket)
        await User.objects.filter(username="ada").aupdate(is_active=False)  # no signal tells of it
        await socket.send_json_to({"follow": "nobody"})
        await _closed(socket)


@pytest.mark.parametrize(
    ("host", "origin", "same"),
    [
        ("console.example", "https://console.example", True),
        ("console.example:443", "https://console.example", True),
        ("console.example", "http://console.example:80", True),
        ("Console.Example", "https://console.example", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("console.example", "https://console.example.evil", False),
        ("console.example", "file://", False),
        ("console.example", "https://", False),
        ("", "https://", False),
    ],
)
async def test_same_origin(host: str, origin: str, same: bool) -> None:
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    assert same_origin({"headers": headers}) is same


async def test_whoever_may_not_look_is_told_so_and_not_sent_to_the_login(
    session: Client, empty_redis: redis.Redis
) -> None:
    """Issue 7.4. Signing in again would not help, and the page does not try again either."""
    await _leave_for("newcomers")
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        assert (await socket.receive_output(timeout=10))["code"] == NOT_ALLOWED


async def test_each_message_asks_what_its_sender_may_by_now(session: Client, empty_redis: redis.Redis) -> None:
    async with _socket(session) as socket:
        await socket.connect(timeout=10)
        await socket.send_json_to({"follow": "nobody"})
        assert (await _job_frame(socket, "nobody"))["job"] is None
        await _leave_for("newcomers")
        await socket.send_json_to({"door": True})
        async with asyncio.timeout(20):
            while (message := await socket.receive_output(timeout=10))["type"] != "websocket.close":
                assert json.loads(message["text"])["type"] != "door"
        assert message["code"] == NOT_ALLOWED


@sync_to_async
def _leave_for(group: str) -> None:
    User.objects.get(username="ada").groups.set([Group.objects.get_or_create(name=group)[0]])
