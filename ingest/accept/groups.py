"""Group commit: what comes while a call is in flight collects, and goes together next.

An idle system waits for nothing, and a busy one shares the fsync, that of Redis as that of the spool.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from ingest.accept.ladder import Answer, send_async
from ingest.queue.transitions import CHUNK, AsyncTransitions, NewJob

#: Jobs in one call, and so in one script: it is done or not done as a whole.
CALL_JOBS: Final = CHUNK
#: Bytes in one call: what Redis takes in well within the 0.5 s that acceptance waits, and one script.
CALL_BYTES: Final = 2 * 1024 * 1024


class GroupCommit:
    """Collects jobs while a call is in flight; one task of its own sends them."""

    def __init__(self, transitions: AsyncTransitions | None) -> None:
        self._transitions = transitions
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def enqueue(self, jobs: Sequence[NewJob], *, strict: bool = False) -> list[Answer]:
        """An answer for each job, in their order. With `strict` they go in one call, alone."""
        if not jobs:
            return []
        request = _Request(len(jobs), strict)
        self._waiting.extend(_Waiting(request, position, job) for position, job in enumerate(jobs))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await request.answered

    async def _send(self) -> None:
        try:
            while group := self._next_group():
                jobs = [waiting.job for waiting in group]
                answers = await send_async(self._transitions, jobs, strict=group[0].request.strict)
                for waiting, answer in zip(group, answers, strict=True):
                    waiting.request.answer(waiting.position, answer)
        except BaseException as error:
            # A fault of ours, or the loop is closing: nobody may wait for ever.
            for waiting in (*group, *self._waiting):
                waiting.request.fail(error)
            self._waiting.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            self._sending = None

    def _next_group(self) -> "list[_Waiting]":
        """The oldest that wait, within the bounds of one call; without those whose client is gone."""
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < CALL_JOBS:
            waiting = self._waiting[0]
            if not waiting.request.answered.done():
                size += len(waiting.job.data)
                if group and not self._fits(group[0].request, waiting.request, size):
                    break
                group.append(waiting)
            self._waiting.popleft()
        return group

    @staticmethod
    def _fits(first: "_Request", request: "_Request", size: int) -> bool:
        """Whether another job goes into the call that `first` began."""
        if first.strict or request.strict:
            return first is request
        return size <= CALL_BYTES


class _Request:
    """So many jobs of one caller, and the future that it awaits."""

    def __init__(self, jobs: int, strict: bool = False) -> None:
        self.strict = strict
        self.answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._jobs = jobs
        self._answers: dict[int, Answer] = {}

    def answer(self, position: int, answer: Answer) -> None:
        self._answers[position] = answer
        if len(self._answers) == self._jobs and not self.answered.done():
            self.answered.set_result([self._answers[position] for position in range(self._jobs)])

    def fail(self, error: BaseException) -> None:
        if self.answered.done():
            return
        if isinstance(error, Exception):
            self.answered.set_exception(error)
        else:
            self.answered.cancel()


class _Waiting(NamedTuple):
    request: _Request
    #: The job's among those of its request.
    position: int
    job: NewJob
