"""How many of those who wait for a page may have a connection to PostgreSQL at once.

Each request has one for as long as it is worked on. When 200 open pages came back at once, after a restart, they took
all that the server gives (max_connections, 100 by default): a quarter of the pages was a 503, and maintenance, workers
and acceptance got none either.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import psycopg

#: At once, of a process; so many keep its one core busy.
CONNECTIONS: Final = 20
#: Seconds that one more waits for one of these.
PATIENCE: Final = 15.0

_free = threading.BoundedSemaphore(CONNECTIONS)
_counted: ContextVar[bool] = ContextVar("counted", default=False)


@contextmanager
def counted() -> Iterator[None]:
    """Connections that are made within, also in threads that asgiref begins, are counted; all others are not."""
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


def enter() -> Callable[[], object]:
    """What is to be called once the connection is closed. Raises psycopg.OperationalError after PATIENCE."""
    if not _counted.get():
        return lambda: None
    if not _free.acquire(timeout=PATIENCE):
        raise psycopg.OperationalError(f"All {CONNECTIONS} connections of the web process are in use.")
    return _free.release
