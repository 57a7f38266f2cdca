"""All jobs that match a filter, as they were at one instant: what comes or fails later is never among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from queueadmin.console import queries
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Time
from queueadmin.console.job_lists.pages import MAX_LIMIT, page

#: Jobs that one press acts on: they are looked up and moved inside a request, in about 3 s.
MOST: Final = 10_000
#: The reason of a dead letter that killed its worker three times.
POISON: Final = "poison"


@dataclass(frozen=True, slots=True)
class Matching:
    #: Jobs that match.
    count: int
    #: By what operators can do, the ids of those that it can be done with.
    able: Mapping[str, tuple[str, ...]]
    #: Dead letters that crashed their worker three times: they are retried one by one only.
    poison: int
    #: False: these are the first MOST, or of a queue that is longer than is looked through; more may match.
    is_all: bool


def matching(chosen: Filter, at: datetime) -> Matching:
    """Raises redis.RedisError and DatabaseError."""
    frozen = Filter((*chosen.fixed(at).terms, Time("until", at)))
    able: dict[str, list[str]] = {}
    count, poison, cursor, is_complete = 0, 0, "", True
    while True:
        found = page(frozen, cursor=cursor, limit=min(MAX_LIMIT, MOST - count), now=at)
        for job in found.items:
            is_poison = bool(job["error"]) and job["error"]["reason"] == POISON
            poison += is_poison
            for verb in queries.actions(job["state"], job["kind"], stopping=job["stopping"]):
                if verb != "retry" or not is_poison:
                    able.setdefault(verb, []).append(job["id"])
        count += len(found.items)
        is_complete = is_complete and found.complete
        cursor = found.next or ""
        if not cursor or count >= MOST:
            ids = {verb: tuple(each) for verb, each in able.items()}
            return Matching(count, ids, poison, is_all=is_complete and not cursor)
