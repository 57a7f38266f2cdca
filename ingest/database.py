"""The database's troubles: what an error asks for, another try or waiting, and transactions that are tried again."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")

#: Tries of one transaction that meets a lock, a deadlock or a serialization failure. SQLite has
#: waited 20 s for its lock by then, so there it is tried once more, not five times.
TRIES: Final = 5
SQLITE_TRIES: Final = 2

#: Seconds for a lock where time is over. Not 0: what holds it for a commit alone is waited for.
_HARDLY: Final = 0.1

#: What the database raises; it says nothing yet about whose fault it is.
ERRORS: Final = (DatabaseError, InterfaceError)


class DatabaseAway(Exception):
    """The database cannot be reached, or is locked for too long: no event's fault."""


def tries() -> int:
    """How often a transaction is begun."""
    return SQLITE_TRIES if connection.vendor == "sqlite" else TRIES


def in_transaction(work: Callable[[], T]) -> T:
    """Run `work` in one transaction, again where that may help: all of it or nothing is there after it.

    Raises DatabaseAway, or what `work` raises.
    """
    for number in range(1, tries() + 1):
        try:
            with transaction.atomic():
                return work()
        except ERRORS as error:
            found = trouble(error)
            if found is None:
                raise
            if found == "away" or number == tries():
                close_broken()
                with suppress(*ERRORS):
                    connection.close()
                raise DatabaseAway(str(error)) from error
        except Exception:
            raise
        except BaseException:
            # Raised by a signal (time is over), perhaps in the middle of BEGIN or COMMIT.
            reconnect()
            raise
        time.sleep(wait(number))
    raise AssertionError("unreachable")


def wait(number: int) -> float:
    """Seconds after the `number`-th try: 0.02 to 0.64, spread so that two who met do not meet again."""
    return random.uniform(0.5, 1.0) * 0.02 * 2.0**number  # noqa: S311 - spreads tries, no secret


def trouble(error: Exception) -> Literal["again", "away"] | None:
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
#: Connection, resources, shutdown, a replica's read-only answer, the server's own disk. Not 25P03, a handler that
#: left its transaction idle for longer than a lease: released uncounted it would do so for ever.
_READ_ONLY: Final = "25006"
_SQLSTATE_AWAY: Final = ("08", "53", "57P", _READ_ONLY, "58")


def answers() -> bool:
    """Whether a transaction that writes can begin now. Leaves a connection that works, or none."""
    try:
        with transaction.atomic():
            if takes_writes():  # SQLite takes the write lock at BEGIN
                return True
    except ERRORS:
        pass
    # Also where it takes no writes: that is a setting of the session, and may be another one in the next.
    with suppress(*ERRORS):
        connection.close()
    return False


def takes_writes() -> bool:
    """False: PostgreSQL answers and lets nothing be written, as a replica does. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")
        return bool(cursor.fetchone() == ("off",))


def is_read_only(error: BaseException | None) -> bool:
    """Whether the database raised it because it lets nothing be written."""
    cause = error.__cause__ if isinstance(error, ERRORS) else None
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_READONLY
    return getattr(cause, "sqlstate", None) == _READ_ONLY


@contextmanager
def bounded_locks(seconds: float) -> Iterator[None]:
    """Within, this thread waits for SQLite's lock for so long, once; after that it hardly waits any more.

    SQLite's own time-out counts anew for each statement, and whoever waits for an answer meets the lock several times:
    when an intent is recorded, when it is tried again, when the session is saved. PostgreSQL has no lock for all.
    """
    own = connections["default"]
    if own.vendor != "sqlite":
        yield
        return
    usual = own.settings_dict
    # Of this thread alone, and for the connections that it makes meanwhile.
    own.settings_dict = {**usual, "OPTIONS": {**usual["OPTIONS"], "timeout": seconds}}

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return run(sql, params, many, context)
        except OperationalError as error:
            if trouble(error) == "again":
                own.settings_dict["OPTIONS"]["timeout"] = _HARDLY
                _wait_for_locks(own)
            raise

    _wait_for_locks(own)
    try:
        with own.execute_wrapper(execute):
            yield
    finally:
        own.settings_dict = usual
        _wait_for_locks(own)


def _wait_for_locks(own: BaseDatabaseWrapper) -> None:
    """As its settings say, where it is open."""
    if own.connection is not None:
        # Beside Django's cursors: this may be in the middle of one.
        own.connection.execute(f"PRAGMA busy_timeout = {int(1000 * own.settings_dict['OPTIONS'].get('timeout', 5))}")


def close_broken() -> None:
    """Close this thread's connections that had an error; the next use makes new ones."""
    for each in connections.all(initialized_only=True):
        if each.errors_occurred:
            with suppress(*ERRORS):
                each.close()


def reconnect() -> None:
    """Leave the connection as a new one would be, whatever state a signal left it in."""
    with suppress(*ERRORS):
        connection.close()
    with suppress(*ERRORS):
        connection.connect()  # also forgets a half-ended transaction


def bound_transactions(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """A receiver of `connection_created`: on PostgreSQL a stopped worker must not hold its rows beyond its lease."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = %s", [settings.LEASE_SECONDS * 1000])
