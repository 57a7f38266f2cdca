"""Group commit: those that come while a call is in flight go together next."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from ingest import accept
from ingest.accept import GroupCommit, Receipt
from ingest.queue.connections import async_acceptance_connection, close_async_connections
from ingest.queue.transitions import AsyncTransitions, EnqueueResult, NewJob
from tests.ingest.test_accept import event


def new_job(number: int, size: int = 10) -> NewJob:
    return NewJob(id=f"{number:032x}", queue="high", data=b"x" * size, kind="alert")


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    accept.breaker.reset()
    yield
    accept.breaker.reset()


class Gated(AsyncTransitions):
    """The real thing, but each call waits for the test first."""

    def __init__(self) -> None:
        super().__init__(async_acceptance_connection())
        self.calls: list[int] = []
        self.gate = asyncio.Semaphore(0)
        self.called = asyncio.Semaphore(0)

    async def enqueue(self, jobs: Sequence[NewJob], **more: Any) -> list[EnqueueResult]:
        self.calls.append(len(jobs))
        self.called.release()
        await self.gate.acquire()
        return await super().enqueue(jobs, **more)

    def open(self) -> None:
        for _ in range(1000):
            self.gate.release()


def run(test: Callable[[Gated, GroupCommit], Any]) -> None:
    async def running() -> None:
        transitions = Gated()
        try:
            await test(transitions, GroupCommit(transitions))
        finally:
            await close_async_connections()

    asyncio.run(running())


def test_those_that_come_during_a_call_go_together_next(empty_redis: redis.Redis) -> None:
    async def test(transitions: Gated, group: GroupCommit) -> None:
        first = asyncio.create_task(group.enqueue([new_job(0)]))
        await transitions.called.acquire()
        others = [asyncio.create_task(group.enqueue([new_job(number)])) for number in range(1, 41)]
        transitions.open()
        results = [(await task)[0] for task in (first, *others)]
        assert [result.id for result in results] == [f"{number:032x}" for number in range(41)]
        assert transitions.calls == [1, 40]

    run(test)
    assert empty_redis.llen("rq:queue:high") == 41


def test_a_second_call_begins_when_it_is_full_and_never_with_jobs_of_the_same_request(
    empty_redis: redis.Redis,
) -> None:
    """I4 speed: Redis works on one call while the next is written, and each body's events keep their order."""

    async def test(transitions: Gated, group: GroupCommit) -> None:
        first = asyncio.create_task(group.enqueue([new_job(number) for number in range(250)]))
        await transitions.called.acquire()
        second = asyncio.create_task(group.enqueue([new_job(number) for number in range(1000, 1099)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert transitions.calls == [100]  # 99 are no full call, and the 150 are of the request in flight
        third = asyncio.create_task(group.enqueue([new_job(2000), new_job(2001)]))
        await transitions.called.acquire()
        assert transitions.calls == [100, 100]
        transitions.open()
        numbers = [[int(result.id, 16) for result in await task] for task in (first, second, third)]
        assert [sorted(each) == each for each in numbers] == [True] * 3

    run(test)
    queued = [int(job_id, 16) for job_id in empty_redis.lrange("rq:queue:high", 0, -1)]
    assert len(queued) == 351
    for low, high in ((0, 250), (1000, 1099), (2000, 2002)):
        assert [number for number in queued if low <= number < high] == list(range(low, high))


def test_a_group_is_bounded_in_jobs_and_bytes(empty_redis: redis.Redis) -> None:
    async def test(transitions: Gated, group: GroupCommit) -> None:
        transitions.open()
        await group.enqueue([new_job(number) for number in range(250)])
        assert transitions.calls == [100, 100, 50]
        transitions.calls.clear()
        await group.enqueue([new_job(1000 + number, accept.CALL_BYTES // 2) for number in range(5)])
        assert transitions.calls == [2, 2, 1]
        transitions.calls.clear()
        await group.enqueue([new_job(2000, accept.CALL_BYTES + 1)])
        assert transitions.calls == [1]

    run(test)


def test_one_that_is_gone_is_not_sent_and_harms_nobody(empty_redis: redis.Redis) -> None:
    async def test(transitions: Gated, group: GroupCommit) -> None:
        first = asyncio.create_task(group.enqueue([new_job(0)]))
        await transitions.called.acquire()
        gone, stays = (asyncio.create_task(group.enqueue([new_job(number)])) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()  # in flight: stored nevertheless
        await asyncio.sleep(0)
        transitions.open()
        assert (await stays)[0].id == f"{2:032x}"
        assert gone.cancelled()
        assert first.cancelled()

    run(test)
    assert empty_redis.lrange("rq:queue:high", 0, -1) == [f"{number:032x}".encode() for number in (0, 2)]


def test_a_fault_of_ours_is_told_to_all_of_its_call_and_passes(empty_redis: redis.Redis) -> None:
    class Faulty(Gated):
        async def enqueue(self, jobs: Sequence[NewJob], **more: Any) -> list[EnqueueResult]:
            results = await super().enqueue(jobs, **more)
            if any(job.id == f"{666:032x}" for job in jobs):
                raise ZeroDivisionError
            return results

    async def running() -> None:
        transitions = Faulty()
        transitions.open()
        group = GroupCommit(transitions)
        told = await asyncio.gather(
            *(group.enqueue([new_job(number)]) for number in (1, 666, 2)), return_exceptions=True
        )
        assert [type(each) for each in told] == [ZeroDivisionError] * 3
        assert (await group.enqueue([new_job(3)]))[0].accepted
        await close_async_connections()

    asyncio.run(running())


def test_many_at_once_all_get_their_own_receipt(empty_redis: redis.Redis) -> None:
    async def many() -> list[list[Receipt]]:
        try:
            return await asyncio.gather(*(accept.accept_async([event(f"e{number}")]) for number in range(300)))
        finally:
            await close_async_connections()

    for number, [receipt] in enumerate(asyncio.run(many())):
        assert receipt.id == accept.derived_id("alert", "", "edge", f"e{number}")
    assert empty_redis.llen("rq:queue:high") == 300


def test_what_is_all_or_nothing_shares_no_call(empty_redis: redis.Redis) -> None:
    async def test(transitions: Gated, group: GroupCommit) -> None:
        first = asyncio.create_task(group.enqueue([new_job(0)]))
        await transitions.called.acquire()
        numbers = iter(range(1, 100))
        others = [
            asyncio.create_task(group.enqueue([new_job(next(numbers)) for _ in range(size)], strict=strict))
            for size, strict in ((2, False), (60, True), (1, False), (3, False), (5, True), (7, True))
        ]
        transitions.open()
        results = [await task for task in (first, *others)]
        assert [len(each) for each in results] == [1, 2, 60, 1, 3, 5, 7]
        assert transitions.calls == [1, 2, 60, 4, 5, 7]

    run(test)
