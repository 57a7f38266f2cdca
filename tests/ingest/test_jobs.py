"""Running events: what the database's troubles mean, and the RQ function itself."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from ingest import jobs
from ingest.kinds import KINDS, Kind
from ingest.kinds.errors import PermanentError
from ingest.models import Alert, Event
from ingest.queue.payload import Payload, Unreadable

ENVELOPE: dict[str, Any] = {
    "v": 1,
    "id": "0" * 32,
    "kind": "alert",
    "received_at": "2026-11-22T12:00:00+00:00",
    "priority": "high",
    "source": "s",
    "tenant": "",
    "event_id": None,
    "event": {"title": "disk full"},
}


def event(number: int = 0) -> tuple[Payload, int]:
    return Payload(f"{number:032}", "alert", datetime.now(UTC), "high", "", "", None, b'{"title":"x"}'), 0


def kind(handler: Any) -> Kind:
    return Kind(name="alert", validate=KINDS["alert"].validate, handler=handler)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_process_event_saves_and_handles_one_event_once() -> None:
    jobs.process_event(ENVELOPE)
    jobs.process_event(ENVELOPE)
    assert Event.objects.get().id == ENVELOPE["id"]
    assert Alert.objects.get().occurrences == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "envelope",
    [{**ENVELOPE, "v": 2}, {**ENVELOPE, "kind": "telegram"}, {}, {**ENVELOPE, "event": []}],
    ids=["version", "kind", "empty", "no object"],
)
def test_process_event_refuses_what_it_cannot_read(envelope: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        jobs.process_event(envelope)
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_process_event_raises_what_the_event_asks_for() -> None:
    with pytest.raises(PermanentError):
        jobs.process_event({**ENVELOPE, "event": {"fault": "permanent"}})


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_rows_and_the_handlers_writes_stand_or_fall_together() -> None:
    def handler(events: Sequence[Payload]) -> None:
        KINDS["alert"].handler(events)
        raise ValueError("after its writes")

    with pytest.raises(ValueError, match="after its writes"):
        jobs.process(kind(handler), [event(1), event(2)])
    assert (Event.objects.count(), Alert.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_a_deadlock_is_tried_again_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def handler(events: Sequence[Payload]) -> None:
        tries.append(len(events))
        if len(tries) < jobs.SQLITE_TRIES:
            raise OperationalError("deadlock") from DEADLOCK[connection.vendor]

    jobs.process(kind(handler), [event(1)])
    assert tries == [1] * jobs.SQLITE_TRIES
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held_for_too_long_is_the_database_away() -> None:
    def handler(events: Sequence[Payload]) -> None:
        raise OperationalError("database is locked") from sqlite_error(sqlite3.SQLITE_BUSY)

    with pytest.raises(jobs.DatabaseAway):
        jobs.process(kind(handler), [event(1)])
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_a_signal_in_the_middle_leaves_a_connection_that_works() -> None:
    class Signal(BaseException):
        pass

    def handler(events: Sequence[Payload]) -> None:
        raise Signal

    with pytest.raises(Signal):
        jobs.process(kind(handler), [event(1)])
    assert not connection.in_atomic_block
    jobs.process(KINDS["alert"], [event(2)])
    assert Event.objects.get().id == event(2)[0].id


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_the_database_answers_when_it_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs.database_answers()

    def no_cursor() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "cursor", no_cursor)
    assert not jobs.database_answers()
    monkeypatch.undo()
    with transaction.atomic():
        assert not Event.objects.exists()


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
        (DatabaseError, psycopg.errors.IdleInTransactionSessionTimeout("stopped"), "away"),
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
    assert jobs._trouble(raised) == trouble


def test_no_function_but_ours_may_be_named(settings: Any) -> None:
    assert jobs.allowed_functions() == {"ingest.jobs.process_event"}
    settings.ALLOWED_JOB_FUNCTIONS = ["shop.jobs.send_invoice"]
    assert "shop.jobs.send_invoice" in jobs.allowed_functions()
    assert "os.system" not in jobs.allowed_functions()
