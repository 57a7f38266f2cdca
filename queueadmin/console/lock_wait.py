"""How long somebody who waits for an answer waits for a database that others hold."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from ingest import database

#: Seconds. Workers and maintenance wait 20 (`settings.DATABASES`), since nothing waits for them; a person is to be told
#: within 5. Events that are taken in have 0.9 of their own (`ingest.spool.writing`).
LONGEST: Final = 4.0


class LockWait:
    """A middleware, around all that asks the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with database.bounded_locks(LONGEST):
            return self._get_response(request)
