"""Rows: an event is saved once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from ingest import upsert
from ingest.models import Event
from ingest.queue.payload import Payload
from ingest.store import finish_events, open_events, save_events

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def payload(number: int, *, received_at: datetime = NOON, body: bytes = b'{"title":"disk full"}') -> Payload:
    return Payload(
        id=f"{number:032x}",
        kind="alert",
        received_at=received_at,
        priority="high",
        source="nagios",
        tenant="acme",
        event_id=None,
        body=body,
    )


def test_it_returns_the_ids_of_new_rows_only() -> None:
    assert save_events([payload(1), payload(2)]) == {payload(1).id, payload(2).id}
    assert save_events([payload(2), payload(3)]) == {payload(3).id}
    assert Event.objects.count() == 3


def test_it_keeps_every_field_and_the_body_as_it_was_sent() -> None:
    body = '{"n": 12345678901234567890123, "größe":"\\u0000 ✓",  "x":1.0}'.encode()
    at = NOON + timedelta(microseconds=7)
    save_events([payload(1, received_at=at, body=body)])
    row = Event.objects.get()
    assert (row.id, row.received_at, row.kind, row.priority) == (payload(1).id, at, "alert", "high")
    assert (row.source, row.tenant, row.event_id, row.body) == ("nagios", "acme", None, body.decode())


@pytest.mark.parametrize("at", [NOON, NOON + timedelta(microseconds=1)])
def test_a_second_run_meets_the_key_with_and_without_microseconds(at: datetime) -> None:
    assert len(save_events([payload(1, received_at=at)])) == 1
    assert save_events([payload(1, received_at=at)]) == set()


def test_it_takes_more_rows_than_one_statement_holds() -> None:
    many = [payload(number) for number in range(2 * upsert.ROWS + 1)]
    assert len(save_events(many)) == len(many)
    assert Event.objects.count() == len(many)


def test_nothing_is_saved_when_the_transaction_fails() -> None:
    @transaction.atomic
    def write_and_fail() -> None:
        save_events([payload(1)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert Event.objects.count() == 0


def test_no_rows_are_no_statement() -> None:
    assert save_events([]) == set()


# --- events of effect handlers: open until done --------------------------------------------------


def test_an_open_event_is_done_only_when_it_was_finished() -> None:
    assert open_events([payload(1), payload(2)]) == set()
    assert [row.processed_at for row in Event.objects.all()] == [None, None]
    finish_events([payload(1)])
    assert open_events([payload(1), payload(2), payload(3)]) == {payload(1).id}
    assert Event.objects.filter(processed_at=None).count() == 2


def test_an_event_that_was_replaced_before_its_next_try_is_in_its_row_as_its_handler_gets_it() -> None:
    """D12. A row that is done stays what it was."""
    open_events([payload(1), payload(2)])
    assert open_events([payload(1, body=b'{"title":"new"}'), payload(2)]) == set()
    assert {row.id: row.body for row in Event.objects.all()} == {
        payload(1).id: '{"title":"new"}',
        payload(2).id: '{"title":"disk full"}',
    }
    finish_events([payload(1)])
    assert open_events([payload(1, body=b'{"title":"newer"}')]) == {payload(1).id}
    assert save_events([payload(2, body=b'{"title":"new"}')]) == {payload(2).id}
    assert set(Event.objects.values_list("body", flat=True)) == {'{"title":"new"}'}


@pytest.mark.parametrize("at", [NOON, NOON + timedelta(microseconds=1)])
def test_finishing_keeps_the_first_time_and_meets_the_key_with_and_without_microseconds(at: datetime) -> None:
    open_events([payload(1, received_at=at)])
    finish_events([payload(1, received_at=at)])
    first = Event.objects.get().processed_at
    assert first is not None
    finish_events([payload(1, received_at=at)])
    assert Event.objects.get().processed_at == first
    assert open_events([payload(1, received_at=at)]) == {payload(1).id}


def test_a_batch_handler_gets_an_event_that_an_effect_handler_left_open() -> None:
    """The kind changed its handler between two deploys: the open event must not pass as done."""
    open_events([payload(1)])
    assert save_events([payload(1), payload(1)]) == {payload(1).id}
    assert save_events([payload(1)]) == set()
    assert Event.objects.get().processed_at is not None


def test_opening_and_finishing_take_more_rows_than_one_statement_holds() -> None:
    many = [payload(number) for number in range(upsert.ROWS + 1)]
    assert open_events(many) == set()
    finish_events(many)
    assert open_events(many) == {each.id for each in many}
