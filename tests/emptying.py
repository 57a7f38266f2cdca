"""The database as a test that commits found it, without Django's `flush` and all that follows it.

`flush` empties every table and has contenttypes, permissions and groups made anew by a signal: 0.1 s of work after
each of some 1,500 tests, most of which write to three tables.
"""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

#: Filled after each migrate; in the order in which they refer to each other.
GIVEN = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")

Rows = list[tuple[Any, ...]]


class Emptying:
    """Made when the database is fresh; `empty()` removes what was written since."""

    def __init__(self) -> None:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self._others = sorted(set(tables) - set(GIVEN))
        self._given = self._read()

    def empty(self) -> None:
        written = self._written()
        changed = self._read() != self._given
        if not written and not changed:
            return
        # Django's foreign keys are checked at the transaction's end, so the order does not matter.
        with transaction.atomic(), connection.cursor() as cursor:
            for table in written:
                cursor.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608
            if changed:
                self._restore(cursor)

    def _written(self) -> list[str]:
        """The tables that hold rows."""
        questions = ", ".join(f"EXISTS(SELECT 1 FROM {_quoted(table)})" for table in self._others)  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {questions}")
            return [table for table, found in zip(self._others, cursor.fetchone(), strict=True) if found]

    def _read(self) -> dict[str, Rows]:
        with connection.cursor() as cursor:
            found = {}
            for table in GIVEN:
                cursor.execute(f"SELECT * FROM {_quoted(table)} ORDER BY id")  # noqa: S608
                found[table] = cursor.fetchall()
            return found

    def _restore(self, cursor: Any) -> None:
        for table, rows in self._given.items():
            cursor.execute(f"DELETE FROM {_quoted(table)}")  # noqa: S608
            for row in rows:
                cursor.execute(f"INSERT INTO {_quoted(table)} VALUES ({', '.join(['%s'] * len(row))})", row)  # noqa: S608
        ContentType.objects.clear_cache()


def _quoted(table: str) -> str:
    return connection.ops.quote_name(table)
