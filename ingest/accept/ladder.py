"""The ladder of durability: Redis, with its fsynced reply; else the spool, committed; else nothing is stored.

An outcome of Redis that is not known goes to the spool under the same id, and whoever drains it settles it.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import redis
from django.conf import settings

from ingest import spool
from ingest.accept.breaking import breaker, not_sent
from ingest.accept.events import Unavailable
from ingest.queue.connections import acceptance_connection
from ingest.queue.transitions import AsyncTransitions, EnqueueResult, NewJob, Transitions

#: What became of one job.
Answer: TypeAlias = EnqueueResult | Unavailable
#: Jobs, or what became of them, by their place in the call.
_Jobs: TypeAlias = Mapping[int, NewJob]
_Answers: TypeAlias = dict[int, Answer]


def send(jobs: Sequence[NewJob], *, strict: bool = False) -> list[Answer]:
    """An answer for each job of one call, in their order. With `strict` all are stored, in one store, or none."""
    every = dict(enumerate(jobs))
    answers: _Answers = {}
    if settings.REDIS:
        answers = _into_redis(_first(every, spool.behind(jobs), strict), strict)
    if rest := _rest(every, answers):
        try:
            answers |= zip(rest, spool.store(list(rest.values()), strict=strict), strict=True)
        except spool.Away as away:
            answers |= _unstored(rest, answers, away)
    return [answers[place] for place in every]


async def send_async(
    transitions: AsyncTransitions | None, jobs: Sequence[NewJob], *, strict: bool = False
) -> list[Answer]:
    """The same on an event loop; without transitions there is no Redis."""
    every = dict(enumerate(jobs))
    answers: _Answers = {}
    if transitions is not None:
        first = _first(every, await spool.behind_async(jobs), strict)
        answers = await _into_redis_async(transitions, first, strict)
    if rest := _rest(every, answers):
        try:
            answers |= zip(rest, await spool.store_async(list(rest.values()), strict=strict), strict=True)
        except spool.Away as away:
            answers |= _unstored(rest, answers, away)
    return [answers[place] for place in every]


def _first(every: _Jobs, behind: Collection[str], strict: bool) -> _Jobs:
    """What Redis is asked to take: not what must follow something in the spool, nor what must stay with that."""
    if strict and behind:
        return {}
    return {place: job for place, job in every.items() if job.id not in behind}


def _into_redis(jobs: _Jobs, strict: bool) -> _Answers:
    if not jobs:
        return {}
    if not breaker.lets_through():
        return dict.fromkeys(jobs, not_sent())
    try:
        results = _transitions(acceptance_connection()).enqueue(list(jobs.values()), strict=strict)
    except redis.RedisError as error:
        return dict.fromkeys(jobs, breaker.trip(error))
    breaker.reset()
    return dict(zip(jobs, results, strict=True))


async def _into_redis_async(transitions: AsyncTransitions, jobs: _Jobs, strict: bool) -> _Answers:
    if not jobs:
        return {}
    if not breaker.lets_through():
        return dict.fromkeys(jobs, not_sent())
    try:
        results = await transitions.enqueue(list(jobs.values()), strict=strict)
    except redis.RedisError as error:
        return dict.fromkeys(jobs, breaker.trip(error))
    breaker.reset()
    return dict(zip(jobs, results, strict=True))


def _rest(every: _Jobs, answers: _Answers) -> _Jobs:
    """What belongs into the spool: it was not sent to Redis, or Redis did not take it, as far as is known."""
    return {place: job for place, job in every.items() if not isinstance(answers.get(place), EnqueueResult)}


def _unstored(rest: _Jobs, answers: _Answers, away: spool.Away) -> _Answers:
    """The database is away as well. What Redis may have stored stays unknown."""
    unstored: _Answers = {}
    for place in rest:
        before = answers.get(place)
        why = before.detail if isinstance(before, Unavailable) else "It must follow events that are spooled."
        unknown = away.unknown or (isinstance(before, Unavailable) and before.unknown)
        unstored[place] = Unavailable(f"{why} The database does not take it either.", unknown=unknown)
    return unstored


@lru_cache(maxsize=2)
def _transitions(connection: redis.Redis) -> Transitions:
    """Kept with its connection: making one hashes every script."""
    return Transitions(connection)
