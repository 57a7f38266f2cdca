"""What the leader does in Redis, once a second: every step for every queue, each bounded."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import redis
from rq.scheduler import RQScheduler
from rq.scripts import acquire_or_refresh_lock

from ingest import outbox
from ingest.maintenance.complaints import Complaints
from ingest.maintenance.healing import Healing
from ingest.maintenance.recovery import CALLS, LIMIT, Recovery
from ingest.maintenance.turns import Turns
from ingest.queue import keys
from ingest.queue.transitions import Transitions

#: Calls of sweep for one queue in one round: what is swept waits for nobody.
SWEEPS: Final = 10
#: Who holds RQ's own locks, whichever process is leader: the next one keeps them without a gap.
LOCK_OWNER: Final = "queueadmin-maintenance"
#: Seconds; RQ's schedulers hold theirs for as long.
LOCK: Final = 60


class Round:
    """The steps, in the order of their haste."""

    def __init__(self, connection: redis.Redis, queues: Sequence[str]) -> None:
        self._connection = connection
        self._queues = queues
        self._transitions = Transitions(connection)
        self._recovery = Recovery(connection, self._transitions)
        self._healing = Healing(connection, self._transitions, queues)
        self._turns = Turns(connection, self._transitions)
        self._complaints = Complaints()

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Everything once, as long as `goes_on()`. A step that fails does not keep the others from running.

        Raises redis.ConnectionError or TimeoutError: then none of them can.
        """
        steps: dict[str, Callable[[str], None]] = {
            "holding RQ's locks": self._hold_locks,
            "promoting": self._promote,
            "recovering": self._recovery.step,
            "sweeping": self._sweep,
        }
        for what, step in steps.items():
            for queue in self._queues:
                if not goes_on():
                    return
                self._try(f"{what} in queue {queue}", partial(step, queue))
        for what, last in {
            "telling callbacks": self._tell,
            "healing": self._healing.step,
            "passing turns on": self._turns.step,
        }.items():
            if goes_on():
                self._try(what, last)

    def forget(self) -> None:
        """Begin anew after an outage, or after another one led."""
        self._recovery.forget()
        self._healing.forget()

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except (redis.ConnectionError, redis.TimeoutError):
            raise
        except Exception as error:
            self._complaints.wrong(what, error, expected=isinstance(error, redis.RedisError))
        else:
            self._complaints.right(what)

    def _promote(self, queue: str) -> None:
        for _ in range(CALLS):
            if self._transitions.promote(queue, limit=LIMIT) < LIMIT:
                break

    def _sweep(self, queue: str) -> None:
        for _ in range(SWEEPS):
            if self._transitions.sweep(queue, limit=LIMIT) < LIMIT:
                break

    def _tell(self) -> None:
        outbox.dispatch(self._connection, self._transitions)

    def _hold_locks(self, queue: str) -> None:
        """RQ's schedulers and clean-ups do nothing while these locks are held: they move jobs in several steps."""
        for lock in (RQScheduler.get_locking_key(queue), f"{keys.PREFIX}:clean_registries:{queue}"):
            acquire_or_refresh_lock(self._connection, lock, LOCK_OWNER, LOCK)
