"""Sockets of the console, with Channels' communicator, a real session and a real Valkey."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channels.auth import AuthMiddlewareStack
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.live import feed, publisher
from queueadmin.console.live.consumers import NOT_LOGGED_IN
from queueadmin.console.live.routing import router

SAMPLE = Snapshot.from_json((Path(__file__).parents[1] / "samples" / "snapshot.json").read_bytes())
HOST = (b"host", b"localhost:8000")
ORIGIN = (b"origin", b"http://localhost:8000")


@pytest.fixture(autouse=True)
def _never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine publishes late; nobody reads for itself meanwhile unless a test wants it."""
    monkeypatch.setattr(feed, "SILENT_SECONDS", 600.0)


@pytest.fixture
def session(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("ada", "viewer"), "django.contrib.auth.backends.ModelBackend")
    return client


@asynccontextmanager
async def a_socket(
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


async def publish(snapshot: Snapshot = SAMPLE) -> None:
    await publisher.send(snapshot)


async def frame_of(socket: WebsocketCommunicator) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json_from(timeout=60)
    return frame


async def told(socket: WebsocketCommunicator, snapshot: Snapshot) -> dict[str, Any]:
    """The frame that this brings, published as often as it takes until the socket's process follows."""
    async with asyncio.timeout(60):
        while True:
            await publish(snapshot)
            await asyncio.sleep(0.05)
            while not socket.output_queue.empty():
                frame = await frame_of(socket)
                if frame.get("seq", snapshot.seq) == snapshot.seq:
                    return frame


async def closed_as_signed_out(socket: WebsocketCommunicator) -> None:
    """Publish until it is closed, as one that is signed out."""
    async with asyncio.timeout(60):
        while True:
            await publish()
            await asyncio.sleep(0.05)
            while not socket.output_queue.empty():
                message = await socket.receive_output(timeout=1)
                if message["type"] == "websocket.close":
                    assert message["code"] == NOT_LOGGED_IN
                    return


async def job_frame(socket: WebsocketCommunicator, job_id: str, state: str | None = None) -> dict[str, Any]:
    """The next frame about this job, in this state."""
    async with asyncio.timeout(60):
        while True:
            frame = await frame_of(socket)
            if frame["type"] == "job" and frame["id"] == job_id and (not state or frame["job"]["state"] == state):
                return frame
