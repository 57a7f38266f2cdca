"""Connections of their own to the test process's PostgreSQL, made as the product makes them."""

from collections.abc import Callable, Iterator

import pytest
from django.db.utils import ConnectionHandler
from pytest_django.plugin import DjangoDbBlocker

from ingest.postgresql.base import DatabaseWrapper
from tests.postgres import Cluster


@pytest.fixture
def connect(postgres: Cluster, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[], DatabaseWrapper]]:
    """Makes one; it connects when it is used first."""
    made: list[DatabaseWrapper] = []

    def make() -> DatabaseWrapper:
        settings = {"ENGINE": "ingest.postgresql", "NAME": "queueadmin", "USER": "qa", "HOST": str(postgres.folder)}
        found = ConnectionHandler({"default": settings})["default"]
        assert isinstance(found, DatabaseWrapper)
        found.inc_thread_sharing()  # some are used by a thread and closed here
        made.append(found)
        return found

    with django_db_blocker.unblock():
        yield make
        for each in made:
            each.close()
