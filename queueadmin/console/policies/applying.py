"""The leading maintenance process's step: what policies no longer keep goes to the trash, the oldest first.

Exactly the dead letters that the index names and that still stand there in Redis. While the index is not whole, nothing
goes: what it does not say is kept.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import redis

from ingest.queue.batching import chunks
from ingest.queue.connections import server_time
from ingest.queue.transitions import Transitions
from queueadmin.console import failures
from queueadmin.console.audit import audited
from queueadmin.console.failures.finding import Entry
from queueadmin.console.models import RetentionPolicy
from queueadmin.console.policies.due import Due, departures
from queueadmin.console.policies.reading import removed

#: Seconds between two looks, so that the audit log has at most six removals of a policy in an hour.
EVERY: Final = 600.0
_ACTOR: Final = "maintenance"

#: What differs when a policy was set, changed or removed.
Said = list[tuple[int, datetime, datetime]]


class Policies:
    """Made once a process, with a client of its own; `step` about once a second while it leads."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._transitions = Transitions(client)
        self._next_at = clock()
        #: By policy, what was begun, of policies that were said so; and how many all of them took.
        self._looks: dict[int, Due] = {}
        self._as_said: Said = []
        self._moved = 0

    def step(self) -> None:
        """One round of each policy, when it is time. Raises RedisError, DatabaseError and AuditUnavailable."""
        if self._clock() < self._next_at:
            return
        now = server_time(self._client)
        policies = _policies()
        in_force = [policy for policy in policies if policy.starts_at <= now]
        if in_force and not _is_whole(self._client):
            return  # the next step asks again
        said = _said(policies)
        if said != self._as_said:
            self._looks.clear()  # what was begun goes by what was true then
        self._as_said = said
        # One with more than a round goes on at the next step.
        goes_on = [self._apply(policy, said, now) for policy in in_force]
        if not any(goes_on):
            self._looks.clear()
            self._next_at = self._clock() + EVERY

    def _apply(self, policy: RetentionPolicy, said: Said, now: datetime) -> bool:
        """One round of it, as all of them were said; whether there may be more at once."""
        look = self._looks.pop(policy.pk, None) or Due(self._client, policy, now, self._left)
        if places := [] if look.ended else look.round():
            if _said(_policies()) != said:
                return True  # somebody changed one meanwhile: the next step goes by what is true
            self._discard(policy, places)
        # Not before: one that failed in the middle of a round begins anew.
        self._looks[policy.pk] = look
        return not look.ended

    def _discard(self, policy: RetentionPolicy, places: list[Entry]) -> None:
        why = f"policy for {policy}, set by {policy.set_by}: {policy.reason}"
        target = f"dead letters {removed(policy)}, of {policy}"
        with audited(actor=_ACTOR, action="discard", target=target, count=len(places), reason=why) as outcome:
            moved = 0
            for queue, scores in _by_queue(places):
                moved += len(
                    self._transitions.discard(queue, scores, by=_ACTOR, operation=outcome.operation, scores=scores)
                )
                left = len(places) - moved
                outcome.count = moved
                outcome.sentence = f"{moved:,} of {len(places):,} moved to the trash, kept for 24 h."
            if left:
                outcome.sentence += f" {left:,} had moved already."
            self._moved += moved

    def _left(self) -> int:
        """How many dead letters ever left without a policy: no cause is spoken of by two."""
        return departures(self._client) - self._moved


def _policies() -> list[RetentionPolicy]:
    return list(RetentionPolicy.objects.order_by("pk"))


def _said(policies: Iterable[RetentionPolicy]) -> Said:
    return [(policy.pk, policy.set_at, policy.starts_at) for policy in policies]


def _is_whole(client: redis.Redis) -> bool:
    told = failures.state(client)
    return told is not None and told.complete


def _by_queue(places: Iterable[Entry]) -> Iterator[tuple[str, dict[str, float]]]:
    """(queue, id → score of as many as one script call takes)."""
    found: dict[str, list[tuple[str, float]]] = {}
    for queue, job_id, score in places:
        found.setdefault(queue, []).append((job_id, score))
    for queue, members in found.items():
        for some in chunks(members):
            yield queue, dict(some)
