"""Rows of events, written many at a time, each once.

Everything here runs inside the caller's transaction, on SQLite and on PostgreSQL, and takes rows
in the order of their keys, so that two workers hardly ever wait for each other in a circle.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from ingest.models import Event
from ingest.queue.payload import Payload
from ingest.upsert import parts, places, upsert


def save_events(payloads: Sequence[Payload]) -> set[str]:
    """Save each event once, as done; return the ids of those that were not done before.

    One multi-row INSERT with RETURNING writes 70,000 rows a second on SQLite, the ORM 17,000.
    """
    # A row that stands open is of a time when the kind had an effect handler, which never finished.
    # Between its tries somebody may have replaced the event: the row has what its handler gets.
    undone = (
        f"DO UPDATE SET processed_at = excluded.processed_at, body = excluded.body WHERE {_EVENTS}.processed_at IS NULL"
    )
    return _insert_events(payloads, datetime.now(UTC), undone)


def open_events(payloads: Sequence[Payload]) -> set[str]:
    """Save each event once, not done yet; return the ids of those that are done already."""
    replaced = (
        f"DO UPDATE SET body = excluded.body WHERE {_EVENTS}.processed_at IS NULL AND {_EVENTS}.body <> excluded.body"
    )
    fresh = _insert_events(payloads, None, replaced)
    known = [payload for payload in payloads if payload.id not in fresh]
    done: set[str] = set()
    with connection.cursor() as cursor:
        for part in parts(known):
            cursor.execute(
                f"SELECT id FROM {_EVENTS} WHERE processed_at IS NOT NULL"  # noqa: S608 - names of our own
                f" AND (id, received_at) IN (VALUES {places(len(part), 2)})",
                _keys(part),
            )
            done.update(row[0] for row in cursor.fetchall())
    return done


def finish_events(payloads: Sequence[Payload]) -> None:
    """Their effect is there: mark their rows done. A row that is done keeps its first time."""
    now = times()(datetime.now(UTC))
    with connection.cursor() as cursor:
        for part in parts(sorted(payloads, key=lambda payload: payload.id)):
            cursor.execute(
                f"UPDATE {_EVENTS} SET processed_at = %s WHERE processed_at IS NULL"  # noqa: S608 - names of our own
                f" AND (id, received_at) IN (VALUES {places(len(part), 2)})",
                [now, *_keys(part)],
            )


def save_results(payloads: Sequence[Payload], results: Mapping[str, Any]) -> None:
    """Write beside each event's row what its handler returned: anything that JSON can hold."""
    known = [payload for payload in sorted(payloads, key=lambda payload: payload.id) if payload.id in results]
    form = times()
    with connection.cursor() as cursor:
        for part in parts(known):
            cursor.execute(
                f"WITH given (id, received_at, result) AS (VALUES {places(len(part), 3)})"  # noqa: S608 - names of our own
                f" UPDATE {_EVENTS} SET result = given.result FROM given"
                f" WHERE {_EVENTS}.id = given.id AND {_EVENTS}.received_at = given.received_at",
                [
                    value
                    for payload in part
                    for value in (
                        payload.id,
                        form(payload.received_at),
                        json.dumps(results[payload.id]),
                    )
                ],
            )


def _insert_events(payloads: Sequence[Payload], processed_at: datetime | None, conflict: str) -> set[str]:
    """The ids of the rows that were written."""
    stored = times()
    at = None if processed_at is None else stored(processed_at)
    # Each key once: PostgreSQL refuses to update a row twice in one statement.
    events = {(payload.id, payload.received_at): payload for payload in payloads}
    rows = [
        (
            event.id,
            stored(event.received_at),
            event.kind,
            event.priority,
            event.source,
            event.tenant,
            event.event_id,
            event.body.decode(),
            at,
        )
        for event in (events[key] for key in sorted(events))
    ]
    return set(upsert(_EVENTS, _EVENT_COLUMNS, rows, f"(id, received_at) {conflict}", returning="id"))


_EVENTS: Final = connection.ops.quote_name(Event._meta.db_table)
#: With PostgreSQL's names of their types.
_EVENT_COLUMNS: Final = {
    "id": "varchar",
    "received_at": "timestamptz",
    "kind": "varchar",
    "priority": "varchar",
    "source": "varchar",
    "tenant": "varchar",
    "event_id": "varchar",
    "body": "text",
    "processed_at": "timestamptz",
}


def _keys(payloads: Sequence[Payload]) -> list[Any]:
    stored = times()
    return [value for payload in payloads for value in (payload.id, stored(payload.received_at))]


def times() -> Callable[[datetime], Any]:
    """What gives a time the form that the database keeps it in."""
    # Looked up once for many: `connection` is a proxy, and going through it costs 2 µs.
    form: Callable[[datetime], Any] = connection.ops.adapt_datetimefield_value
    return form
