"""Running events: all or none, again where the database asks for it, and the RQ function itself."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from ingest import database, jobs
from ingest.kinds import KINDS, Kind
from ingest.kinds.errors import PermanentError
from ingest.models import Alert, Event
from ingest.queue.payload import Payload, Unreadable
from tests.ingest.test_database import DEADLOCK, sqlite_error

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
        if len(tries) < database.SQLITE_TRIES:
            raise OperationalError("deadlock") from DEADLOCK[connection.vendor]

    jobs.process(kind(handler), [event(1)])
    assert tries == [1] * database.SQLITE_TRIES
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_held_for_too_long_is_the_database_away() -> None:
    def handler(events: Sequence[Payload]) -> None:
        raise OperationalError("database is locked") from sqlite_error(sqlite3.SQLITE_BUSY)

    with pytest.raises(database.DatabaseAway):
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


def test_no_function_but_ours_may_be_named(settings: Any) -> None:
    assert jobs.allowed_functions() == {"ingest.jobs.process_event"}
    settings.ALLOWED_JOB_FUNCTIONS = ["shop.jobs.send_invoice"]
    assert "shop.jobs.send_invoice" in jobs.allowed_functions()
    assert "os.system" not in jobs.allowed_functions()
