"""Jobs by their ids: which queue each is of, where it is now, and how to speak of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import redis
from django.conf import settings

from ingest.queue import keys

#: Jobs a script call, so that no call holds Redis for more than some milliseconds.
CHUNK: Final = 100
#: Ids written out in an audit entry; more are counted.
_NAMED: Final = 10


def by_queue(client: redis.Redis, ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids by the queue their job names; unknown ids are left out."""
    pipe = client.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(keys.job(job_id), "origin")
    found: dict[str, list[str]] = defaultdict(list)
    for job_id, origin in zip(ids, pipe.execute(), strict=True):
        if (name := text(origin)) in settings.PRIORITIES:
            found[name].append(job_id)
    return found


def states(client: redis.Redis, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    pipe = client.pipeline(transaction=False)
    for job_id in ids:
        pipe.hget(keys.job(job_id), "status")
    for job_id, status in zip(ids, pipe.execute(), strict=True):
        yield job_id, text(status) or "gone"


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def target(ids: Sequence[str]) -> str:
    named = " ".join(ids[:_NAMED])
    return named if len(ids) <= _NAMED else f"{named} and {len(ids) - _NAMED} more"


def jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


def joined(parts: Iterable[str]) -> str:
    return "; ".join(parts) + "."


def text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
