"""One leader at a time, by a lease in Redis; others stand by and take over within LEASE seconds.

Two at once would do no harm, since each step is one script, or one that a second doing it changes nothing of.
"""

import logging
import time
from typing import Final

import redis
from rq.scripts import acquire_or_refresh_lock, release_lock

from ingest.queue import keys

logger = logging.getLogger(__name__)

#: Seconds for which a leader that says nothing stays the leader; with a standby that asks each second it is replaced
#: within 15 s.
LEASE: Final = 12


class Leadership:
    """This process's part in it, under `name`."""

    def __init__(self, connection: redis.Redis, name: str) -> None:
        self.name = name
        self._connection = connection
        self._leads: bool | None = None
        #: time.monotonic() until which the lease is surely ours; it counts while the process is stopped, too.
        self._until = 0.0

    @property
    def leads(self) -> bool:
        """Whether the lease is ours now, without asking."""
        return bool(self._leads) and time.monotonic() < self._until

    @property
    def lapsed(self) -> bool:
        """Whether it was ours and its time is over: this process was stopped, or Redis takes very long."""
        return bool(self._leads) and not self.leads

    def lead(self) -> bool:
        """Become or stay the leader; false while another one is."""
        asked = time.monotonic()
        leads = acquire_or_refresh_lock(self._connection, keys.LEADER, self.name, LEASE) != "taken"
        if leads != self._leads:
            logger.info("%s %s", self.name, "leads" if leads else "stands by")
        self._leads, self._until = leads, asked + LEASE
        return leads

    def resign(self) -> None:
        """Give the lease up at once, if it is ours and Redis can be told."""
        self._leads = None
        try:
            if release_lock(self._connection, keys.LEADER, self.name):
                logger.info("%s gave up the lead", self.name)
        except redis.RedisError as error:
            logger.warning("Redis was not told (%s); the lead lapses within %d s", error, LEASE)
