"""A socket ends with the session that it was opened in, and with what its user may (issue 7)."""

import asyncio
import json
from collections.abc import Callable

import pytest
import redis
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.test import Client

from queueadmin.console.access import sessions
from queueadmin.console.live import consumers
from queueadmin.console.live.consumers import NOT_ALLOWED, NOT_LOGGED_IN
from tests.console.live.conftest import (
    SAMPLE,
    a_socket,
    closed_as_signed_out,
    frame_of,
    job_frame,
    told,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


@pytest.mark.parametrize("end", ["sign out", "bar", "new password", "remove", "end elsewhere"])
async def test_the_end_of_a_session_ends_its_sockets(session: Client, empty_redis: redis.Redis, end: str) -> None:
    """At the next frame, not when the session is looked at anyway."""
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        assert (await frame_of(socket))["type"] == "history"
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
        await closed_as_signed_out(socket)


async def test_another_session_s_end_is_none_of_its_business(
    session: Client, make_user: Callable[..., User], empty_redis: redis.Redis
) -> None:
    other = Client()
    user = await sync_to_async(make_user)("bob", "viewer")
    await sync_to_async(other.force_login)(user, "django.contrib.auth.backends.ModelBackend")
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)
        await sync_to_async(other.logout)()
        assert (await told(socket, SAMPLE))["type"] == "snapshot"


async def test_a_session_that_ends_elsewhere_is_looked_at_again(
    session: Client, empty_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.0)
    await User.objects.filter(username="ada").aupdate(is_active=False)  # no signal tells of it
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        closed = await socket.receive_output(timeout=60)
        assert closed.get("code") == NOT_LOGGED_IN


async def test_what_a_page_asks_for_needs_a_session_that_still_is(session: Client, empty_redis: redis.Redis) -> None:
    """Permission per message, issue 7, point 6."""
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await frame_of(socket)
        await User.objects.filter(username="ada").aupdate(is_active=False)  # no signal tells of it
        await socket.send_json_to({"follow": "nobody"})
        await closed_as_signed_out(socket)


async def test_whoever_may_not_look_is_told_so_and_not_sent_to_the_login(
    session: Client, empty_redis: redis.Redis
) -> None:
    """Issue 7.4. Signing in again would not help, and the page does not try again either."""
    await _leave_for("newcomers")
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        assert (await socket.receive_output(timeout=60))["code"] == NOT_ALLOWED


async def test_each_message_asks_what_its_sender_may_by_now(session: Client, empty_redis: redis.Redis) -> None:
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await socket.send_json_to({"follow": "nobody"})
        assert (await job_frame(socket, "nobody"))["job"] is None
        await _leave_for("newcomers")
        await socket.send_json_to({"door": True})
        async with asyncio.timeout(60):
            while (message := await socket.receive_output(timeout=60))["type"] != "websocket.close":
                assert json.loads(message["text"])["type"] != "door"
        assert message["code"] == NOT_ALLOWED


@sync_to_async
def _leave_for(group: str) -> None:
    User.objects.get(username="ada").groups.set([Group.objects.get_or_create(name=group)[0]])
