"""Jobs by their ids: which queue each is of, and as the audit log names them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import redis
from django.conf import settings

from ingest.queue import keys
from ingest.reading.fields import pipelined, text

#: Ids written out in an audit entry; more are counted.
_NAMED: Final = 10


def by_queue(client: redis.Redis, ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids by the queue their job names; unknown ids are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    origins = pipelined(client, "hget", [keys.job(job_id) for job_id in ids], "origin")
    for job_id, origin in zip(ids, origins, strict=True):
        if (name := text(origin)) in settings.PRIORITIES:
            found[name].append(job_id)
    return found


def known(queue: str) -> str:
    """The queue, when there is one of that name. Raises ValueError."""
    if queue not in settings.PRIORITIES:
        raise ValueError(f"queue must be one of {', '.join(settings.PRIORITIES)}, not {queue!r}")
    return queue


def target(ids: Sequence[str]) -> str:
    """What the audit log says it was about: the ids, or the first of many."""
    named = " ".join(ids[:_NAMED])
    return named if len(ids) <= _NAMED else f"{named} and {len(ids) - _NAMED} more"
