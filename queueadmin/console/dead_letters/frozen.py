"""Exactly the dead letters that matched when somebody pressed: what fails later, or fails again, is not swept in."""

import json
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from queueadmin.console.dead_letters.reading import Record

#: Bytes held in memory; the rest is in a file that is gone with the process: 100,000 jobs are 9 MB.
_IN_MEMORY: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """A dead letter, and where it stood in its registry when it was frozen."""

    id: str
    score: float


class Frozen:
    """Ids by queue, given back the last added first: added newest first, the longest dead goes first. For `with`."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._starts = array("Q")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, record: Record) -> None:
        self._starts.append(self._file.seek(0, os.SEEK_END))
        self._file.write(json.dumps([record.queue, record.id, record.score]).encode() + b"\n")

    def chunks(self, size: int) -> Iterator[tuple[str, list[Place]]]:
        """(queue, up to `size` of its dead letters), until all were given."""
        waiting: dict[str, list[Place]] = {}
        for start in reversed(self._starts):
            self._file.seek(start)
            queue, job_id, score = json.loads(self._file.readline())
            chunk = waiting.setdefault(queue, [])
            chunk.append(Place(job_id, score))
            if len(chunk) == size:
                yield queue, waiting.pop(queue)
        yield from waiting.items()


def freeze(records: Iterable[Record]) -> Frozen:
    """All of these, of which no more than their places are held."""
    frozen = Frozen()
    for record in records:
        frozen.add(record)
    return frozen
