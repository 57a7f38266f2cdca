"""Many pages that come at once share the connections of their process, and leave the others theirs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError

from ingest.postgresql import crowd
from ingest.postgresql.base import DatabaseWrapper

pytestmark = pytest.mark.postgres

Connect = Callable[[], DatabaseWrapper]


@pytest.fixture(autouse=True)
def _two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "_free", threading.BoundedSemaphore(2))
    monkeypatch.setattr(crowd, "PATIENCE", 0.05)


def test_one_more_gets_none_until_another_is_closed(connect: Connect) -> None:
    with crowd.counted():
        first, second, third = connect(), connect(), connect()
        first.ensure_connection()
        second.ensure_connection()
        with pytest.raises(OperationalError, match="connections of the web process are in use"):
            third.ensure_connection()
        first.close()
        first.close()  # gives back no more than it had
        third.ensure_connection()
        with pytest.raises(OperationalError):
            first.ensure_connection()


def test_one_whose_thread_ends_with_it_is_given_back(connect: Connect) -> None:
    def leave_it_open() -> None:
        left = connect()
        left.ensure_connection()
        left.connection = None  # what the end of its thread does

    with crowd.counted():
        for _ in range(3):
            with pytest.warns(ResourceWarning, match="while still open"):
                leave_it_open()


def test_what_does_not_connect_takes_none(connect: Connect) -> None:
    with crowd.counted():
        wrong = connect()
        wrong.settings_dict["NAME"] = "nowhere"
        for _ in range(3):
            with pytest.raises(OperationalError, match="does not exist"):
                wrong.ensure_connection()


def test_who_is_in_no_crowd_is_not_counted(connect: Connect) -> None:
    """Acceptance, its keys and its spool have threads of their own, which a crowd must not hold up."""
    with crowd.counted(), ThreadPoolExecutor(1) as other:
        for _ in range(3):
            other.submit(lambda: connect().ensure_connection()).result()
