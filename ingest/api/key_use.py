"""When each key was last used: written at most once a minute, and never for a request to wait for."""

import logging
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import Q
from django.utils import timezone

from ingest.models import ApiKey

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(minutes=1)

_writer: Final = ThreadPoolExecutor(1, thread_name_prefix="key-use")
_lock: Final = threading.Lock()
_writing: Future[None] | None = None


def is_due(row: ApiKey) -> bool:
    return row.last_used_at is None or timezone.now() - row.last_used_at >= EVERY


def write(key_ids: Collection[int]) -> None:
    """These were used now. What the database does not take is left for the next time."""
    now = timezone.now()
    due = Q(last_used_at=None) | Q(last_used_at__lte=now - EVERY)
    try:
        ApiKey.objects.filter(due, pk__in=key_ids).update(last_used_at=now)
    except (DatabaseError, InterfaceError) as error:
        logger.info("the last use of %d keys is not written yet: %s", len(key_ids), error)


def write_beside(key_ids: Collection[int]) -> None:
    """The same in a thread of its own; left out while one is being written."""
    global _writing
    with _lock:
        if _writing is None or _writing.done():
            _writing = _writer.submit(_write, list(key_ids))


def settle() -> None:
    """Wait for what is being written, however that ends."""
    if _writing is not None:
        wait([_writing])


def _write(key_ids: Collection[int]) -> None:
    close_old_connections()
    try:
        write(key_ids)
    finally:
        close_old_connections()
