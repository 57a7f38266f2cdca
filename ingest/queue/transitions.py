"""Runs the scripts: the one place in the project that changes the state of jobs.

Both runners send the same calls (`calls`), one for `redis.Redis` and one for `redis.asyncio.Redis`.
Every method may be sent again with the same request id, within 300 seconds: it changes nothing then and
gives the first answer. A call without a request id makes one, which covers redis-py's own re-sending.
Methods raise `redis.RedisError` as it comes; with more than CHUNK jobs the first chunks may be done then.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import redis
import redis.asyncio

from ingest.queue import calls, keys
from ingest.queue.calls import (
    CHUNK,
    Call,
    Claim,
    ClaimedJob,
    EnqueueResult,
    FailOutcome,
    Failure,
    NewJob,
    Recovered,
    new_id,
)

__all__ = [
    "CHUNK",
    "AsyncTransitions",
    "Claim",
    "ClaimedJob",
    "EnqueueResult",
    "FailOutcome",
    "Failure",
    "NewJob",
    "Recovered",
    "Transitions",
    "new_id",
]

_FOLDER: Final = Path(__file__).parent / "lua"
_NAMES: Final = ("enqueue", "claim", "renew", "complete", "fail", "release", "recover", "promote", "requeue")


@cache
def _source(name: str) -> str:
    return (_FOLDER / "prelude.lua").read_text() + (_FOLDER / f"{name}.lua").read_text()


class Transitions:
    """Changes of state over a `redis.Redis` that returns bytes."""

    def __init__(self, connection: redis.Redis) -> None:
        self._scripts = {name: connection.register_script(_source(name)) for name in _NAMES}

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str | None = None) -> list[EnqueueResult]:
        """Nowhere → queue, or scheduled where delayed. One result a job, in order.

        An id that exists, or whose marker does, changes nothing: `duplicate`, or `id_reused` when the
        body's hash differs. A full Redis raises OutOfMemoryError with nothing of the chunk stored.
        """
        results: list[EnqueueResult] = []
        for chunk, request in calls.parts(calls.batches(jobs), request_id):
            results += calls.enqueued(chunk, self._run(calls.enqueue(chunk, request)))
        return results

    def claim(
        self, worker: str, queues: Sequence[str], *, claim_id: str, limit: int = CHUNK, lease: float
    ) -> Claim | None:
        """Queue → started: up to `limit` jobs (at most CHUNK) of the first queue that has any, for `lease` seconds.

        The claim's id is its request id: keep it until there is an answer, and the same id gets the same
        jobs again. None: nothing waits. A job that crashed before comes as the only one of its claim.
        """
        return calls.claimed(claim_id, self._run(calls.claim(worker, queues, claim_id, limit, lease)))

    def renew(self, lease: float, held: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Prolong the leases of (queue, job id, claim id) to `lease` seconds from now. Return those no longer ours."""
        gone: list[tuple[str, str, str]] = []
        for chunk in calls.chunks(held):
            gone += calls.lost(chunk, self._run(calls.renew(lease, chunk)))
        return gone

    def complete(
        self, queue: str, claim_id: str, worker: str, ids: Iterable[str], *, request_id: str | None = None
    ) -> list[str]:
        """Started → gone (finished, where a result is kept). Return the ids refused: not this claim's any more.

        A lease that lapsed is no hindrance as long as nobody recovered the job, or nobody claimed it since.
        """
        refused: list[str] = []
        for chunk, request in calls.parts(calls.chunks(ids), request_id):
            reply = self._run(calls.complete(queue, claim_id, worker, chunk, request))
            refused += (job_id.decode() for job_id in reply)
        return refused

    def fail(
        self, queue: str, claim_id: str, worker: str, failures: Iterable[Failure], *, request_id: str | None = None
    ) -> dict[str, FailOutcome]:
        """Started → scheduled for a retry, or failed (a dead letter); by job id what became of it."""
        outcomes: dict[str, FailOutcome] = {}
        for chunk, request in calls.parts(calls.chunks(failures), request_id):
            outcomes |= calls.failed(chunk, self._run(calls.fail(queue, claim_id, worker, chunk, request)))
        return outcomes

    def release(self, queue: str, claim_id: str, ids: Iterable[str], *, request_id: str | None = None) -> int:
        """Started → the front of the queue, in the order given; counts no attempt. Return how many."""
        released = 0
        # The last chunk first: each goes in front of the one before.
        for chunk, request in reversed(list(calls.parts(calls.chunks(ids), request_id))):
            released += self._run(calls.release(queue, claim_id, chunk, request))
        return released

    def recover(
        self, queue: str, *, limit: int = CHUNK, older_than: float | None = None, request_id: str | None = None
    ) -> Recovered:
        """Started with a lapsed lease → the front of the queue, or failed at the third crash; up to `limit` jobs.

        With `older_than`, also jobs that have run for longer than that many seconds under a live lease; all
        the live leases are looked at, in steps of `limit`.
        """
        request_id = request_id or new_id()
        done, offset, number = Recovered(), 0, 0
        while True:
            request = calls.part(request_id, number)
            requeued, dead, phantom, looked_at = self._run(calls.recover(queue, limit, older_than, offset, request))
            done += Recovered(requeued, dead, phantom)
            if older_than is None or looked_at < limit:
                return done
            # What was taken is gone from the set; starting short of it looks at some leases twice, at worst.
            offset += max(looked_at - requeued - dead - phantom, 0)
            number += 1

    def promote(self, queue: str, *, limit: int = CHUNK) -> int:
        """Scheduled and due → queue, up to `limit` jobs. Return how many."""
        return int(self._run(calls.promote(queue, limit))[0])

    def requeue(self, queue: str, ids: Iterable[str], *, request_id: str | None = None) -> list[str]:
        """Failed → queue, with all retries again. Return the ids that really moved."""
        moved: list[str] = []
        for chunk, request in calls.parts(calls.chunks(ids), request_id):
            moved += (job_id.decode() for job_id in self._run(calls.requeue(queue, chunk, request)))
        return moved

    def _run(self, call: Call) -> Any:
        return self._scripts[call.script](keys=[keys.PREFIX], args=call.args)


class AsyncTransitions:
    """The changes of state that an event loop needs, over a `redis.asyncio.Redis` that returns bytes."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        self._scripts = {name: connection.register_script(_source(name)) for name in ("enqueue",)}

    async def enqueue(self, jobs: Sequence[NewJob], *, request_id: str | None = None) -> list[EnqueueResult]:
        """As `Transitions.enqueue`."""
        results: list[EnqueueResult] = []
        for chunk, request in calls.parts(calls.batches(jobs), request_id):
            results += calls.enqueued(chunk, await self._run(calls.enqueue(chunk, request)))
        return results

    async def _run(self, call: Call) -> Any:
        return await self._scripts[call.script](keys=[keys.PREFIX], args=call.args)
