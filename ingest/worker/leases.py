"""What this worker holds, and the thread that keeps the leases alive."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

import redis

from ingest.queue import keys
from ingest.queue.connections import single_try
from ingest.queue.transitions import Claim, Transitions

logger = logging.getLogger(__name__)

#: Seconds until the next try when Redis did not answer: after an outage the leases must be renewed
#: before the leader takes the jobs back.
AGAIN = 1.0
#: Seconds that a handler has to end by itself once somebody asked for it.
CANCEL_GRACE = 5.0


class Leases:
    """The jobs held, renewed three times a lease by a thread with a connection of its own.

    The thread goes on while a handler runs, also while the worker's own connection waits.
    `beat(held)` is called with the number of jobs held after each renewal, in the thread.
    """

    def __init__(self, connection: redis.Redis, lease: float, beat: Callable[[redis.Redis, int], None]) -> None:
        self._connection = single_try(connection)
        self._transitions = Transitions(self._connection)
        self._lease = lease
        self._beat = beat
        self._held: dict[tuple[str, str], str] = {}  # (job id, claim id) → queue
        self._may_stop: set[tuple[str, str]] = set()  # of these, what runs for an effect handler
        self._stopping: dict[tuple[str, str], float] = {}  # since when, time.monotonic()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def __enter__(self) -> "Leases":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._connection.close()

    def hold(self, claim: Claim) -> None:
        with self._lock:
            self._held.update({(job.id, claim.id): claim.queue for job in claim.jobs})
            self._may_stop.update((job.id, claim.id) for job in claim.jobs if job.mode)

    def drop(self, claim: Claim, job_ids: Iterable[str]) -> None:
        with self._lock:
            for job_id in job_ids:
                self._drop((job_id, claim.id))

    def still(self, claim: Claim, job_id: str) -> bool:
        """Whether the job is ours as far as we know; false once a renewal found it taken back."""
        return (job_id, claim.id) in self._held

    def stop(self, job_id: str) -> bool:
        """Somebody asked for its end. False: it is not held here, or cannot be told."""
        with self._lock:
            meant = [key for key in self._may_stop if key[0] == job_id]
            for key in meant:
                self._stopping.setdefault(key, time.monotonic())
        return bool(meant)

    def stopping(self, claim: Claim, job_id: str) -> bool:
        """Whether somebody asked for its end."""
        return (job_id, claim.id) in self._stopping

    def must_stop(self, claim: Claim, job_id: str) -> bool:
        """Whether its time to end by itself is over."""
        since = self._stopping.get((job_id, claim.id))
        return since is not None and time.monotonic() > since + CANCEL_GRACE

    def _drop(self, key: tuple[str, str]) -> None:
        self._held.pop(key, None)
        self._may_stop.discard(key)
        self._stopping.pop(key, None)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            wait = self._lease / 3
            try:
                self._renew()
                self._beat(self._connection, len(self._held))
            except redis.RedisError as error:
                logger.warning("the leases could not be renewed: %s", error)
                wait = min(wait, AGAIN)
            except Exception:
                logger.exception("the leases could not be renewed")

    def _renew(self) -> None:
        with self._lock:
            held = [(queue, job_id, claim_id) for (job_id, claim_id), queue in self._held.items()]
        if not held:
            return
        lost = self._transitions.renew(self._lease, held)
        if lost:
            logger.warning("%d leases are not ours any more", len(lost))
            with self._lock:
                for _, job_id, claim_id in lost:
                    self._drop((job_id, claim_id))
        self._look_for_stopping()

    def _look_for_stopping(self) -> None:
        """Workers are told by a message; whoever missed it finds it here."""
        with self._lock:
            asked = [key for key in self._may_stop if key not in self._stopping]
        pipe = self._connection.pipeline(transaction=False)
        for job_id, _ in asked:
            pipe.hget(keys.job(job_id), keys.STOPPING)
        for (job_id, _), stopping in zip(asked, pipe.execute() if asked else (), strict=True):
            if stopping:
                self.stop(job_id)
