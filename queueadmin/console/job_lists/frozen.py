"""All jobs that match a filter, as they were at one instant: what comes or fails later is never among them.

They are counted a Budget at a time, for the page that asks what to do; what is pressed there goes through as many.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ingest.reading.shapes import Job
from queueadmin.console import queries
from queueadmin.console.dead_letters.left_out import Why, why_left
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Time
from queueadmin.console.job_lists.budget import Budget
from queueadmin.console.job_lists.pages import Found, Search

#: Jobs that one press acts on: they are looked up and moved inside a request, in about 3 s.
MOST: Final = 10_000
#: Jobs that are looked at for one press, in about 3 s when few match.
MOST_LOOKED_AT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted until here."""

    #: Jobs that match.
    count: int = 0
    #: By what operators can do, how many of them it can be done with.
    able: Mapping[str, int] = field(default_factory=dict)
    #: Dead letters that Retry leaves out here, see `left_out`: they are retried one by one, or by a replay.
    poison: int = 0
    permanent: int = 0
    #: Jobs that were looked at.
    looked_at: int = 0
    #: Places of lists that were looked at, also those whose jobs have moved on: `matching` goes as far.
    places: int = 0
    #: Where it goes on; None: it has ended.
    next: str | None = ""
    #: False: more may match than one press takes.
    is_all: bool = True


def count(chosen: Filter, at: datetime, so_far: Counted) -> Counted:
    """Go on counting for about budget.SECONDS. Raises BadCursor, redis.RedisError and DatabaseError."""
    budget = Budget()
    found = _look(_frozen(chosen, at), at, budget, so_far.next or "", MOST - so_far.count)
    jobs = list(_jobs(found))
    able = Counter(so_far.able) + Counter(verb for job in jobs for verb in _verbs(job))
    whys = Counter(map(_why_left, jobs))
    met, places = so_far.count + len(jobs), so_far.places + budget.looked_at
    is_over = found.next is None or met >= MOST or places >= MOST_LOOKED_AT
    return Counted(
        met,
        dict(able),
        so_far.poison + whys["poison"],
        so_far.permanent + whys["permanent"],
        found.looked_at,
        places,
        None if is_over else found.next,
        is_all=so_far.is_all and found.complete and (not is_over or found.next is None),
    )


def matching(chosen: Filter, at: datetime, *, places: int) -> Mapping[str, Sequence[str]]:
    """By what operators can do, the ids of those that it can be done with; it goes as far as was counted.

    Raises redis.RedisError and DatabaseError.
    """
    able: dict[str, list[str]] = {}
    budget = Budget(looked_at=places, is_timed=False)
    for job in _jobs(_look(_frozen(chosen, at), at, budget, "", MOST)):
        for verb in _verbs(job):
            able.setdefault(verb, []).append(job.id)
    return able


def _frozen(chosen: Filter, at: datetime) -> Filter:
    return Filter((*chosen.fixed(at).terms, Time("until", at)))


def _look(frozen: Filter, at: datetime, budget: Budget, cursor: str, limit: int) -> Found:
    search = Search(frozen, "", at, budget)
    named = None if cursor else search.by_id(limit)
    return search.look(cursor, limit) if named is None else Found.of(named)


def _jobs(found: Found) -> Iterator[Job]:
    return (job for *_, job in found.entries if job is not None)


def _verbs(job: Job) -> Sequence[str]:
    verbs = queries.actions(job.state, job.kind, stopping=job.stopping)
    return [verb for verb in verbs if verb != "retry" or not _why_left(job)]


def _why_left(job: Job) -> Why:
    reason = job.error.reason if job.error is not None else None
    return why_left(reason, permanent=job.permanent) if job.state == "failed" else ""
