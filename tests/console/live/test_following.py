"""Following one job: what a process looks at, when, and what a socket gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import Client

from queueadmin.console.live import following
from queueadmin.console.live.consumers import NOT_LOGGED_IN
from queueadmin.console.live.following import Following
from queueadmin.console.live.lifecycle import Lifecycle
from tests.conftest import wait_until
from tests.console.conftest import Jobs
from tests.console.live.conftest import a_socket, job_frame

pytestmark = pytest.mark.asyncio


class Looked:
    """Instead of a look at Redis: counts, and answers with the number."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.changes = True

    def __call__(self, job_id: str) -> str:
        self.at.append(job_id)
        return f"{job_id} {len(self.at) if self.changes else ''}"

    async def often(self, number: int) -> None:
        await asyncio.to_thread(wait_until, lambda: len(self.at) >= number)


@pytest.fixture
def looked() -> Looked:
    return Looked()


@pytest.fixture
def jobs_of(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> Following:
    monkeypatch.setattr(following, "SHORTEST", 0.0)
    monkeypatch.setattr(following, "LOOK_SECONDS", 600.0)
    return Following(looked)


@asynccontextmanager
async def soon() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


def happened(*ids: str, dropped: int = 0) -> dict[str, Any]:
    return {"events": [{"event": "started", "queue": "high", "ids": list(ids)}], "dropped": dropped}


async def test_the_present_state_comes_first_and_then_each_change(jobs_of: Following, looked: Looked) -> None:
    async with soon(), jobs_of.followed("a") as follower:
        assert await follower.next() == "a 1"
        jobs_of.heard(happened("b", "a"))
        assert await follower.next() == "a 2"
        assert looked.at == ["a", "a"]  # never at b, which nobody follows


async def test_of_many_followers_one_look_is_for_all(jobs_of: Following, looked: Looked) -> None:
    async with soon(), jobs_of.followed("a") as one:
        first = await one.next()
        async with jobs_of.followed("a") as two:
            assert await two.next() == first
            jobs_of.heard(happened("a"))
            assert await one.next() == await two.next()
            assert len(looked.at) <= 3


async def test_what_was_dropped_is_looked_for(jobs_of: Following, looked: Looked) -> None:
    async with soon(), jobs_of.followed("a") as one, jobs_of.followed("b") as two:
        await one.next(), await two.next()
        for hint in (happened(dropped=1), None):
            before = len(looked.at)
            jobs_of.heard(hint)
            await one.next(), await two.next()
            assert sorted(looked.at[before:]) == ["a", "b"]


async def test_a_job_of_which_nothing_was_heard_is_looked_at_too(
    jobs_of: Following, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.01)
    async with soon(), jobs_of.followed("a") as follower:
        assert await follower.next() != await follower.next()


async def test_the_same_again_is_not_sent(jobs_of: Following, looked: Looked) -> None:
    looked.changes = False
    async with soon(), jobs_of.followed("a") as follower:
        await follower.next()
        jobs_of.heard(happened("a"))
        await looked.often(2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(follower.next(), 0.05)


async def test_a_slow_socket_gets_the_newest_and_no_backlog(jobs_of: Following, looked: Looked) -> None:
    async with soon(), jobs_of.followed("a") as follower:
        for number in range(2, 6):
            await looked.often(number - 1)
            jobs_of.heard(happened("a"))
        await looked.often(5)
        # The look's thread has its answer; the loop takes it in.
        await asyncio.to_thread(wait_until, lambda: jobs_of._frames.get("a") == "a 5")
        assert await follower.next() == "a 5"


async def test_a_look_that_fails_ends_nothing(jobs_of: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [redis.ConnectionError("gone"), ValueError("a fault of ours"), "found"]

    def look(job_id: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    jobs_of._look = look
    async with soon(), jobs_of.followed("a") as follower:
        while answers:
            jobs_of.heard(happened("a"))
            await asyncio.sleep(0.01)
        assert await follower.next() == "found"


async def test_when_the_last_one_goes_nothing_is_left(jobs_of: Following, looked: Looked) -> None:
    async with soon():
        async with jobs_of.followed("a") as follower:
            await follower.next()
        assert (jobs_of._followers, jobs_of._frames, jobs_of._task) == ({}, {}, None)
        async with jobs_of.followed("a") as follower:
            assert await follower.next() == "a 2"


# --- through a socket -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_a_page_follows_one_job(session: Client, empty_redis: redis.Redis) -> None:
    """B7: through the whole way, from the script to the socket."""
    jobs = Jobs(empty_redis)
    [one], [other] = await sync_to_async(jobs.enqueue)(1), await sync_to_async(jobs.enqueue)(1)
    stop = asyncio.Event()
    forwarding = asyncio.create_task(Lifecycle(lambda: True).run(stop))
    try:
        async with a_socket(session) as socket:
            await socket.connect(timeout=60)
            await socket.send_json_to({"follow": one})
            assert (await job_frame(socket, one))["job"]["state"] == "queued"
            claim = await sync_to_async(jobs.start)()
            assert (await job_frame(socket, one, "started"))["job"]["attempts"] == 1
            await sync_to_async(jobs.transitions.progress)("high", claim, one, value=40, line="nearly")
            while (frame := await job_frame(socket, one))["job"]["progress"] is None:
                pass
            assert (frame["job"]["progress"], frame["log"]) == (40, ["nearly"])
            await sync_to_async(jobs.transitions.fail)("high", claim, "w", [jobs.failure(one)])
            assert (await job_frame(socket, one, "failed"))["job"]["error"]["type"] == "ValueError"
            await socket.send_json_to({"follow": other})
            assert (await job_frame(socket, other))["job"]["state"] == "started"
            await socket.send_json_to({"follow": None})
    finally:
        stop.set()
        await forwarding


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"follow":7}', '{"follow":"' + "x" * 256 + '"}', "[" * 100_000])
async def test_what_a_page_may_not_say_is_ignored(session: Client, empty_redis: redis.Redis, text: str) -> None:
    async with a_socket(session) as socket:
        await socket.connect(timeout=60)
        await socket.send_to(text_data=text)
        await socket.send_to(bytes_data=b"\xff")
        await socket.send_json_to({"follow": "nobody"})
        assert (await job_frame(socket, "nobody"))["job"] is None


@pytest.mark.django_db(transaction=True)
async def test_without_a_login_nothing_is_followed(empty_redis: redis.Redis) -> None:
    async with a_socket() as socket:
        await socket.connect(timeout=60)
        await socket.send_json_to({"follow": "nobody"})
        assert (await socket.receive_output(timeout=60))["code"] == NOT_LOGGED_IN
        assert await socket.receive_nothing(timeout=0.2)
