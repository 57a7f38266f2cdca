"""The one place in the project that changes the state of jobs: a method for each script.

Both runners send the same calls (`calls`), one for `redis.Redis` and one for `redis.asyncio.Redis`.
Every method may be sent again with the same request id, within 300 seconds: it changes nothing then and
gives the first answer. A call without a request id makes one, which covers redis-py's own re-sending.
Methods raise `redis.RedisError` as it comes; with more than CHUNK jobs the first chunks may be done then.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import redis
import redis.asyncio

from ingest.queue import batching, calls, keys
from ingest.queue.batching import CHUNK, new_id
from ingest.queue.scripts import Scripts, source
from ingest.queue.shapes import (
    Claim,
    ClaimedJob,
    Emptied,
    EnqueueResult,
    FailOutcome,
    Failure,
    NewJob,
    Recovered,
)

__all__ = [
    "CHUNK",
    "AsyncTransitions",
    "Claim",
    "ClaimedJob",
    "Emptied",
    "EnqueueResult",
    "FailOutcome",
    "Failure",
    "NewJob",
    "Recovered",
    "Transitions",
    "new_id",
]

#: Dead letters move whatever their score is.
_ANY_SCORE: Final[Mapping[str, float]] = MappingProxyType({})
#: Jobs in one call that walks through the head of a list for each of them.
_LOOK: Final = 10


class Transitions(Scripts):
    """Changes of state over a `redis.Redis` that returns bytes."""

    def enqueue(
        self, jobs: Sequence[NewJob], *, request_id: str | None = None, strict: bool = False
    ) -> list[EnqueueResult]:
        """Nowhere → queue, or scheduled where delayed. One result a job, in order.

        An id that exists, or whose marker does, changes nothing: `duplicate`, or `id_reused` when the
        body's hash differs. A full Redis raises OutOfMemoryError with nothing of the chunk stored.

        With `strict` all are stored or none; they must fit into one call then (ValueError). Duplicates of earlier
        jobs refuse nothing.
        """
        results: list[EnqueueResult] = []
        for chunk, request in batching.enqueue_parts(jobs, request_id, strict=strict):
            results += calls.enqueued(chunk, self._run(calls.enqueue(chunk, request, strict=strict)))
        return results

    def claim(
        self,
        worker: str,
        queues: Sequence[str],
        *,
        claim_id: str,
        limit: int = CHUNK,
        async_limit: int = 10,
        lease: float,
        types: Sequence[str] = (),
    ) -> Claim | None:
        """Queue → started: jobs of the first queue that has any, all of one mode, for `lease` seconds.

        Up to `limit` (at most CHUNK) of the jobs that run in batches, up to `async_limit` async ones, one of any
        other mode. With an `async_limit` of 0, nothing when the next job is an async one. Paused queues are passed
        over, and jobs whose rate limit is used up are held back. With `types`, tasks of these types alone, which have
        workers of their own; without, none of such types. The same `claim_id` sent again gets the same jobs.
        None: nothing to do.
        """
        call = calls.claim(worker, queues, claim_id, limit, async_limit, lease, types)
        return calls.claimed(claim_id, self._run(call))

    def renew(self, lease: float, held: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Prolong the leases of (queue, job id, claim id) to `lease` seconds from now. Return those no longer ours."""
        gone: list[tuple[str, str, str]] = []
        for chunk in batching.chunks(held):
            gone += calls.lost(chunk, self._run(calls.renew(lease, chunk)))
        return gone

    def complete(
        self,
        queue: str,
        claim_id: str,
        worker: str,
        ids: Iterable[str],
        *,
        results: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> list[str]:
        """Started → gone (finished, where a result is kept). Return the ids refused: not this claim's any more.

        A lease that lapsed is no hindrance as long as nobody recovered the job, or nobody claimed it since.
        `results` has what handlers returned, by job id, ready for JSON.
        """
        refused: list[str] = []
        for chunk, request in batching.parts(batching.chunks(ids), request_id):
            reply = self._run(calls.complete(queue, claim_id, worker, chunk, results or {}, request))
            refused += (job_id.decode() for job_id in reply)
        return refused

    def fail(
        self, queue: str, claim_id: str, worker: str, failures: Iterable[Failure], *, request_id: str | None = None
    ) -> dict[str, FailOutcome]:
        """Started → scheduled for a retry, or failed (a dead letter; the trash where the kind keeps none).

        By job id what became of it.
        """
        outcomes: dict[str, FailOutcome] = {}
        for chunk, request in batching.parts(batching.chunks(failures, batching.FAILURES_CHUNK), request_id):
            outcomes |= calls.failed(chunk, self._run(calls.fail(queue, claim_id, worker, chunk, request)))
        return outcomes

    def release(self, queue: str, claim_id: str, ids: Iterable[str], *, request_id: str | None = None) -> int:
        """Started → the front of the queue, in the order given; counts no attempt. Return how many."""
        released = 0
        # The last chunk first: each goes in front of the one before.
        for chunk, request in reversed(list(batching.parts(batching.chunks(ids), request_id))):
            released += self._run(calls.release(queue, claim_id, chunk, request))
        return released

    def recover(
        self, queue: str, *, limit: int = CHUNK, older_than: float | None = None, request_id: str | None = None
    ) -> Recovered:
        """Started with a lapsed lease → the front of the queue, or failed at the third crash; up to `limit` jobs.

        With `older_than`, also jobs that have run for longer than that many seconds under a live lease; all
        the live leases are looked at then.
        """
        request_id = request_id or new_id()
        done, offset, number = Recovered(), 0, 0
        while True:
            step = min(limit, batching.FAILURES_CHUNK)
            if older_than is None:
                step = min(step, limit - done.total)
            call = calls.recover(queue, step, older_than, offset, batching.part(request_id, number))
            now, looked_at = calls.recovered(self._run(call))
            done += now
            if older_than is None:
                if now.total < step or done.total >= limit:
                    return done
            elif looked_at < step:
                return done
            # What was taken is gone from the set; starting short of it looks at some leases twice, at worst.
            offset += max(looked_at - now.total, 0)
            number += 1

    def promote(self, queue: str, *, limit: int = CHUNK) -> int:
        """Scheduled and due → queue, up to `limit` jobs. Return how many."""
        return int(self._run(calls.promote(queue, limit))[0])

    def progress(self, queue: str, claim_id: str, job_id: str, *, value: Any = None, line: str | None = None) -> bool:
        """Keep what a running handler says: its progress, a line of its log (the last 100 stay).

        False: the job is not this claim's any more. Raises TypeError or ValueError for a value that is no JSON.
        """
        return bool(self._run(calls.progress(queue, claim_id, job_id, value, line)))

    def requeue(
        self,
        queue: str,
        ids: Iterable[str],
        *,
        to: str | None = None,
        by: str = "",
        replay: str = "",
        scores: Mapping[str, float] = _ANY_SCORE,
        request_id: str | None = None,
    ) -> list[str]:
        """Failed → its queue, or the queue `to`, with all retries again. Return the ids that really moved.

        One that `scores` names moves only if it has that score among the dead letters: if it failed again since, it
        is left. With the id of a `replay` they have one attempt, and say whose it was until the next requeue.
        """
        return self._each(
            ids,
            request_id,
            lambda chunk, request: calls.requeue(queue, chunk, to or queue, by, replay, scores, request),
        )

    def give_back(
        self,
        queue: str,
        ids: Iterable[str],
        *,
        home: str,
        replay: str,
        by: str = "",
        scores: Mapping[str, float] = _ANY_SCORE,
        request_id: str | None = None,
    ) -> list[str]:
        """Queued by this replay and not begun → the dead letters of the queue `home`, as they were.

        One that `scores` names has that score again, the others that of their failure. Return the ids that really
        moved.
        """
        return self._each(
            ids, request_id, lambda chunk, request: calls.give_back(queue, chunk, home, by, replay, scores, request)
        )

    def run_now(self, queue: str, ids: Iterable[str], *, by: str = "", request_id: str | None = None) -> list[str]:
        """Scheduled → the back of its queue. Return the ids that really moved."""
        return self._each(ids, request_id, lambda chunk, request: calls.run_now(queue, chunk, by, request))

    def discard(
        self,
        queue: str,
        ids: Iterable[str],
        *,
        by: str = "",
        operation: str = "",
        scores: Mapping[str, float] = _ANY_SCORE,
        request_id: str | None = None,
    ) -> list[str]:
        """Queue, scheduled or failed → the trash, for 24 hours. Return the ids that really moved.

        One that `scores` names moves only as the dead letter that has that score. What an `operation` moved stands in
        its list, `keys.undo`.
        """
        return self._each(
            ids, request_id, lambda chunk, request: calls.discard(queue, chunk, by, operation, scores, request)
        )

    def mark(self, queue: str, ids: Iterable[str], *, permanent: bool, request_id: str | None = None) -> list[str]:
        """Mark dead letters as permanent, or take that off: what moves many at once leaves them. Return who changed."""
        return self._each(ids, request_id, lambda chunk, request: calls.mark(queue, chunk, permanent, request))

    def restore(
        self,
        queue: str,
        ids: Iterable[str],
        *,
        by: str = "",
        scores: Mapping[str, float] = _ANY_SCORE,
        request_id: str | None = None,
    ) -> list[str]:
        """Trash → where the job came from. Return the ids that really moved.

        One that `scores` names moves only if it has that score in the trash.
        """
        return self._each(ids, request_id, lambda chunk, request: calls.restore(queue, chunk, by, scores, request))

    def purge(
        self,
        queue: str,
        ids: Iterable[str],
        *,
        scores: Mapping[str, float] = _ANY_SCORE,
        request_id: str | None = None,
    ) -> list[str]:
        """Trash → gone for ever. Return the ids that really went.

        One that `scores` names goes only if it has that score in the trash.
        """
        return self._each(ids, request_id, lambda chunk, request: calls.purge(queue, chunk, scores, request))

    def cancel(self, queue: str, ids: Iterable[str], *, by: str = "", request_id: str | None = None) -> list[str]:
        """Queue or scheduled → canceled. Return the ids that really moved."""
        return self._each(ids, request_id, lambda chunk, request: calls.cancel(queue, chunk, by, request))

    def stop(self, queue: str, ids: Iterable[str], *, by: str = "", request_id: str | None = None) -> list[str]:
        """Started, for an effect handler → asked to end; it is canceled then. Return the ids that were asked."""
        return self._each(ids, request_id, lambda chunk, request: calls.stop(queue, chunk, by, request))

    def move(
        self, queue: str, ids: Iterable[str], *, to: str, by: str = "", request_id: str | None = None
    ) -> list[str]:
        """Queue → the back of another queue. Return the ids that really moved."""
        return self._each(ids, request_id, lambda chunk, request: calls.move(queue, chunk, to, by, request))

    def empty(
        self,
        queue: str,
        *,
        before: float,
        by: str = "",
        operation: str = "",
        most: int = batching.OPERATORS_CHUNK,
        request_id: str | None = None,
    ) -> Emptied:
        """Queue → the trash: up to `most` jobs from its head that were enqueued before that Unix time.

        Call it until `more` is false. What an `operation` moved stands in its list, `keys.undo`.
        """
        moved, more = self._run(calls.empty(queue, before, by, operation, most, request_id or new_id()))
        return Emptied(moved, bool(more))

    def sweep(self, queue: str, *, limit: int = CHUNK) -> int:
        """What is due → gone: the trash and canceled jobs after 24 hours, results past their time. Return how many."""
        return int(self._run(calls.sweep(queue, limit)))

    def update(self, job_id: str, *, data: bytes, body_hash: str, request_id: str | None = None) -> tuple[bool, str]:
        """Another event under the same id, while the job is queued, scheduled or failed. It stays where it is.

        Return whether it was changed, and the state it is in: the contract's word, "" for an unknown id.
        """
        state, changed = self._run(calls.update(job_id, data, body_hash, request_id or new_id()))
        return bool(changed), state.decode()

    def forget(self, queue: str, ids: Iterable[str], *, before: float, request_id: str | None = None) -> list[str]:
        """Finished before that Unix time → gone, with the stored result. Return the ids that really went."""
        return self._each(ids, request_id, lambda chunk, request: calls.forget(queue, chunk, before, request))

    def pause(self, queue: str | None, *, until: float | None = None) -> None:
        """Let nobody claim from the queue (None: from any), until that Unix time or until it is resumed."""
        self._run(calls.pause(queue, until))

    def resume(self, queue: str | None) -> bool:
        """End the pause of the queue (None: the one of all). False: there was none."""
        return bool(self._run(calls.resume(queue)))

    def heal(self, queue: str, ids: Iterable[str], *, request_id: str | None = None) -> list[str]:
        """Nowhere → where the status says, the queue's front for a waiting or running one. Return the ids healed.

        Only for jobs that have been waiting for longer than the queue's head: long lists are searched from there.
        """
        return self._each(ids, request_id, lambda chunk, request: calls.heal(queue, chunk, request), size=_LOOK)

    def end_turns(self, ordering_keys: Iterable[str]) -> int:
        """Turns whose job is gone or has ended → the next job of their ordering key, if any. Return how many."""
        return sum(int(self._run(calls.end_turns(chunk))) for chunk in batching.chunks(ordering_keys))

    def where(self, queue: str, ids: Iterable[str]) -> dict[str, list[str]]:
        """Every place of each job at one instant; reads only. For the few that are suspects.

        Each is looked for in the whole list, which holds Redis for 1.5 ms at 100,000 waiting jobs.
        """
        found: dict[str, list[str]] = {}
        for job_id in ids:
            (places,) = self._run(calls.where(queue, [job_id]))
            found[job_id] = [place.decode() for place in places]
        return found


class AsyncTransitions:
    """What an event loop needs, over a `redis.asyncio.Redis` that returns bytes: it does as `Transitions` does."""

    def __init__(self, connection: redis.asyncio.Redis) -> None:
        self._enqueue = connection.register_script(source("enqueue"))

    async def enqueue(
        self, jobs: Sequence[NewJob], *, request_id: str | None = None, strict: bool = False
    ) -> list[EnqueueResult]:
        results: list[EnqueueResult] = []
        for chunk, request in batching.enqueue_parts(jobs, request_id, strict=strict):
            call = calls.enqueue(chunk, request, strict=strict)
            results += calls.enqueued(chunk, await self._enqueue(keys=[keys.PREFIX], args=call.args))
        return results
