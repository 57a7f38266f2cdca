"""Views that two save at once (issue 8 part 3)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from queueadmin.console import operations
from queueadmin.console.filters import parse
from queueadmin.console.models import SavedView
from queueadmin.console.operations import saved_views

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def test_a_view_that_is_saved_twice_at_once_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second met the first one's name, and the page said that the database was away."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one writer begin at a time")
    together, now = threading.Barrier(2, timeout=20), timezone.now

    def both_have_looked() -> datetime:
        together.wait()
        return now()

    monkeypatch.setattr(saved_views, "timezone", SimpleNamespace(now=both_have_looked))

    def save(text: str) -> None:
        try:
            operations.save_view("mine", parse(text), actor="ada")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(save, ("source:zabbix", "source:nagios")))
    assert SavedView.objects.get().filter in ("source:zabbix", "source:nagios")
