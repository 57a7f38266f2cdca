"""The backend (Django wants it under this name): DATABASES' ENGINE is this package for a postgres:// URL."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from ingest.postgresql.patience import Patience

#: How connections of this process wait; None: as long as the server and the network let them. See `fail_fast`.
_patience: Patience | None = None


def fail_fast() -> None:
    """For the web server: what the server leaves without an answer is given up, and not asked again right after it."""
    global _patience
    _patience = Patience()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Raises psycopg.OperationalError without a try while the server went unanswered just now."""
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
