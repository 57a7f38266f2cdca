"""The publisher's part: entries that waited go to the database, and the chain is looked over."""

import logging
import threading
import time
from dataclasses import asdict
from datetime import datetime
from typing import Final

import msgspec
import redis
from django.db import Error, close_old_connections, connections
from django.utils import timezone

from ingest.queue import keys
from queueadmin.console.audit import chain, waiting

logger = logging.getLogger(__name__)

#: Seconds between two looks at what waits.
STEP: Final = 1.0
#: Seconds between two checks of the entries that are new, and of all: 100,000 take about 1.5 s of a processor.
NEW_SECONDS: Final = 5.0
ALL_SECONDS: Final = 6 * 3600.0


class LastCheck(msgspec.Struct, frozen=True):
    """The newest check of the chain, as pages show it."""

    at: datetime
    entries: int
    since: datetime | None
    broken: int | None
    broken_at: datetime | None


def last_check(client: redis.Redis) -> LastCheck | None:
    """What the publisher found last. Raises redis.RedisError."""
    text = client.get(keys.AUDIT_CHECKED)
    try:
        return msgspec.json.decode(text, type=LastCheck) if text else None
    except msgspec.MsgspecError:
        return None  # written by another version


class Keeper:
    """A thread of its own: a database that hangs holds nothing else up. It goes on through every outage."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._stop = threading.Event()
        # Not joined at exit: a question may take as long as the network lets it.
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._checked: chain.Checked | None = None
        self._all_at = self._new_at = 0.0
        self._away = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def step(self) -> None:
        """Move what waits, and check the chain when it is time. Raises redis.RedisError and django.db.Error."""
        if waiting.count(self._client):
            logger.info("%d entries of the audit log that waited are written", waiting.drain(self._client))
        now = time.monotonic()
        if self._new_at and now < self._new_at:
            return
        if self._checked is None or self._checked.broken is not None or now >= self._all_at:
            self._checked, self._all_at = chain.verify(), now + ALL_SECONDS
        else:
            self._checked = chain.verify(self._checked)
        self._new_at = now + NEW_SECONDS
        self._tell(self._checked)

    def _tell(self, found: chain.Checked) -> None:
        if found.broken is not None:
            logger.critical("the audit log: %s", found.sentence)
        fields = {name: value for name, value in asdict(found).items() if name in LastCheck.__struct_fields__}
        self._client.set(keys.AUDIT_CHECKED, msgspec.json.encode(LastCheck(at=timezone.now(), **fields)))

    def _run(self) -> None:
        while not self._stop.wait(STEP):
            try:
                close_old_connections()
                self.step()
                self._away = False
            except (redis.RedisError, OSError, Error) as error:
                if not self._away:
                    logger.warning("the audit log waits: %s", error)
                self._away = True
            except Exception:
                logger.exception("the audit log waits")
        connections.close_all()
