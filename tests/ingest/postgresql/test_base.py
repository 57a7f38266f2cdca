"""A PostgreSQL that hangs, its connections open: people wait for one answer, and for none right after it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.db import OperationalError

from ingest.postgresql import base, patience
from tests.postgres import Cluster
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(connect: Callable[[], base.DatabaseWrapper], monkeypatch: pytest.MonkeyPatch) -> base.DatabaseWrapper:
    """A connection as the web server has it, but less patient."""
    monkeypatch.setattr(patience, "QUIET", 0.2)
    monkeypatch.setattr(patience, "PROBE", 60)  # a busy machine connects late
    monkeypatch.setattr(base, "_patience", patience.Patience())
    return connect()


@contextmanager
def hanging(cluster: Cluster) -> Iterator[None]:
    """All of its processes are stopped."""
    postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
    stopped = [postmaster]
    os.kill(postmaster, signal.SIGSTOP)  # it begins no others from here on
    try:
        stopped += map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())
        for pid in stopped[1:]:
            with suppress(ProcessLookupError):  # one that had just ended
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def ask(database: base.DatabaseWrapper, question: str = "SELECT 1") -> object:
    with database.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()


def test_questions_that_nobody_answers_are_given_up_and_none_is_asked_right_after(
    database: base.DatabaseWrapper, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PROBE", 2)
    monkeypatch.setattr(patience, "REST", 600)
    assert ask(database) == (1,)
    database.set_autocommit(False)
    with hanging(postgres):
        with pytest.raises(OperationalError, match="PostgreSQL does not answer"):
            ask(database)
        with pytest.raises(OperationalError, match="closed"):  # nobody waits for the end of the transaction
            database.rollback()
        database.close()
        with pytest.raises(OperationalError, match="did not answer just now"):
            ask(database)
    monkeypatch.setattr(base, "_patience", patience.Patience())  # the rest is over
    assert ask(database) == (1,)


def test_one_that_takes_long_is_waited_for_while_the_server_lives(database: base.DatabaseWrapper) -> None:
    assert ask(database, "SELECT 7 FROM pg_sleep(0.7)") == (7,)
    assert ask(database) == (1,)


def test_one_that_waits_for_a_lock_is_given_up(
    database: base.DatabaseWrapper, connect: Callable[[], base.DatabaseWrapper]
) -> None:
    """As while a migration changes a large table: each page waited as long as it takes."""
    migration = connect()
    ask(migration, "SELECT pg_advisory_lock(8)")
    with pytest.raises(OperationalError, match="wait for a lock"):
        ask(database, "SELECT pg_advisory_lock(8)")
    database.close()
    migration.close()
    ask(database, "SELECT pg_advisory_lock(8)")


def test_one_that_takes_too_long_ends_on_the_server_too(
    database: base.DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST", 0.3)
    with pytest.raises(OperationalError, match="took longer than"):
        ask(database, "SELECT pg_sleep(60)")
    database.close()
    runs = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
    wait_until(lambda: ask(database, runs) == (0,), what="its end")


def test_where_nobody_waits_it_is_left_to_the_server(
    database: base.DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations, maintenance and workers take as long as it takes."""
    monkeypatch.setattr(base, "_patience", None)
    monkeypatch.setattr(patience, "LONGEST", 0.0)
    assert ask(database, "SELECT 7 FROM pg_sleep(0.3)") == (7,)
