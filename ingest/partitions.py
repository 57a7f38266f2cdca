"""The months that the points' table is divided into on PostgreSQL, made when a point of theirs comes.

A month can be dropped at once, which costs nothing, where deleting its rows would write each of them again.
With TimescaleDB the extension does all this by itself, and there is nothing to do here.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from django.db import connection

from ingest.models import Point

#: Of the lock under which one worker at a time makes a month: "points" in ASCII.
_LOCK: Final = 0x706F696E7473


def month_of(microseconds: int) -> date:
    """The first day of the month of a time in microseconds since 1970, UTC."""
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return date(at.year, at.month, 1)


def following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def ensure(months: Iterable[date]) -> None:
    """Make the months that are missing, in the caller's transaction. Does nothing where the table has no partitions.

    Asks each time, 0.1 ms a batch: what a process remembered would be wrong once a month was dropped.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT month FROM unnest(%s::date[]) AS month, pg_class WHERE oid = %s::regclass AND relkind = 'p'"
            " AND to_regclass(%s || to_char(month, '_YYYY_MM')) IS NULL ORDER BY month",
            [list(months), Point._meta.db_table, Point._meta.db_table],
        )
        missing = [row[0] for row in cursor.fetchall()]
        if missing:
            # One worker at a time: two that make the same month at once would meet each other's name.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for month in missing:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name_of(month)} PARTITION OF {_TABLE}"
                f" FOR VALUES FROM ('{month}T00:00:00Z') TO ('{following(month)}T00:00:00Z')"
            )


def name_of(month: date) -> str:
    return connection.ops.quote_name(f"{Point._meta.db_table}_{month:%Y_%m}")


_TABLE: Final = connection.ops.quote_name(Point._meta.db_table)
