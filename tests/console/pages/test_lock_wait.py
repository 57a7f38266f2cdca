"""Somebody else holds SQLite's lock: whoever presses a button is told soon, and once (issue 8, "Noticed")."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.urls import reverse

from ingest import database
from queueadmin.console import lock_wait
from queueadmin.console.models import SavedView
from tests.console.pages.conftest import text_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no lock for all"),
]


@contextmanager
def held() -> Iterator[None]:
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("DELETE FROM ingest_event WHERE id = 'x'")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def test_a_person_is_told_within_five_seconds() -> None:
    """What is waited for after the first time is little: an outcome, a second try, the session."""
    assert lock_wait.LONGEST + 5 * database._HARDLY < 5


def test_a_press_waits_for_a_lock_once(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It met the time-out of 20 s at each of its statements."""
    waited = []
    wait_for_locks = database._wait_for_locks

    def noted(own: BaseDatabaseWrapper) -> None:
        waited.append(own.settings_dict["OPTIONS"]["timeout"])
        wait_for_locks(own)

    monkeypatch.setattr(lock_wait, "LONGEST", 0.15)
    monkeypatch.setattr(database, "_wait_for_locks", noted)
    operator.raise_request_exception = False

    with held():
        response = operator.post(reverse("console:save_view"), {"name": "mine", "filter": "queue:high"})

    assert response.status_code == 503
    assert "The database" in text_of(response)
    assert waited[:2] == [0.15, database._HARDLY]
    assert waited[-1] == 20  # what comes after the answer waits as before
    assert not SavedView.objects.exists()
