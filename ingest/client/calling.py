"""What the functions of the client share: their connections, who acts, and the queues that an argument names."""

import os
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import redis
from django.conf import settings

from ingest.kinds import KINDS, tasks
from ingest.queue.connections import acceptance_connection, connection
from ingest.queue.transitions import Transitions


def reader() -> redis.Redis:
    """Asks once, for 0.5 s: whoever looks is told at once that Redis is away."""
    return acceptance_connection()


def writer() -> redis.Redis:
    """Waits and sends again, until the outcome is known."""
    return connection()


def transitions() -> Transitions:
    return _transitions(writer())


def actor(by: str) -> str:
    """Who moves a job: as told, else this process."""
    return by or f"{Path(sys.argv[0]).name or 'python'} [{os.getpid()}]"


def queues(name: str | None) -> Sequence[str]:
    """This queue, or all. Raises ValueError."""
    return list(settings.PRIORITIES) if name is None else [queue(name)]


def queue(name: str, field: str = "queue") -> str:
    """Raises ValueError for a queue that is none."""
    if name not in settings.PRIORITIES:
        raise ValueError(f"{field} must be one of {', '.join(settings.PRIORITIES)}, not {name!r}")
    return name


def kind(name: str) -> str:
    """Raises ValueError for a kind that is none."""
    if name not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {name!r}")
    return name


def task_type(name: str) -> str:
    """What tasks of this type are counted under. Raises ValueError for a type that is none."""
    if name not in tasks.TYPES:
        raise ValueError(f"task_type must be one of {', '.join(sorted(tasks.TYPES))}, not {name!r}")
    return tasks.TYPES[name].label


@lru_cache(maxsize=2)
def _transitions(client: redis.Redis) -> Transitions:
    """Kept with its connection: making one hashes every script."""
    return Transitions(client)
