"""Writes the index, beside the publisher: what is new at once, and everything again and again, both ways.

The registries are read by their scores, so a dead letter costs Redis some microseconds, once. What that does not meet
(a stock worker's, which may have any score; what came back from the trash to its old place; what left) the two sweeps
find: from the registries to rows that are missing, and from rows to jobs that have gone.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.conf import settings
from django.db import Error, close_old_connections, connections
from django.db.models import Count

from ingest.database import DatabaseAway
from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.reading.cursors import Place, newest, oldest
from ingest.reading.fields import pipelined
from queueadmin.console import dead_letters
from queueadmin.console.failures import changes, groups, writing
from queueadmin.console.failures.finding import PLACE, entry
from queueadmin.console.failures.names import name_of
from queueadmin.console.failures.state import State, come_back, tell
from queueadmin.console.models import Failure

logger = logging.getLogger(__name__)

#: Seconds between two steps when nothing is heard of, and that a step takes at most.
STEP: Final = 1.0
LONGEST: Final = 1.0
#: Dead letters that are written in one transaction, their events in memory: a MiB each at most.
WRITTEN: Final = 50
#: Entries of a registry, or rows, that a sweep compares at once, and in one step when both agree on the count.
COMPARED: Final = 500
#: Ids that were heard of and wait; more are found by their scores.
HEARD: Final = 10_000
#: Counting takes this share of the time at most: 100,000 rows take 10 ms.
COUNTING: Final = 0.05
#: Seconds between two looks for groups that are over.
FORGETTING: Final = 3600.0

Entry = tuple[str, str, float]


class Indexer:
    """A thread of its own that works while `leads()`. A second one beside it does no harm."""

    def __init__(self, client: redis.Redis, leads: Callable[[], bool]) -> None:
        self._client = client
        self._leads = leads
        self._stop = threading.Event()
        self._wake = threading.Event()
        # Not joined at exit: a question may take as long as the network lets it.
        self._thread = threading.Thread(target=self._run, name="failures", daemon=True)
        self._heard: deque[tuple[str, str]] = deque(maxlen=HEARD)
        self._away = False
        self._begin()

    def _begin(self) -> None:
        #: By queue: the newest place that was read; where the sweep is, None: at the beginning.
        self._read: dict[str, Place | None] = {}
        self._swept: dict[str, Place | None] = dict.fromkeys(settings.PRIORITIES)
        #: Queues whose registry this sweep has seen whole; and the key of the last row that was looked after.
        self._whole: set[str] = set()
        self._row = 0
        self._rows_whole = self._complete = False
        self._rows = 0
        self._count_at = self._refresh_at = self._forget_at = 0.0
        self._dirty: set[str] = set()
        #: What `come_back` said before the last look, and before the one of which all that was heard is written by now.
        self._came_back: int | None = None
        self._known = 0
        #: Dead letters without a row that this pass of the sweeps met, and how many the pass before did.
        self._met: set[str] = set()
        self._left_out = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def hear(self, event: dict[str, Any]) -> None:
        """Something happened to jobs, as `keys.EVENTS` tells it. For any thread; never waits."""
        queue, ids = event.get("queue"), event.get("ids")
        if event.get("event") == "failed" and isinstance(queue, str) and isinstance(ids, list):
            self._heard.extend((queue, job_id) for job_id in ids if isinstance(job_id, str))
            self._wake.set()

    def step(self) -> State:
        """Index what is new, and sweep on. Raises RedisError, DatabaseAway and DatabaseError."""
        end = time.monotonic() + LONGEST
        came_back = come_back(self._client)
        # Whoever was restored as long ago as a look was heard of before this one begins.
        self._known = came_back if self._came_back is None else self._came_back
        self._came_back = came_back
        self._take_heard()
        self._take_stale()
        for queue in settings.PRIORITIES:
            self._take_new(queue, end)
        while True:
            self._sweep_registries()
            self._sweep_rows()
            if len(self._whole) == len(self._swept) and self._rows_whole:
                self._end_pass()
            found = self._state()
            if (self._complete and found.rows == found.dead_letters - found.left_out) or time.monotonic() >= end:
                break
        self._refresh()
        found = self._state()
        tell(self._client, found)
        return found

    # --- what is new -------------------------------------------------------------------------------

    def _take_heard(self) -> None:
        heard = {self._heard.popleft() for _ in range(len(self._heard))}
        for queue in settings.PRIORITIES:
            ids = [job_id for name, job_id in heard if name == queue]
            for chunk in chunks(ids, COMPARED):
                scores = self._client.zmscore(keys.failed(queue), list(chunk))
                self._index(
                    [(queue, each, score) for each, score in zip(chunk, scores, strict=True) if score is not None]
                )

    def _take_stale(self) -> None:
        """Rows of jobs that were changed where they stand."""
        rows = Failure.objects.filter(version=0).order_by("pk").values_list(*PLACE)
        self._index([entry(*row) for row in rows[:COMPARED]])
        if noted := changes.waiting(self._client, COMPARED):
            rows = Failure.objects.filter(job_id__in=list(map(name_of, noted))).values_list(*PLACE)
            self._index([entry(*row) for row in rows])
            changes.done(self._client, noted)

    def _take_new(self, queue: str, end: float) -> None:
        """From the newest that was read on; at first from the newest that stands there, the sweep does the rest."""
        if queue not in self._read:
            top = newest(self._client, keys.failed(queue), None, 1)
            self._read[queue] = (top[0][1], top[0][0]) if top else None
        while time.monotonic() < end:
            page = oldest(self._client, keys.failed(queue), self._read[queue], COMPARED)
            self._missing(queue, page)
            if page:
                self._read[queue] = (page[-1][1], page[-1][0])
            if len(page) < COMPARED:
                return

    # --- both ways ---------------------------------------------------------------------------------

    def _sweep_registries(self) -> None:
        """Of each registry the next entries that have no row."""
        for queue, stood in self._swept.items():
            page = oldest(self._client, keys.failed(queue), stood, COMPARED)
            self._missing(queue, page)
            if len(page) < COMPARED:
                self._swept[queue] = None
                self._whole.add(queue)
            else:
                self._swept[queue] = (page[-1][1], page[-1][0])

    def _sweep_rows(self) -> None:
        """The next rows whose job is no dead letter any more."""
        rows = list(
            Failure.objects.filter(pk__gt=self._row).order_by("pk").values_list("pk", "fingerprint", *PLACE)[:COMPARED]
        )
        places = [entry(*row[2:]) for row in rows]
        gone = []
        for queue in {place[0] for place in places}:
            own = [(row[1], place) for row, place in zip(rows, places, strict=True) if place[0] == queue]
            scores = self._client.zmscore(keys.failed(queue), [place[1] for _, place in own])
            gone += [each for each, score in zip(own, scores, strict=True) if score is None]
        writing.forget((job_id, score) for _, (_, job_id, score) in gone)
        self._dirty.update(fingerprint for fingerprint, _ in gone)
        self._rows -= len(gone)
        self._row = rows[-1][0] if len(rows) == COMPARED else 0
        self._rows_whole = self._rows_whole or not self._row

    def _end_pass(self) -> None:
        """Everything was compared since the last time, in both directions."""
        self._complete = True
        self._left_out = len(self._met)
        self._met.clear()
        self._whole.clear()
        self._rows_whole = False
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGETTING
            groups.forget_old(datetime.now(UTC))

    def _missing(self, queue: str, page: Sequence[tuple[str, float]]) -> None:
        """Index those of these entries that have no row, or one of an earlier failure or of an earlier version."""
        rows = Failure.objects.filter(job_id__in=[name_of(job_id) for job_id, _ in page], queue=queue)
        kept = {name: place for name, *place in rows.values_list("job_id", "score", "version")}
        self._index(
            [(queue, job_id, score) for job_id, score in page if kept.get(name_of(job_id)) != [score, writing.VERSION]]
        )

    def _index(self, entries: Iterable[Entry]) -> None:
        for chunk in chunks(entries, WRITTEN):
            records = list(dead_letters.records(self._client, chunk, events=True))
            self._met.update({job_id for _, job_id, _ in chunk} - {record.id for record in records})
            first = writing.first_failures(self._client, records)
            self._dirty |= writing.write(records, first, now=datetime.now(UTC))
            self._count_at = 0.0

    # --- counts --------------------------------------------------------------------------------------

    def _state(self) -> State:
        now = time.monotonic()
        if now >= self._count_at:
            self._rows = Failure.objects.aggregate(count=Count("id"))["count"]
            taken = time.monotonic() - now
            self._count_at = now + max(STEP, taken / COUNTING)
        dead = sum(pipelined(self._client, "zcard", [keys.failed(queue) for queue in settings.PRIORITIES]))
        return State(
            self._complete, self._rows, dead, max(self._left_out, len(self._met)), dict(self._read), self._known
        )

    def _refresh(self) -> None:
        """Count the groups that changed, but not for more than a tenth of the time."""
        now = time.monotonic()
        if not self._dirty or now < self._refresh_at:
            return
        dirty, self._dirty = self._dirty, set()
        try:
            groups.refresh(dirty)
        except Exception:
            self._dirty |= dirty
            raise
        self._refresh_at = now + 10 * (time.monotonic() - now)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(STEP)
            self._wake.clear()
            if self._stop.is_set():
                break
            if not self._leads():
                self._begin()
                continue
            try:
                close_old_connections()
                self.step()
                self._away = False
            except (redis.RedisError, OSError, Error, DatabaseAway) as error:
                if not self._away:
                    logger.warning("the index of dead letters waits: %s", error)
                self._away = True
            except Exception:
                logger.exception("the index of dead letters waits")
                self._away = True
            # Steps are apart even while a thousand fail a second.
            self._stop.wait(STEP / 4)
        connections.close_all()
