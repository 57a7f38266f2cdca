"""Group commit: what comes while a call is in flight collects, and goes together next.

An idle system waits for nothing, and a busy one shares the fsync, that of Redis as that of the spool.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from ingest.accept.ladder import Answer, send_async
from ingest.queue.transitions import CHUNK, AsyncTransitions, NewJob

#: Jobs in one call, and so in one script: it is done or not done as a whole.
CALL_JOBS: Final = CHUNK
#: Bytes in one call: what Redis takes in well within the 0.5 s that acceptance waits, and one script.
CALL_BYTES: Final = 2 * 1024 * 1024
#: Calls in flight, the second only when it is full: Redis works on one while the next is written and the last one's
#: answer is read, 8 to 11 % more NDJSON a second.
CALLS: Final = 2


class GroupCommit:
    """Collects jobs while calls are in flight."""

    def __init__(self, transitions: AsyncTransitions | None) -> None:
        self._transitions = transitions
        #: The oldest first; a dictionary, since one that is in flight is passed over.
        self._waiting: dict[_Request, None] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._beginning = False

    async def enqueue(self, jobs: Sequence[NewJob], *, strict: bool = False) -> list[Answer]:
        """An answer for each job, in their order. With `strict` they go in one call, alone.

        The jobs of one `enqueue` reach their queues in their order: two calls never carry them at once.
        """
        if not jobs:
            return []
        request = _Request(jobs, strict)
        self._waiting[request] = None
        if not self._beginning:
            # Soon, not now: what comes in the same turn of the loop goes together.
            self._beginning = True
            asyncio.get_running_loop().call_soon(self._begin_calls)
        return await request.answered

    def _begin_calls(self) -> None:
        self._beginning = False
        while self._may_begin() and (group := self._next_group()):
            call = asyncio.create_task(self._send(group))
            self._calls.add(call)
            call.add_done_callback(self._ended)

    def _may_begin(self) -> bool:
        if not self._calls:
            return True
        ready = 0
        if len(self._calls) < CALLS:
            for request in self._waiting:
                ready += 0 if request.in_flight else len(request.left)
                if ready >= CALL_JOBS:
                    return True
        return False

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if call.cancelled():  # the loop is closing: nobody may wait for ever
            for request in self._waiting:
                request.answered.cancel()
            self._waiting.clear()
        else:
            self._begin_calls()

    async def _send(self, group: "_Group") -> None:
        strict = group[0][0].strict
        try:
            answers = await send_async(self._transitions, [job for _, _, job in group], strict=strict)
        except Exception as error:
            # A fault of ours. It is told to those whose jobs these were; others have calls of their own.
            for request, _, _ in group:
                request.fail(error)
        except BaseException:
            for request, _, _ in group:
                request.answered.cancel()
            raise
        else:
            for (request, position, _), answer in zip(group, answers, strict=True):
                request.answer(position, answer)
        finally:
            for request, _, _ in group:
                request.in_flight = False

    def _next_group(self) -> "_Group":
        """The oldest that wait and are not in flight, within the bounds of one call; without those who are gone."""
        group: _Group = []
        size = 0
        for request in list(self._waiting):
            if request.in_flight:
                continue
            if request.answered.done():
                del self._waiting[request]
                continue
            if group and (request.strict or group[0][0].strict):
                break
            while request.left:
                position, job = request.left[0]
                size += len(job.data)
                if group and not request.strict and (len(group) == CALL_JOBS or size > CALL_BYTES):
                    break
                group.append((request, position, job))
                request.left.popleft()
                request.in_flight = True
            if request.left:
                break
            del self._waiting[request]
        return group


class _Request:
    """Jobs of one caller, and the future that it awaits."""

    def __init__(self, jobs: Sequence[NewJob], strict: bool) -> None:
        self.strict = strict
        self.answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        #: What was not sent yet, each with its place.
        self.left = deque(enumerate(jobs))
        #: A call carries some of them.
        self.in_flight = False
        self._jobs = len(jobs)
        self._answers: dict[int, Answer] = {}

    def answer(self, position: int, answer: Answer) -> None:
        self._answers[position] = answer
        if len(self._answers) == self._jobs and not self.answered.done():
            self.answered.set_result([self._answers[position] for position in range(self._jobs)])

    def fail(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


_Group = list[tuple[_Request, int, NewJob]]
