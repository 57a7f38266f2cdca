"""The threads in the web process: one keeps the lease, one runs events."""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connection

from ingest.database import DatabaseAway
from ingest.maintenance.retention import Retention
from ingest.signals import tell_dead
from ingest.spool import lease, turns
from ingest.spool.known import known
from ingest.standalone.running import Running

logger = logging.getLogger(__name__)

#: Seconds between two renewals of the lease.
RENEW: Final = 2.0
#: The longest wait for something to do: another web process may have stored it.
LONGEST: Final = 0.5
#: Seconds after trouble with the database.
AGAIN: Final = 1.0
#: Seconds between two sweeps.
SWEEP: Final = 60.0
#: Seconds that the end waits for the handlers that run.
GRACE: Final = 4.0


class Process:
    """Runs events from `start` to `stop`, while it has the lease."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or lease.own_name()
        self._stopped = threading.Event()
        #: time.monotonic() until which the lease is surely ours.
        self._until = 0.0
        self._running = Running(lambda: self._stopped.is_set() or not self.leads)
        # Daemons: a handler or a database that hangs must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._beside(self._keep), name="spool-lease", daemon=True),
            threading.Thread(target=self._beside(self._run), name="spool-run", daemon=True),
        ]

    @property
    def leads(self) -> bool:
        return time.monotonic() < self._until

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, give back what was not begun, and give up the lease."""
        self._stopped.set()
        known.bell.set()
        end = time.monotonic() + GRACE
        for thread in reversed(self._threads):
            thread.join(max(end - time.monotonic(), 0))

    def _keep(self) -> None:
        led = False
        while not self._stopped.is_set():
            asked = time.monotonic()
            if lease.hold(self.name):
                if not led:
                    logger.info("%s runs what is spooled", self.name)
                    for queue, failure in turns.recover():
                        tell_dead(queue, failure)
                    # Only now: what is marked as started is of others before, and ours after.
                led, self._until = True, asked + lease.LEASE
            elif led:
                led, self._until = False, 0.0
                logger.warning("another process runs what is spooled")
            self._stopped.wait(RENEW)
        # Not before the other thread has ended: a second one would run the same.
        self._threads[1].join(GRACE)
        if not self._threads[1].is_alive():
            lease.resign(self.name)

    def _run(self) -> None:
        swept = time.monotonic()
        retention = Retention(None)
        while not self._stopped.is_set():
            known.bell.clear()
            if self.leads and self._running.turn():
                continue
            if self.leads and time.monotonic() - swept > SWEEP:
                swept = time.monotonic()
                turns.sweep()
            if self.leads:
                retention.step()
            known.bell.wait(self._wait())

    def _wait(self) -> float:
        due = turns.next_due() if self.leads else None
        if due is None:
            return LONGEST
        return min(max((due - datetime.now(UTC)).total_seconds(), 0.01), LONGEST)

    def _beside(self, loop: Callable[[], None]) -> Callable[[], None]:
        """The loop, again and again: it ends with nothing but `stop`."""

        def run() -> None:
            try:
                while not self._stopped.is_set():
                    try:
                        loop()
                    except (DatabaseError, InterfaceError, DatabaseAway) as error:
                        logger.error("the database does not answer (%s); again in %.0f s", error, AGAIN)
                        connection.close()
                        self._stopped.wait(AGAIN)
                    except Exception:
                        logger.exception("running what is spooled begins again")
                        connection.close()
                        self._stopped.wait(AGAIN)
            finally:
                connection.close()

        return run


def start() -> Process:
    """In this process, until it ends; what was not begun by then is given back."""
    process = Process()
    process.start()
    atexit.register(process.stop)
    return process
