"""One process of `manage.py maintain`: leader or standby, round after round.

Nothing here ends with Redis or with the database: it waits and goes on.
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
from django.utils.module_loading import import_string

from ingest.maintenance.beside import Beside
from ingest.maintenance.direct import Direct
from ingest.maintenance.draining import Draining
from ingest.maintenance.leader import Leadership
from ingest.maintenance.mirror import Mirror
from ingest.maintenance.recovery import queues
from ingest.maintenance.retention import Retention
from ingest.maintenance.round import Round
from ingest.maintenance.schedules import Schedules
from ingest.queue.connections import single_try

logger = logging.getLogger(__name__)

#: Seconds between two rounds, and between a standby's tries.
ROUND: Final = 1.0
#: The longest wait for Redis, in seconds; short, since due retries wait for this process, and since a Redis that
#: came back empty must be noticed within 5 s.
LONGEST_WAIT: Final = 2.0


class Maintenance:
    """The leader's rounds, or a standby's waiting for them."""

    def __init__(self, connection: redis.Redis, *, name: str | None = None) -> None:
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._leadership = Leadership(connection, self.name)
        self._round = Round(connection, queues())
        # Each runs in a thread beside the rounds, and so has a client of its own.
        self.schedules = Schedules(single_try(connection, connections=1))
        self.mirror = Mirror(single_try(connection, connections=1), queues())
        self.retention = Retention(single_try(connection, connections=1))
        self.draining = Draining(single_try(connection, connections=1), lambda: self._leadership.leads)
        self.direct = Direct(single_try(connection, connections=1))
        self._more = [
            (what, import_string(path)(single_try(connection, connections=1)).step)
            for what, path in settings.MAINTENANCE_STEPS.items()
        ]

    def run(self, stopped: Callable[[], bool]) -> None:
        """Round after round until `stopped()`; then the lease is given up, so that a standby takes over."""
        beside = [
            Beside("firing schedules", self.schedules.step, lambda: self._leadership.leads),
            Beside("mirroring Redis to the database", self.mirror.step, lambda: self._leadership.leads),
            Beside("removing what is no longer kept", self.retention.step, lambda: self._leadership.leads),
            Beside("draining the spool", self.draining.step, lambda: self._leadership.leads),
            # Nobody leads while Redis is away; two who do it at once double nothing.
            Beside("running spooled events without Redis", self.direct.step, lambda: True),
        ]
        beside += [Beside(what, step, lambda: self._leadership.leads) for what, step in self._more]
        for each in beside:
            each.start()
        try:
            self._rounds(stopped)
        finally:
            for each in beside:
                each.stop()
            for each in beside:
                each.join()
            self.resign()

    def _rounds(self, stopped: Callable[[], bool]) -> None:
        wait = ROUND
        while not stopped():
            started = time.monotonic()
            try:
                if self.lead():
                    self.round()
                wait = ROUND
            except redis.RedisError as error:
                logger.error("Redis does not answer (%s); again in %.0f s", error, wait)
                self._round.forget()
                wait = min(wait * 2, LONGEST_WAIT)
            except Exception:
                logger.exception("a round of maintenance failed; the next one follows")
            while not stopped() and (left := started + wait - time.monotonic()) > 0:
                time.sleep(min(left, 0.1))

    def lead(self) -> bool:
        """Become or stay the leader; false while another one is."""
        led = self._leadership.leads
        leads = self._leadership.lead()
        if not led:
            self._round.forget()
        return leads

    def resign(self) -> None:
        """Give the lease up at once, if it is ours and Redis can be told."""
        self._leadership.resign()

    def round(self) -> None:
        """Everything in Redis once; it ends early when the lease lapses meanwhile."""
        self._round.run(lambda: not self._leadership.lapsed)
