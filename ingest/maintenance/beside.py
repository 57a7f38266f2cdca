"""Runs a step that needs the database in a thread of its own, so that a database that hangs holds nothing else up."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import redis
from django.db import DatabaseError, InterfaceError, connection

from ingest.database import DatabaseAway
from ingest.maintenance.complaints import Complaints

logger = logging.getLogger(__name__)

#: Seconds between two steps.
BEAT: Final = 1.0
#: Seconds that the end waits for a step; a hanging one is left behind, and repeated by the next leader.
GRACE: Final = 2.0


class Beside:
    """`step()` about each second while `leads()`, from `start` to `stop`."""

    def __init__(self, what: str, step: Callable[[], None], leads: Callable[[], bool]) -> None:
        self._what = what
        self._step = step
        self._leads = leads
        self._complaints = Complaints()
        self._stopped = threading.Event()
        # A daemon: a database that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no further step."""
        self._stopped.set()

    def join(self) -> None:
        """Wait for the step that runs, but not for long."""
        self._thread.join(GRACE)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                started = time.monotonic()
                if self._leads():
                    self._once()
                self._stopped.wait(max(started + BEAT - time.monotonic(), 0))
        finally:
            connection.close()

    def _once(self) -> None:
        try:
            self._step()
        except redis.RedisError as error:
            self._complaints.wrong(self._what, error, expected=True)
        except (DatabaseError, InterfaceError, DatabaseAway) as error:
            self._complaints.wrong(self._what, error, expected=True)
            _disconnect()
        except Exception as error:
            self._complaints.wrong(self._what, error, expected=False)
            _disconnect()
        else:
            self._complaints.right(self._what)


def _disconnect() -> None:
    """The next step opens a connection anew."""
    try:
        connection.close()
    except (DatabaseError, InterfaceError):
        logger.debug("the connection was broken already")
