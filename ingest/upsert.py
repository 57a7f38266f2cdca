"""Many rows in one statement, each inserted or, where its key is there, as the statement says.

SQLite takes the rows as parameters. PostgreSQL could as well, but psycopg parses a statement of thousands of
placeholders anew each time: a row of an event cost 41 µs here and 30 µs there. Copied into a temporary table and
inserted from it, it costs 8 and 19.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.backends.utils import CursorWrapper

T = TypeVar("T")

#: Rows in one statement of SQLite: 9 parameters each stay far below its 32,766.
ROWS: Final = 500
#: So few go as parameters to PostgreSQL too: that is one statement instead of three, and psycopg remembers what it has
#: parsed, up to 50 parameters and 4,096 characters.
FEW: Final = 5


def upsert(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str, *, returning: str = ""
) -> list[Any]:
    """Insert the rows in their order; what `returning`, a column, has of those that were inserted or updated.

    `columns` are the rows' columns with PostgreSQL's names of their types; `conflict` is what stands after ON CONFLICT.
    Runs inside the caller's transaction.
    """
    names = ", ".join(columns)
    insert = f"INSERT INTO {table} ({names})"
    end = f"ON CONFLICT {conflict}" + (f" RETURNING {returning}" if returning else "")
    found: list[Any] = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql" and len(rows) > FEW:
            staged = _stage(cursor, table, columns, rows)
            cursor.execute(f"{insert} SELECT {names} FROM {staged} {end}")  # noqa: S608 - names of our own
            return [row[0] for row in cursor.fetchall()] if returning else []
        for part in parts(rows):
            values = [value for row in part for value in row]
            cursor.execute(f"{insert} VALUES {places(len(part), len(columns))} {end}", values)
            if returning:
                found += [row[0] for row in cursor.fetchall()]
    return found


def places(rows: int, columns: int) -> str:
    """Placeholders of that many rows."""
    return ",".join([f"({','.join(['%s'] * columns)})"] * rows)


def parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items, ROWS at a time."""
    for start in range(0, len(items), ROWS):
        yield items[start : start + ROWS]


def _stage(cursor: CursorWrapper, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> str:
    """Copy the rows into a temporary table of this session; returns its name. It holds them in their order."""
    staged = connection.ops.quote_name(f"staged_{table.strip(chr(34))}")
    definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    # Each time, since a pooler may have given us another session. What an earlier call of this transaction copied goes;
    # ON COMMIT frees its place as well, so that nothing has to be vacuumed.
    cursor.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {staged} ({definition}) ON COMMIT DELETE ROWS; DELETE FROM {staged}"  # noqa: S608 - names of our own
    )
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {staged} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)
    return staged
