"""One turn: take what is due, run each as its kind's handler wants to be run, and write down what became of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from asgiref.sync import sync_to_async

from ingest import database, effects, jobs, outbox
from ingest.kinds import Context, Kind, kind_of
from ingest.models import SpooledEvent
from ingest.queue.payload import Payload, Unreadable, decode
from ingest.signals import tell_dead
from ingest.spool import turns
from ingest.spool.rows import insert, rest
from ingest.worker.failures import failure

logger = logging.getLogger(__name__)

#: Events in one turn: what came meanwhile and is more urgent waits for its end.
TURN: Final = 100


@dataclass(frozen=True, slots=True)
class Entry:
    row: SpooledEvent
    payload: Payload
    kind: Kind


class Running:
    """Runs events one turn after the other; `ends()` says that no further one may begin."""

    def __init__(self, ends: Callable[[], bool]) -> None:
        self._ends = ends

    def turn(self) -> int:
        """Return how many were taken. Raises DatabaseAway and DatabaseError; what was not run is given back."""
        rows = turns.take(TURN)
        left = {row.id: row for row in rows}
        try:
            by_kind: dict[Kind, list[Entry]] = {}
            for row in rows:
                entry = self._read(row, left)
                if entry is not None:
                    by_kind.setdefault(entry.kind, []).append(entry)
            for kind, entries in by_kind.items():
                if kind.batch:
                    self._run_group(kind, entries, left)
                elif kind.is_async:
                    for start in range(0, len(entries), kind.concurrency):
                        self._run_async(kind, entries[start : start + kind.concurrency], left)
                else:
                    for entry in entries:
                        self._run_one(entry, left)
        finally:
            if left:
                turns.release(list(left.values()))
        return len(rows)

    def _read(self, row: SpooledEvent, left: dict[str, SpooledEvent]) -> Entry | None:
        try:
            payload = decode(bytes(row.data), row.id)
            kind = kind_of(payload)
        except Unreadable as error:
            self._failed(row, error, left)
            return None
        return Entry(row, payload, kind)

    def _run_group(self, kind: Kind, entries: Sequence[Entry], left: dict[str, SpooledEvent]) -> None:
        """All in one transaction; if that fails, each half again, until the bad event stands alone."""
        if self._ends():
            return
        try:
            jobs.process(kind, [(entry.payload, entry.row.attempts) for entry in entries])
        except database.DatabaseAway:
            raise
        except BaseException as error:
            if len(entries) == 1:
                self._failed(entries[0].row, error, left)
                return
        else:
            self._done([entry.row for entry in entries], left)
            return
        # Not in the except clause: Python would chain this error, of whichever event, to those of the halves.
        middle = len(entries) // 2
        self._run_group(kind, entries[:middle], left)
        self._run_group(kind, entries[middle:], left)

    def _run_one(self, entry: Entry, left: dict[str, SpooledEvent]) -> None:
        """A sync effect handler, in this thread."""
        if self._ends():
            return
        try:
            if not effects.begin([entry.payload]):
                effects.run(entry.kind, entry.payload, self._context(entry))
                effects.finish([entry.payload])
        except database.DatabaseAway:
            raise
        except BaseException as error:
            self._failed(entry.row, error, left)
        else:
            self._done([entry.row], left)

    def _run_async(self, kind: Kind, entries: Sequence[Entry], left: dict[str, SpooledEvent]) -> None:
        """Async effect handlers, on a loop of their own."""
        if self._ends():
            return
        done = effects.begin([entry.payload for entry in entries])
        fresh = [entry for entry in entries if entry.payload.id not in done]
        outcomes = asyncio.run(_together(kind, fresh, self._context)) if fresh else []
        for entry, error in zip(fresh, outcomes, strict=True):
            if isinstance(error, database.DatabaseAway):
                raise error
            if error is not None:
                self._failed(entry.row, error, left)
        failed = {entry.payload.id for entry, error in zip(fresh, outcomes, strict=True) if error is not None}
        ended = [entry for entry in entries if entry.payload.id not in failed]
        effects.finish([entry.payload for entry in ended if entry.payload.id not in done])
        self._done([entry.row for entry in ended], left)

    @staticmethod
    def _context(entry: Entry) -> Context:
        return Context(entry.row.id, attempt=entry.row.attempts + 1)

    def _done(self, rows: Sequence[SpooledEvent], left: dict[str, SpooledEvent]) -> None:
        def settle() -> None:
            for row in turns.finish(rows):
                _tell(row, "finished")

        if rows:
            database.in_transaction(settle)
        for row in rows:
            left.pop(row.id, None)

    def _failed(self, row: SpooledEvent, error: BaseException, left: dict[str, SpooledEvent]) -> None:
        found = failure(row.id, error)
        before = (row.attempts, row.retries_left)

        def settle() -> str:
            row.attempts, row.retries_left = before  # this may be another try
            if state := turns.fail(row, found):
                _tell(row, state)
            return state

        if database.in_transaction(settle) == "failed":
            tell_dead(turns.queue_of(row), found)
        left.pop(row.id, None)


async def _together(
    kind: Kind, entries: Sequence[Entry], context: Callable[[Entry], Context]
) -> list[BaseException | None]:
    async def run(entry: Entry) -> None:
        async with asyncio.timeout(kind.timeout):
            await effects.run_async(kind, entry.payload, context(entry))

    results: list[Any] = await asyncio.gather(*map(run, entries), return_exceptions=True)
    # The threads of Django's async methods have connections of their own.
    await sync_to_async(database.close_broken)()
    return [result if isinstance(result, BaseException) else None for result in results]


def _tell(row: SpooledEvent, event: str) -> None:
    """Whoever asked for it is told by a job, as of an outbox."""
    callback = rest(row).callback
    if not callback:
        return
    line: dict[str, Any] = {
        "event": event,
        "id": row.id,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "queue": turns.queue_of(row),
        "callback": callback,
        "kind": row.kind,
        "source": row.source,
        "tenant": row.tenant,
        "event_id": row.event_id,
        "attempts": row.attempts,
    }
    if event != "finished":
        line["error"] = {"type": row.error_type, "message": row.error_message, "reason": row.reason}
    job = outbox.job_of(msgspec.json.encode(line))
    if job is not None:
        insert([job])
