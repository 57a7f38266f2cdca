"""What an operation put into the trash and Undo would bring back, from the lists of the queue's scripts. Only reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import redis

from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading.fields import text
from queueadmin.console import audit
from queueadmin.console.models import Replay

#: Entries of the list in one question.
_PAGE: Final = 500
_OF_REPLAY: Final = "replay-"


@dataclass(frozen=True, slots=True)
class Trashed:
    """A job, and where it stands in the trash of its queue unless somebody moved it since."""

    queue: str
    score: float
    id: str


def trashed(client: redis.Redis, operation: str) -> list[Trashed]:
    """In the order in which they went there. For no more than some thousands; raises redis.RedisError."""
    return [_read(line) for line in client.lrange(keys.undo(operation), 0, -1)]


def backwards(client: redis.Redis, operation: str, left: int | None = None) -> Iterator[tuple[list[Trashed], int]]:
    """All of them page by page, the last one first, each page with how many come before it: give that back as `left`
    to go on there. Raises redis.RedisError."""
    left = client.llen(keys.undo(operation)) if left is None else left
    while left > 0:
        first = max(left - _PAGE, 0)
        page = [_read(line) for line in reversed(client.lrange(keys.undo(operation), first, left - 1))]
        left = first
        yield page, left


def count(client: redis.Redis, operation: str) -> int:
    """How many there are; 0 when all of them came back, or a day is over. Raises redis.RedisError."""
    return int(client.llen(keys.undo(operation)))


def undoable(client: redis.Redis, operations: Iterable[audit.Operation]) -> set[str]:
    """What Undo is told of those of these that it still knows. Raises redis.RedisError."""
    named = [name for each in operations if (name := each.undo)]
    pipe = client.pipeline(transaction=False)
    for operation in named:
        pipe.exists(keys.undo(operation))
    return {operation for operation, found in zip(named, pipe.execute(), strict=True) if found}


def offered(operations: Iterable[audit.Operation]) -> set[str]:
    """The same for whoever lists them: while Redis is away nothing can be brought back, and none is offered."""
    try:
        return undoable(connection(), operations)
    except redis.RedisError:
        return set()


def name_of(client: redis.Redis, operation: str) -> str | None:
    """What Undo is told of an operation, by its id in the audit log; None: nobody knows it.

    What Undo is told already stays as it is, while the database is away as well. Raises redis.RedisError and
    DatabaseError.
    """
    if count(client, operation):
        return operation
    if found := audit.find(operation):
        return found.undo or operation
    number = operation.removeprefix(_OF_REPLAY)
    is_one = number != operation and number.isascii() and number.isdecimal() and len(number) <= 18
    return operation if is_one and Replay.objects.filter(pk=int(number)).exists() else None


def of_replay(number: int) -> str:
    """The name of what a replay put into the trash."""
    return f"{_OF_REPLAY}{number}"


def _read(line: bytes | str) -> Trashed:
    queue, score, job_id = text(line).split(" ", 2)
    return Trashed(queue, float(score), job_id)
