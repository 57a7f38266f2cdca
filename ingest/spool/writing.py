"""The one thread that writes the spool for acceptance: in groups, one transaction each, and never for long.

A sender waits, and Redis may have taken 0.5 s of its time before. So a call gets WAIT seconds: connecting, locks and
statements are bounded, and what is not ready to be committed in time is rolled back. After a failure nothing is tried
for a second. The thread has a connection of its own, and ends when nothing came for a while.
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, TypeVar

from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from ingest.queue.transitions import EnqueueResult, NewJob
from ingest.spool.known import known
from ingest.spool.rows import delete, insert

T = TypeVar("T")
logger = logging.getLogger(__name__)

#: Seconds that a sender waits for the database.
WAIT: Final = 1.2
#: Of these, what is left for the commit: a transaction that is not complete by then is rolled back.
COMMIT: Final = 0.2
#: Milliseconds for a lock, and for one statement.
STATEMENT_MS: Final = 900
#: After a failure nothing is written for so long.
BREAK: Final = 1.0
#: Rows and bytes of one transaction.
GROUP_ROWS: Final = 200
GROUP_BYTES: Final = 4 * 1024 * 1024
#: The thread ends, and closes its connection, when nothing came for so many seconds.
IDLE: Final = 5.0


class Away(Exception):
    """Nothing was stored: the database is away as well. With `unknown` it went away during the commit."""

    def __init__(self, detail: str, *, unknown: bool = False) -> None:
        super().__init__(detail)
        self.unknown = unknown


def store(jobs: Sequence[NewJob], *, strict: bool = False) -> list[EnqueueResult]:
    """Store each once, all in one transaction; a result for each, in their order.

    `queued` with the state spooled, `duplicate` or `id_reused`. With `strict` an id_reused leaves the others
    `withheld`. Raises Away within about WAIT seconds.
    """
    write = _Write(jobs, strict)
    _writer().put(write)
    with suppress(TimeoutError):
        return write.done.result(WAIT)
    return write.given_up()


async def store_async(jobs: Sequence[NewJob], *, strict: bool = False) -> list[EnqueueResult]:
    """The same on an event loop, which waits for nothing."""
    write = _Write(jobs, strict)
    _writer().put(write)
    waiting = asyncio.wrap_future(write.done)
    done, _ = await asyncio.wait([waiting], timeout=WAIT)
    if done:
        return waiting.result()
    waiting.add_done_callback(lambda late: late.cancelled() or late.exception())
    return write.given_up()


def ask(question: Callable[[], T]) -> "Future[T]":
    """A short read on the same connection. The future raises Away, and whatever the question raises."""
    asked = _Question(question)
    _writer().put(asked)
    return asked.done


def close() -> None:
    """End the thread and its connection; the next use makes a new one."""
    writer = _Writer.current
    if writer is not None and writer.pid == os.getpid():
        writer.end()
    _Writer.current = None


@dataclass(slots=True, eq=False)
class _Group:
    """What shares a transaction. From the moment it is being committed nobody can say that nothing was stored."""

    committing: bool = False


@dataclass(slots=True, eq=False)
class _Write:
    jobs: Sequence[NewJob]
    #: All or none.
    strict: bool = False
    done: "Future[list[EnqueueResult]]" = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + WAIT)
    group: _Group | None = None

    @property
    def size(self) -> int:
        return sum(len(job.data) for job in self.jobs)

    def given_up(self) -> list[EnqueueResult]:
        """Its time is over. The answer if it came in this moment; raises Away otherwise."""
        if self.done.done() and not self.done.cancelled():
            return self.done.result()
        self.done.cancel()  # nothing happens to it any more if the thread did not come to it
        unknown = self.group is not None and self.group.committing
        raise Away("the database does not answer in time", unknown=unknown)


@dataclass(slots=True, eq=False)
class _Question:
    question: Callable[[], Any]
    done: "Future[Any]" = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + WAIT)


class _Late(Exception):
    """The transaction is complete, but too late."""


class _Writer:
    """The thread. Begins with the first thing to do."""

    current: "_Writer | None" = None
    starting: Final = threading.Lock()

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._todo: queue.SimpleQueue[_Write | _Question | None] = queue.SimpleQueue()
        self._running_until: float | None = None
        self._broken_until = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, item: "_Write | _Question") -> None:
        """Raises Away where trying is useless."""
        now = time.monotonic()
        stuck = self._running_until is not None and now > self._running_until
        if stuck or now < self._broken_until:
            raise Away("the database does not answer")
        with self._lock:
            self._todo.put(item)
            if self._thread is None or not self._thread.is_alive():
                # A daemon: a database that never answers must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
                self._thread.start()

    def end(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            self._todo.put(None)
        if thread is not None:
            thread.join(WAIT)

    def _run(self) -> None:
        own = connections["default"].copy()
        own.settings_dict["OPTIONS"] = _bounded(own.vendor, own.settings_dict.get("OPTIONS", {}))
        connections["default"] = own
        try:
            while (item := self._next()) is not None:
                self._do(item)
        finally:
            connection.close()

    def _next(self) -> "_Write | _Question | None":
        while True:
            try:
                return self._todo.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    # Whoever puts something does so under this lock, and starts another thread then.
                    if self._todo.empty():
                        self._thread = None
                        return None

    def _do(self, item: "_Write | _Question") -> None:
        rest: _Question | None = None
        writes: list[_Write] = []
        if isinstance(item, _Write):
            writes, rest, ended = self._group(item)
            if ended:
                self._todo.put(None)
        else:
            rest = item
        if writes := [write for write in writes if write.done.set_running_or_notify_cancel()]:
            self._store(writes)
        if rest is not None and rest.done.set_running_or_notify_cancel():
            self._answer(rest)

    def _group(self, first: _Write) -> "tuple[list[_Write], _Question | None, bool]":
        """What waits, as far as one transaction takes it; the question that came in between."""
        writes, count, size = [first], len(first.jobs), first.size
        while count < GROUP_ROWS and size < GROUP_BYTES:
            try:
                item = self._todo.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, _Write):
                return writes, item, item is None
            writes.append(item)
            count, size = count + len(item.jobs), size + item.size
        return writes, None, False

    def _store(self, writes: "list[_Write]") -> None:
        group = _Group()
        for write in writes:
            write.group = group
        deadline = min(write.deadline for write in writes)
        try:
            results = self._attempt(deadline, lambda: _insert(writes, deadline - COMMIT, group))
        except Exception as error:
            for write in writes:
                write.done.set_exception(_away(error, group))
            return
        known.stored()
        for write in writes:
            write.done.set_result(results[: len(write.jobs)])
            results = results[len(write.jobs) :]

    def _answer(self, question: _Question) -> None:
        try:
            question.done.set_result(self._attempt(question.deadline, question.question))
        except Exception as error:
            question.done.set_exception(_away(error, None))

    def _attempt(self, deadline: float, work: Callable[[], T]) -> T:
        self._running_until = deadline
        try:
            if time.monotonic() > deadline:
                raise _Late
            found = work()
        except Exception as error:
            if self._broken_until <= 0:
                expected = isinstance(error, DatabaseError | InterfaceError | _Late)
                logger.error("the spool cannot be used: %r", error, exc_info=None if expected else error)
            self._broken_until = time.monotonic() + BREAK
            with suppress(Exception):
                connection.close()
            raise
        finally:
            self._running_until = None
        if self._broken_until > 0:
            logger.warning("the spool can be used again")
            self._broken_until = 0.0
        return found


def _writer() -> _Writer:
    writer = _Writer.current
    if writer is None or writer.pid != os.getpid():
        with _Writer.starting:
            writer = _Writer.current
            if writer is None or writer.pid != os.getpid():
                writer = _Writer.current = _Writer()
    return writer


def _insert(writes: "Sequence[_Write]", ready_by: float, group: _Group) -> list[EnqueueResult]:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout={STATEMENT_MS}; SET LOCAL lock_timeout={STATEMENT_MS}")
        results: list[EnqueueResult] = []
        for strict, some in groupby(writes, key=lambda write: write.strict):
            if strict:
                for write in some:
                    results += _insert_all_or_none(write.jobs)
            else:
                results += insert([job for write in some for job in write.jobs])
        group.committing = True
        if time.monotonic() > ready_by:
            group.committing = False
            raise _Late
    return results


def _insert_all_or_none(jobs: Sequence[NewJob]) -> list[EnqueueResult]:
    """What another request of this transaction brings later does not see rows that are taken out again."""
    results = insert(jobs)
    if all(result.outcome != "id_reused" for result in results):
        return results
    taken_out = {result.id for result in results if result.accepted}
    delete(taken_out)
    return [
        EnqueueResult(result.id, "withheld", "") if result.id in taken_out and result.outcome != "id_reused" else result
        for result in results
    ]


def _away(error: Exception, group: _Group | None) -> Away:
    unknown = group is not None and group.committing
    away = Away("the database does not take it", unknown=unknown)
    away.__cause__ = error
    return away


def _bounded(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
    """The connection's options, but for somebody who has no time."""
    if vendor == "sqlite":
        return {**options, "timeout": STATEMENT_MS / 1000}
    # 2 s is libpq's least; whoever waits has given up by then, and nothing is begun any more.
    unheard = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 2, "tcp_user_timeout": 2_000}
    return {**options, "connect_timeout": 2, **unheard}
