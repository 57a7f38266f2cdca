"""A resolve takes the priority of its open alert: behind an hour of noise it would keep people awake.

One query for all resolves of a request. A database that does not answer costs it 0.5 s once, and then nothing for a
while: a resolve has its own severity, or is low, without it.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeAlias

from django.db import DatabaseError, InterfaceError, close_old_connections

from ingest.accept import Incoming
from ingest.api.schema import Rejected, cap
from ingest.api.sender import Sender
from ingest.priorities import Priority
from ingest.problems import open_priorities

logger = logging.getLogger(__name__)

WAIT_SECONDS: Final = 0.5
#: After a failure nobody asks for so long.
BREAK_SECONDS: Final = 2.0

Items: TypeAlias = tuple[Incoming | Rejected, ...]

_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="resolving")


class _Trouble:
    """Whether the database failed to answer a moment ago."""

    def __init__(self) -> None:
        self._until = float("-inf")

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def note(self, error: Exception) -> None:
        logger.info("resolves go without the priority of their alert: %s", error)
        self._until = time.monotonic() + BREAK_SECONDS

    def forget(self) -> None:
        self._until = float("-inf")


_trouble: Final = _Trouble()
forget: Final = _trouble.forget


def with_open_priority(sender: Sender, items: Items) -> Items:
    """The items, those that resolve an open alert as urgent as that is."""
    wanted = _wanted(items)
    if not wanted or _trouble.lasts():
        return items
    try:
        return _raised(sender, items, open_priorities(wanted))
    except (DatabaseError, InterfaceError) as error:
        _trouble.note(error)
        return items


async def with_open_priority_async(sender: Sender, items: Items) -> Items:
    """The same on an event loop."""
    wanted = _wanted(items)
    if not wanted or _trouble.lasts():
        return items
    try:
        asked = asyncio.wrap_future(_thread.submit(_ask, wanted))
        return _raised(sender, items, await asyncio.wait_for(asyncio.shield(asked), WAIT_SECONDS))
    except (DatabaseError, InterfaceError, TimeoutError) as error:
        _trouble.note(error)
        return items


def _ask(wanted: list[str]) -> dict[str, Priority]:
    close_old_connections()
    try:
        return open_priorities(wanted)
    finally:
        close_old_connections()


def _wanted(items: Items) -> list[str]:
    return [item.resolves for item in items if isinstance(item, Incoming) and item.resolves]


def _raised(sender: Sender, items: Items, found: Mapping[str, Priority]) -> Items:
    return tuple(
        _at(sender, item, found[item.resolves]) if isinstance(item, Incoming) and item.resolves in found else item
        for item in items
    )


def _at(sender: Sender, item: Incoming, priority: Priority) -> Incoming:
    # Its severity was capped before, and it does not count any more.
    warnings = tuple(each for each in item.warnings if each["code"] != "priority_capped")
    severity, capped = cap(replace(item.severity, mapped=priority, by="open_alert"), sender.max_priority)
    return replace(item, severity=severity, warnings=warnings + capped)
