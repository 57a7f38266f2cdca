"""Many rows in one statement, on both databases: few go as parameters, more are copied on PostgreSQL."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from ingest import upsert as module
from ingest.upsert import FEW, ROWS, upsert

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

COLUMNS = {"name": "varchar", "said": "text", "number": "int8"}
ADD = "(name) DO UPDATE SET number = upsert_rows.number + excluded.number WHERE upsert_rows.number < 100"
MANY = 2 * ROWS + 1


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE upsert_rows (name varchar(64) PRIMARY KEY, said text, number bigint)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE upsert_rows")


def rows(count: int, *, number: int = 1) -> list[tuple[str, str | None, int]]:
    return [(f"{each:05}", None if each % 2 else "said", number) for each in range(count)]


def stored() -> list[tuple[str, str | None, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, said, number FROM upsert_rows ORDER BY name")
        return cursor.fetchall()


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MANY])
def test_rows_that_are_new_are_inserted(count: int) -> None:
    assert upsert("upsert_rows", COLUMNS, rows(count), ADD, returning="name") == [name for name, _, _ in rows(count)]
    assert stored() == rows(count)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, MANY])
def test_rows_that_are_there_are_dealt_with_as_the_statement_says(count: int) -> None:
    upsert("upsert_rows", COLUMNS, rows(count), ADD)
    assert upsert("upsert_rows", COLUMNS, rows(count, number=99), ADD, returning="name") == [
        n for n, _, _ in rows(count)
    ]
    assert upsert("upsert_rows", COLUMNS, rows(count), ADD, returning="name") == []  # as many as they may be
    assert {number for _, _, number in stored()} == {100}


def test_no_call_finds_what_another_one_copied() -> None:
    """In one transaction, in the next, and after one that was rolled back."""

    @transaction.atomic
    def copy_and_fail() -> None:
        upsert("upsert_rows", COLUMNS, rows(20), ADD)
        raise ZeroDivisionError

    for first in (0, 1, 2):
        with pytest.raises(ZeroDivisionError):
            copy_and_fail()
        new = [(f"new {first} {name}", said, number) for name, said, number in rows(10)]
        assert len(upsert("upsert_rows", COLUMNS, new, ADD, returning="name")) == 10
    assert len(stored()) == 30


def test_a_text_is_kept_as_it_is() -> None:
    said = "tab\tnew line\nback\\slash\\N {\"quoted\"} 'too', %s ✓ 🎉"
    upsert("upsert_rows", COLUMNS, [(f"{each}", said, 2**62) for each in range(FEW + 1)], ADD)
    assert {(text, number) for _, text, number in stored()} == {(said, 2**62)}


def test_no_rows_are_no_statement() -> None:
    assert upsert("upsert_rows", COLUMNS, [], ADD, returning="name") == []
    assert list(module.parts([])) == []


def test_what_the_database_refuses_is_an_error_as_django_has_it() -> None:
    """Who handles it looks for the cause: `ingest.database.trouble`."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite takes any length")
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        upsert("upsert_rows", COLUMNS, [("x" * 65, "", each) for each in range(FEW + 1)], ADD)
    assert caught.value.__cause__.sqlstate == "22001"  # type: ignore[union-attr]
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        upsert("upsert_rows", COLUMNS, [(f"{each}", "\x00", each) for each in range(FEW + 1)], ADD)
    assert caught.value.__cause__ is not None
