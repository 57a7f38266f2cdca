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
#: Of the locks of single months: shared by those who write into one, for itself by who drops it.
_MONTH_LOCK: Final = 0x706F696E


def month_of(microseconds: int) -> date:
    """The first day of the month of a time in microseconds since 1970, UTC."""
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return date(at.year, at.month, 1)


def following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def ensure(months: Iterable[date]) -> None:
    """Make the months that are missing, and keep them from being dropped, until the end of the caller's transaction.

    Asks each time, 0.1 ms a batch: what a process remembered would be wrong once a month was dropped. Without
    PostgreSQL there is nothing to do.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, number) FROM unnest(%s::int[]) AS number",
            [_MONTH_LOCK, sorted(map(_number, months := list(months)))],
        )
        cursor.execute(
            "SELECT month FROM unnest(%s::date[]) AS month, pg_class WHERE oid = %s::regclass AND relkind = 'p'"
            " AND to_regclass(%s || to_char(month, '_YYYY_MM')) IS NULL ORDER BY month",
            [months, Point._meta.db_table, Point._meta.db_table],
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


def is_partition(month: date) -> bool:
    """Whether the month is a table of its own, which can be dropped."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_inherits WHERE inhparent = %s::regclass AND inhrelid = to_regclass(%s)",
            [Point._meta.db_table, name_of(month)],
        )
        return cursor.fetchone() is not None


def drop(month: date) -> int:
    """Drop it with all its points, in the caller's transaction, when no worker writes into it; how many they were.

    Raises what the database raises when others hold its table for longer than a second.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_MONTH_LOCK, _number(month)])
        cursor.execute(f"SELECT count(*) FROM {name_of(month)}")  # noqa: S608 - names of our own
        [count] = cursor.fetchone()
        cursor.execute(f"DROP TABLE {name_of(month)}")
    return int(count)


def _number(month: date) -> int:
    return month.year * 12 + month.month


def name_of(month: date) -> str:
    return connection.ops.quote_name(f"{Point._meta.db_table}_{month:%Y_%m}")


_TABLE: Final = connection.ops.quote_name(Point._meta.db_table)
