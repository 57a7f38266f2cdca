"""The leader's round: takes back what dead workers held, and brings what is due to its queue.

One leader at a time, by a lease in Redis; others stand by and take over within LEASE seconds. Two at
once would do no harm, since each step is one script. Nothing here ends with Redis: it waits and goes on.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Final

import redis
from django.conf import settings
from rq.scheduler import RQScheduler
from rq.scripts import acquire_or_refresh_lock, release_lock

from ingest.queue import keys
from ingest.queue.transitions import Transitions

logger = logging.getLogger(__name__)

#: Seconds for which a leader that says nothing stays the leader.
LEASE: Final = 15
#: Seconds between two rounds, and between a standby's tries.
ROUND: Final = 1.0
#: Jobs in one script call, and calls for one queue in one round: a long list must not keep the
#: other queues waiting; 5,000 jobs a second is far above what workers drain.
LIMIT: Final = 100
CALLS: Final = 50
#: Seconds that a lapsed lease is left for its worker to renew, and for people to see it as stalled. After
#: an outage of Redis live workers renew within a second or two; a lapse that nobody died of would count as
#: a crash. With a lease of 30 s a dead worker's jobs are back after 37 s at most.
PATIENCE: Final = 5.0
#: The longest wait for Redis, in seconds; short, since due retries wait for this process.
LONGEST_WAIT: Final = 5.0
#: Who holds RQ's own locks, whichever process is leader: the next one keeps them without a gap.
LOCK_OWNER: Final = "queueadmin-maintenance"
#: Seconds; RQ's schedulers hold theirs for as long.
LOCK: Final = 60


class Maintenance:
    """One process of `manage.py maintain`."""

    def __init__(self, connection: redis.Redis, *, name: str | None = None) -> None:
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._connection = connection
        self._transitions = Transitions(connection)
        self._leads: bool | None = None
        self._stalled_since: dict[str, float] = {}  # queue → time.monotonic()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Round after round until `stopped()`; then the lease is given up, so that a standby takes over."""
        wait = ROUND
        while not stopped():
            started = time.monotonic()
            try:
                if self.lead():
                    self.round()
                wait = ROUND
            except redis.RedisError as error:
                logger.error("Redis does not answer (%s); again in %.0f s", error, wait)
                self._stalled_since.clear()
                wait = min(wait * 2, LONGEST_WAIT)
            except Exception:
                logger.exception("a round of maintenance failed; the next one follows")
            while not stopped() and (left := started + wait - time.monotonic()) > 0:
                time.sleep(min(left, 0.1))
        self.resign()

    def lead(self) -> bool:
        """Become or stay the leader; false while another one is."""
        leads = acquire_or_refresh_lock(self._connection, keys.LEADER, self.name, LEASE) != "taken"
        if leads != self._leads:
            logger.info("%s %s", self.name, "leads" if leads else "stands by")
        self._leads = leads
        return leads

    def resign(self) -> None:
        """Give the lease up at once, if it is ours and Redis can be told."""
        try:
            if release_lock(self._connection, keys.LEADER, self.name):
                logger.info("%s gave up the lead", self.name)
        except redis.RedisError as error:
            logger.warning("Redis was not told (%s); the lead lapses within %d s", error, LEASE)
        self._leads = None

    def round(self) -> None:
        """Everything once. A step that fails does not keep the others from running."""
        for queue in queues():
            self._hold_locks(queue)
            try:
                self._promote(queue)
                self._recover(queue)
            except (redis.ConnectionError, redis.TimeoutError):
                raise
            except redis.RedisError:
                logger.exception("queue %s could not be maintained; the next round tries again", queue)

    def _promote(self, queue: str) -> None:
        for _ in range(CALLS):
            if self._transitions.promote(queue, limit=LIMIT) < LIMIT:
                break

    def _recover(self, queue: str) -> None:
        """Take back what has been stalled for PATIENCE seconds without a break."""
        now = time.monotonic()
        if not stalled(self._connection, queue):
            self._stalled_since.pop(queue, None)
        elif now - self._stalled_since.setdefault(queue, now) >= PATIENCE:
            recover(self._transitions, queue)
            self._stalled_since.pop(queue, None)

    def _hold_locks(self, queue: str) -> None:
        """RQ's schedulers and clean-ups do nothing while these locks are held: they move jobs in several steps."""
        for lock in (RQScheduler.get_locking_key(queue), f"{keys.PREFIX}:clean_registries:{queue}"):
            acquire_or_refresh_lock(self._connection, lock, LOCK_OWNER, LOCK)


def queues() -> tuple[str, ...]:
    """The queues that are maintained: those that the settings name."""
    return tuple(settings.RQ_QUEUES)


def stalled(connection: redis.Redis, queue: str) -> int:
    """How many jobs are held under a lease that lapsed: their workers are gone, or cut off."""
    seconds, microseconds = connection.time()
    now = seconds + microseconds / 1_000_000
    wip = keys.started(queue)
    # A stock worker's leases carry no offset.
    ours = connection.zcount(wip, keys.SCORE_OFFSET, now + keys.SCORE_OFFSET)
    return int(ours) + int(connection.zcount(wip, 0, now))


def recover(transitions: Transitions, queue: str, *, older_than: float | None = None) -> int:
    """Take back the jobs whose lease lapsed (or that run for longer than `older_than` seconds).

    Return how many went back to their queue or became dead letters at their third crash.
    """
    number = 0
    for _ in range(CALLS):
        recovered = transitions.recover(queue, limit=LIMIT, older_than=older_than)
        number += recovered.requeued + recovered.dead
        if recovered.requeued + recovered.dead + recovered.phantom < LIMIT:
            break
    if number:
        logger.warning("queue %s: took back %d jobs of workers that are gone", queue, number)
    return number


def recover_all(transitions: Transitions, *, older_than: float | None = None) -> int:
    """`recover` for every queue, in the order of priority; return the number of jobs taken back."""
    return sum(recover(transitions, queue, older_than=older_than) for queue in queues())
