"""How much of a request goes into one call of a script, and the request id that each of its calls has."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

import uuid_utils

from ingest.queue.shapes import NewJob

T = TypeVar("T")

#: Jobs in one script call: keeps a call under 5 ms, so that nobody waits long behind it. 500 take 17 ms.
CHUNK: Final = 100
#: Jobs in one call of an operator's script, which writes more for each: 50 requeues take 2.5 ms.
OPERATORS_CHUNK: Final = 50
#: Failures and recoveries in one call, each with an attempt that is written down: 25 take 2.6 ms, 100 would take 10.
FAILURES_CHUNK: Final = 25
#: Bytes of data in one enqueue call: a hundred large jobs would hold Redis up as thousands of small ones do.
MOST_BYTES: Final = 4 * 1024 * 1024


def new_id() -> str:
    """A time-ordered id (UUIDv7, hex) for a request or a claim."""
    return uuid_utils.uuid7().hex


def batches(jobs: Sequence[NewJob]) -> Iterator[Sequence[NewJob]]:
    """Jobs for one enqueue call each: at most CHUNK, and no more once they hold MOST_BYTES."""
    start = size = 0
    for position, job in enumerate(jobs):
        if position > start and (position - start == CHUNK or size + len(job.data) > MOST_BYTES):
            yield jobs[start:position]
            start, size = position, 0
        size += len(job.data)
    if jobs[start:]:
        yield jobs[start:]


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """All of these, `size` at a time."""
    every = list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]


def part(request_id: str, number: int) -> str:
    """The request id of the `number`-th script call of one request."""
    return request_id if number == 0 else f"{request_id}.{number}"


def parts(chunked: Iterable[Sequence[T]], request_id: str | None) -> Iterator[tuple[Sequence[T], str]]:
    """Each chunk with a request id of its own, derived from the caller's."""
    request_id = request_id or new_id()
    for number, chunk in enumerate(chunked):
        yield chunk, part(request_id, number)


def enqueue_parts(
    jobs: Sequence[NewJob], request_id: str | None, *, strict: bool
) -> Iterator[tuple[Sequence[NewJob], str]]:
    """The calls of `enqueue`. Raises ValueError when what is all or nothing takes more than one."""
    chunked = list(batches(jobs))
    if strict and len(chunked) > 1:
        raise ValueError(f"all or nothing is one call: at most {CHUNK} jobs and {MOST_BYTES:,} bytes")
    return parts(chunked, request_id)
