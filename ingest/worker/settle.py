"""Telling Redis how a batch ended, and not giving up while Redis is away."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import redis

from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from ingest.worker.leases import Leases

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Tries of a call that Redis answers with an error of its own (read-only, disk full): the lease
#: lapses then, the job is run again and meets its row.
REFUSALS: Final = 5
#: The longest wait between two tries, in seconds.
LONGEST_WAIT: Final = 2.0


class Settlement:
    """The outcomes of one batch, collected and told together: a call to Redis is an fsync.

    Nothing is lost when they are never told: the row is there, and the next run meets it.
    """

    def __init__(
        self,
        transitions: Transitions,
        leases: Leases,
        worker: str,
        *,
        give_up: Callable[[], bool],
    ) -> None:
        self._transitions = transitions
        self._leases = leases
        self._worker = worker
        self._give_up = give_up
        self._done: dict[str, tuple[Claim, list[str]]] = {}
        self._failed: dict[str, tuple[Claim, list[Failure]]] = {}

    def done(self, claim: Claim, job_id: str) -> None:
        self._done.setdefault(claim.id, (claim, []))[1].append(job_id)

    def failed(self, claim: Claim, failure: Failure) -> None:
        self._failed.setdefault(claim.id, (claim, []))[1].append(failure)

    def tell(self) -> None:
        """Complete and fail what was collected; returns when Redis has answered or `give_up()` is true."""
        done, self._done = self._done, {}
        failed, self._failed = self._failed, {}
        for claim, ids in done.values():
            self._complete(claim, ids)
        for claim, failures in failed.values():
            self._fail(claim, failures)

    def release(self, claim: Claim, ids: list[str]) -> None:
        """Put jobs back at the front of their queue; no attempt is counted."""
        with self._dropped(claim, ids):
            self._insist(
                lambda request_id: self._transitions.release(claim.queue, claim.id, ids, request_id=request_id)
            )

    def _complete(self, claim: Claim, ids: list[str]) -> None:
        with self._dropped(claim, ids):
            refused = self._insist(
                lambda request_id: self._transitions.complete(
                    claim.queue, claim.id, self._worker, ids, request_id=request_id
                )
            )
        if refused:
            logger.warning("%d completions were refused: the jobs were claimed by others meanwhile", len(refused))

    def _fail(self, claim: Claim, failures: list[Failure]) -> None:
        with self._dropped(claim, [failure.job_id for failure in failures]):
            outcomes = self._insist(
                lambda request_id: self._transitions.fail(
                    claim.queue, claim.id, self._worker, failures, request_id=request_id
                )
            )
        for failure in failures:
            outcome = (outcomes or {}).get(failure.job_id, "refused")
            logger.warning("job %s failed (%s): %s: %s", failure.job_id, outcome, failure.error_type, failure.message)

    @contextmanager
    def _dropped(self, claim: Claim, ids: list[str]) -> Iterator[None]:
        """However the body ends, the leases are not renewed any more: a job must not be held for ever."""
        try:
            yield
        finally:
            self._leases.drop(claim, ids)

    def _insist(self, call: Callable[[str], T]) -> T | None:
        """Make one logical call until it is answered; every try has the same request id."""
        request_id = new_id()
        wait, refusals = 0.1, 0
        while True:
            try:
                return call(request_id)
            except redis.ResponseError as error:
                refusals += 1
                problem: Any = error
            except redis.RedisError as error:
                problem = error
            if refusals >= REFUSALS or self._give_up():
                logger.error("Redis was not told how jobs ended (%s); their lease will lapse", problem)
                return None
            logger.warning("Redis was not told how jobs ended (%s); again in %.1f s", problem, wait)
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
