"""Takes jobs from the worker's queues; asks again, by the same id, for a claim that had no answer."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import redis
from django.conf import settings

from ingest.queue.transitions import CHUNK, Claim, Transitions, new_id
from ingest.worker.leases import Leases
from ingest.worker.pace import Pace
from ingest.worker.slots import Slots

logger: Final = logging.getLogger("rq.worker")


class Claiming:
    """`queues` in their order; `types`: of these task types alone, where there are any."""

    def __init__(
        self,
        transitions: Transitions,
        *,
        worker: str,
        queues: Callable[[], Sequence[str]],
        types: Sequence[str],
        leases: Leases,
        slots: Slots,
        pace: Pace,
    ) -> None:
        self._transitions, self._leases, self._slots, self._pace = transitions, leases, slots, pace
        self._worker, self._queues, self._types = worker, queues, types
        self._pending: tuple[str, int, int] | None = None  # a claim without an answer: its id and limits

    def claim(self, most: int | None) -> list[Claim]:
        """Up to `most` jobs: join claims of batch jobs until they are a second's work, while each comes back full.

        Raises redis.RedisError.
        """
        claims: list[Claim] = []
        room = self._pace.limit if most is None else min(self._pace.limit, most)
        while room > 0:
            free = self._slots.free if most is None else min(self._slots.free, most)
            self._pending = self._pending or (new_id(), min(room, CHUNK), free)
            claim_id, size, async_size = self._pending
            try:
                claim = self._transitions.claim(
                    self._worker,
                    self._queues(),
                    claim_id=claim_id,
                    limit=size,
                    async_limit=async_size,
                    lease=settings.LEASE_SECONDS,
                    types=self._types,
                )
            except redis.RedisError:
                if claims:
                    break  # what is in hand first; the same claim id is asked again after it
                raise
            self._pending = None
            if claim is None:
                break
            self._leases.hold(claim)
            claims.append(claim)
            room -= len(claim.jobs)
            if len(claim.jobs) < size or claim.jobs[0].mode:
                break
        return claims

    def release_pending(self) -> None:
        """A claim that had no answer may have taken jobs: ask once more, and release what it holds.

        Raises redis.RedisError.
        """
        if self._pending is None:
            return
        for claim in self.claim(1):
            ids = [job.id for job in claim.jobs]
            self._transitions.release(claim.queue, claim.id, ids)
            self._leases.drop(claim, ids)

    def give_up(self) -> None:
        """The same at the worker's end: nobody asks again."""
        try:
            self.release_pending()
        except redis.RedisError as error:
            logger.error("Redis does not answer (%s); what the last claim holds is recovered by maintenance", error)
