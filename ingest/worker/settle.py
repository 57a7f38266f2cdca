"""Telling the database and Redis how jobs ended, and not giving up while one of them is away."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import redis

from ingest import effects
from ingest.credentials import masked_text
from ingest.database import DatabaseAway
from ingest.queue.transitions import Claim, Failure, Transitions, new_id
from ingest.signals import tell_dead
from ingest.worker.alarm import Alarm, Halt, Overrun
from ingest.worker.entries import Entry
from ingest.worker.leases import Leases
from ingest.worker.reports import Reports

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Tries of a call that Redis answers with an error that no waiting ends: the lease lapses then, the job is
#: run again and meets its row.
REFUSALS: Final = 5
#: The longest wait between two tries, in seconds.
LONGEST_WAIT: Final = 2.0
#: Seconds that one transaction which marks rows done may take.
MARK_SECONDS: Final = 60.0


#: What Redis answers while it takes no writes: a replica without or with its master, out of memory; redis-py has
#: no classes for its disk and for too few replicas.
_NO_WRITES: Final = (redis.ReadOnlyError, redis.exceptions.MasterDownError, redis.exceptions.OutOfMemoryError)
_NO_WRITES_TEXT: Final = ("MISCONF", "NOREPLICAS")


def is_outage(error: redis.RedisError) -> bool:
    """Whether waiting may help: Redis does not answer, or takes no writes now."""
    if not isinstance(error, redis.ResponseError):
        return True
    return isinstance(error, _NO_WRITES) or str(error).startswith(_NO_WRITES_TEXT)


class Settlement:
    """The outcomes of one batch, collected and told together: a call to Redis is an fsync.

    Nothing is lost when they are never told: the row is there, and the next run meets it. An effect whose
    row could not be marked done happens again. Gives up at the end of the worker's grace time.
    """

    def __init__(self, transitions: Transitions, leases: Leases, reports: Reports, worker: str, alarm: Alarm) -> None:
        self._transitions = transitions
        self._leases = leases
        self._reports = reports
        self._worker = worker
        self._alarm = alarm
        #: Jobs that are done or failed, told or not.
        self.settled = 0
        self._done: dict[str, tuple[Claim, list[str]]] = {}
        self._results: dict[str, Any] = {}
        self._effects: list[tuple[Entry, Any]] = []
        self._failed: dict[str, tuple[Claim, list[Failure]]] = {}

    def done(self, claim: Claim, job_id: str, result: Any = None) -> None:
        """A batch handler's work and its row are in the database; or there was nothing to do."""
        self.settled += 1
        if result is not None:
            self._results[job_id] = result
        self._done.setdefault(claim.id, (claim, []))[1].append(job_id)

    def effect(self, entry: Entry, result: Any) -> None:
        """An effect handler returned; its row says so only once this is told."""
        self.settled += 1
        self._effects.append((entry, result))

    def failed(self, claim: Claim, failure: Failure) -> None:
        self.settled += 1
        self._failed.setdefault(claim.id, (claim, []))[1].append(failure)

    def tell(self) -> None:
        """Mark, complete and fail what was collected; returns when both have answered, or it gave up."""
        self._mark()
        done, self._done = self._done, {}
        failed, self._failed = self._failed, {}
        for claim, ids in done.values():
            self._complete(claim, ids)
        for claim, failures in failed.values():
            self._fail(claim, failures)

    def release(self, claim: Claim, ids: list[str]) -> bool:
        """Put jobs back at the front of their queue; no attempt is counted. False: it gave up."""
        with self._dropped(claim, ids):
            released = self._insist(
                lambda request_id: self._transitions.release(claim.queue, claim.id, ids, request_id=request_id)
            )
        return released is not None

    def lapse(self, entry: Entry, line: str) -> None:
        """The job's own process died: end its lease now, so that maintenance counts a crash as it does for a
        worker that died: back to be alone, and poison at the third.

        Failing it instead would need a second place that counts crashes, and would spend its retries. It is
        back after a few seconds, which a job that kills processes may well wait.
        """
        logger.warning("job %s: %s", entry.job.id, line)
        self._reports.say(entry, "log", line)
        self._reports.flush([entry])
        claim, job_id = entry.claim, entry.job.id
        self._leases.drop(claim, [job_id])
        # Where this is not told, the lease lapses by itself.
        self._insist(lambda request_id: self._transitions.renew(0, [(claim.queue, job_id, claim.id)]))

    def _mark(self) -> None:
        """Mark the rows of effects done, so that they do not happen again; then they count as done."""
        ended, self._effects = self._effects, []
        if not ended:
            return
        self._reports.flush(entry for entry, _ in ended)
        if not self._marked([entry for entry, _ in ended]):
            for entry, _ in ended:
                self.settled -= 1
                self.release(entry.claim, [entry.job.id])
            return
        for entry, result in ended:
            self._done.setdefault(entry.claim.id, (entry.claim, []))[1].append(entry.job.id)
            self._results[entry.job.id] = result

    def _marked(self, entries: Sequence[Entry]) -> bool:
        wait = 0.1
        while True:
            try:
                with self._alarm.watch(MARK_SECONDS):
                    effects.finish([entry.payload for entry in entries])
            except (DatabaseAway, Overrun) as error:
                logger.warning("%d effects could not be marked done (%s); again in %.1f s", len(entries), error, wait)
            except Halt:
                logger.error("%d effects could not be marked done; they will happen again", len(entries))
                return False
            else:
                return True
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def _complete(self, claim: Claim, ids: list[str]) -> None:
        results = {job_id: self._results.pop(job_id) for job_id in ids if job_id in self._results}
        with self._dropped(claim, ids):
            refused = self._insist(
                lambda request_id: self._transitions.complete(
                    claim.queue, claim.id, self._worker, ids, results=results, request_id=request_id
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
            # What an exception says may hold the event's credentials.
            said = masked_text(failure.message)
            logger.warning("job %s failed (%s): %s: %s", failure.job_id, outcome, failure.error_type, said)
            if outcome == "dead":
                tell_dead(claim.queue, failure)

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
            except redis.RedisError as error:
                refusals += not is_outage(error)
                problem = error
            if refusals >= REFUSALS or self._alarm.halted:
                logger.error("Redis was not told how jobs ended (%s); their lease will lapse", problem)
                return None
            logger.warning("Redis was not told how jobs ended (%s); again in %.1f s", problem, wait)
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
