"""Running events: saving them once and handing the new ones to their kind's handler.

Delivery is at least once, so a run may be a repetition. The row is the proof: it is inserted with
ON CONFLICT DO NOTHING, in the same transaction as the handler's own writes, and the handler gets
only the events whose row is new. So for handlers that touch the database alone, effects happen once.
"""

import random
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from rq import get_current_job
from rq.job import Job

from ingest.kinds import KINDS, Kind, faults
from ingest.kinds.errors import PermanentError
from ingest.queue.payload import FUNCTION, Payload, Unreadable, from_envelope
from ingest.store import save_events

#: Tries of one transaction that meets a lock, a deadlock or a serialization failure. SQLite has
#: waited 20 s for its lock by then, so there it is tried once more, not five times.
TRIES: Final = 5
SQLITE_TRIES: Final = 2


class DatabaseAway(Exception):
    """The database cannot be reached, or is locked for too long: no event's fault."""


def allowed_functions() -> frozenset[str]:
    """The functions that a job may name, whoever enqueued it. Anything else in Redis runs nothing."""
    return frozenset({FUNCTION, *settings.ALLOWED_JOB_FUNCTIONS})


def process_event(envelope: Mapping[str, Any]) -> None:
    """The RQ function: run one event. A stock worker calls it; the batch worker runs many at once.

    Raises what the handler raises; a PermanentError or Unreadable takes the job's retries away first.
    """
    job = get_current_job()
    try:
        payload = from_envelope(envelope)
        kind = KINDS.get(payload.kind)
        if kind is None:
            raise Unreadable(f"the kind {payload.kind!r} is not known")
        process(kind, [(payload, _executions_before(job) if job else 0)])
    except (PermanentError, Unreadable):
        if job is not None:
            job.retries_left = 0
        raise


def process(kind: Kind, events: Sequence[tuple[Payload, int]]) -> None:
    """Run events of one kind, each with the number of its executions before this one: all or none.

    Raises DatabaseAway, or whatever the handler or one of the events raises; nothing is stored then.
    """
    # Before the transaction, since `slow` must not hold SQLite's one write lock; the slow ones last,
    # so that an event that fails is found before anybody waits.
    for payload, attempts in sorted(events, key=lambda event: b'"slow:' in event[0].body):
        faults.apply(payload, attempts)
    payloads = [payload for payload, _ in events]
    tries = SQLITE_TRIES if connection.vendor == "sqlite" else TRIES
    for number in range(1, tries + 1):
        try:
            _store(kind, payloads)
        except (DatabaseError, InterfaceError) as error:
            trouble = _trouble(error)
            if trouble is None:
                raise
            if trouble == "away" or number == tries:
                with suppress(DatabaseError, InterfaceError):
                    connection.close()
                raise DatabaseAway(str(error)) from error
        except Exception:
            raise
        except BaseException:
            # Raised by a signal (time is over), perhaps in the middle of BEGIN or COMMIT.
            _disconnect()
            raise
        else:
            return
        time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**number)  # noqa: S311 - spreads tries, no secret


@transaction.atomic
def _store(kind: Kind, payloads: Sequence[Payload]) -> None:
    fresh = save_events(payloads)
    kind.handler([payload for payload in payloads if payload.id in fresh])


def _executions_before(job: Job) -> int:
    """How often a job that a stock worker runs was executed: our count, or the retries it has used."""
    counted = int(job.connection.hget(job.key, "attempts") or 0)
    return max(counted, len(job.retry_intervals or ()) - (job.retries_left or 0))


def _trouble(error: Exception) -> Literal["again", "away"] | None:
    """What the database's error asks for: another try, waiting for it, or nothing (a fault of the event)."""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return "again" if code in _SQLITE_AGAIN else "away" if code in _SQLITE_AWAY else None
    if isinstance(error, InterfaceError):
        return "away"
    state = getattr(cause, "sqlstate", None)
    if state is None:
        return "away" if isinstance(error, OperationalError) else None
    return "again" if state in _SQLSTATE_AGAIN else "away" if state.startswith(_SQLSTATE_AWAY) else None


#: A lock that somebody else holds.
_SQLITE_AGAIN: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
#: The file or its disk.
_SQLITE_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
#: Serialization failure, deadlock, lock not available.
_SQLSTATE_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})
#: Connection, resources, shutdown, idle timeouts, a replica's read-only answer, the server's own disk.
_SQLSTATE_AWAY: Final = ("08", "53", "57P", "25P03", "25006", "58")


def database_answers() -> bool:
    """Whether a transaction that writes can begin now."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        with suppress(DatabaseError, InterfaceError):
            connection.close()
        return False
    return True


def _disconnect() -> None:
    """Leave the connection as a new one would be, whatever state a signal left it in."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    with suppress(DatabaseError, InterfaceError):
        connection.connect()  # also forgets a half-ended transaction
