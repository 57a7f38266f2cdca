"""What the database's troubles mean."""

import sqlite3

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from ingest import database
from ingest.models import Event


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_the_database_answers_when_it_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database.answers()

    def no_cursor() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "cursor", no_cursor)
    assert not database.answers()
    monkeypatch.undo()
    with transaction.atomic():
        assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
@pytest.mark.skipif(connection.vendor != "postgresql", reason="a setting of PostgreSQL's")
def test_a_replica_takes_no_writes_and_its_error_says_so() -> None:
    assert database.takes_writes()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        assert not database.takes_writes()
        with pytest.raises(DatabaseError) as raised, transaction.atomic():
            Event.objects.all().delete()
        assert database.is_read_only(raised.value)
    assert not database.is_read_only(OperationalError("away"))


def waits() -> int:
    """Milliseconds that this thread waits for SQLite's lock."""
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA busy_timeout").fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no lock for all")
def test_a_thread_that_has_no_time_waits_for_sqlites_lock_once() -> None:
    usual, other = waits(), connection.copy()
    assert usual == 20_000
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM ingest_event WHERE id = 'x'")
    try:
        with database.bounded_locks(0.15):
            assert waits() == 150
            for _ in range(2):
                with pytest.raises(OperationalError, match="locked"), transaction.atomic():
                    pass
                assert waits() == 100
            connection.close()  # as what finds it away does
            assert waits() == 100
    finally:
        other.rollback()
        other.close()
    assert waits() == usual
    connection.close()
    assert waits() == usual


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("trouble")
    error.sqlite_errorcode = code
    return error


DEADLOCK = {
    "sqlite": sqlite_error(sqlite3.SQLITE_LOCKED),
    "postgresql": psycopg.errors.DeadlockDetected("deadlock"),
}


@pytest.mark.parametrize(
    ("error", "cause", "trouble"),
    [
        (OperationalError, sqlite_error(sqlite3.SQLITE_BUSY), "again"),
        (OperationalError, sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), "again"),
        (OperationalError, sqlite_error(sqlite3.SQLITE_FULL), "away"),
        (OperationalError, sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), "away"),
        (DatabaseError, sqlite_error(sqlite3.SQLITE_CORRUPT), "away"),
        # "no such column": the handler's own mistake must not stop the queue for ever.
        (OperationalError, sqlite_error(sqlite3.SQLITE_ERROR), None),
        (OperationalError, psycopg.OperationalError("connection refused"), "away"),
        (OperationalError, psycopg.errors.AdminShutdown("shut down"), "away"),
        (OperationalError, psycopg.errors.TooManyConnections("full"), "away"),
        (OperationalError, psycopg.errors.DiskFull("full"), "away"),
        (DatabaseError, psycopg.errors.IdleInTransactionSessionTimeout("idle"), None),
        (DatabaseError, psycopg.errors.ReadOnlySqlTransaction("a replica"), "away"),
        (OperationalError, psycopg.errors.SerializationFailure("again"), "again"),
        (OperationalError, psycopg.errors.DeadlockDetected("again"), "again"),
        (OperationalError, psycopg.errors.QueryCanceled("statement timeout"), None),
        (DatabaseError, psycopg.errors.UndefinedColumn("mistake"), None),
        (DatabaseError, psycopg.errors.UntranslatableCharacter("bad event"), None),
        (InterfaceError, psycopg.InterfaceError("the connection is closed"), "away"),
        (DatabaseError, None, None),
    ],
)
def test_what_an_error_of_the_database_asks_for(
    error: type[Exception], cause: Exception | None, trouble: str | None
) -> None:
    raised = error("trouble")
    raised.__cause__ = cause
    assert database.trouble(raised) == trouble
