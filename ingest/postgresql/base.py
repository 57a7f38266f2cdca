"""The backend (Django wants it under this name): DATABASES' ENGINE is this package for a postgres:// URL."""

import weakref
from collections.abc import Callable
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from ingest.postgresql import crowd
from ingest.postgresql.patience import Patience

#: How connections of this process wait; None: as long as the server and the network let them. See `fail_fast`.
_patience: Patience | None = None


def fail_fast() -> None:
    """For the web server: what the server leaves without an answer is given up, and not asked again right after it."""
    global _patience
    _patience = Patience()


class DatabaseWrapper(base.DatabaseWrapper):
    _leave: Callable[[], object] | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Raises psycopg.OperationalError without a try while the server went unanswered just now, and in `crowd` when
        no connection became free in time."""
        leave = crowd.enter()
        try:
            connection = self._connected(conn_params)
        except BaseException:
            leave()
            raise
        # Also where a thread ends without closing it.
        self._leave = weakref.finalize(connection, leave)
        return connection

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc] # of BaseDatabaseWrapper
        finally:
            if self._leave is not None:
                self._leave()

    def _connected(self, conn_params: dict[str, Any]) -> Any:
        if _patience is None:
            return super().get_new_connection(conn_params)
        _patience.refuse()
        try:
            connection = super().get_new_connection(conn_params)
        except psycopg.errors.ConnectionTimeout:
            _patience.rest()
            raise
        _patience.watch(connection, conn_params)
        return connection
