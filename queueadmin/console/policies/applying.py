"""The leading maintenance process's step: what policies no longer keep goes to the trash, the oldest first.

Exactly the dead letters that the index names and that still stand there in Redis. While the index is not whole, nothing
goes: what it does not say is kept.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import redis
from django.db.models import Count, Q

from ingest.queue import keys
from ingest.queue.batching import chunks
from ingest.queue.connections import server_time
from ingest.queue.transitions import Transitions
from ingest.reading.fields import moment, pipelined, text
from queueadmin.console import failures
from queueadmin.console.audit import audited
from queueadmin.console.failures.finding import Entry, standing
from queueadmin.console.models import Failure, RetentionPolicy
from queueadmin.console.policies.reading import NOTICE, overfull, removed, spoken_of, told, too_old

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Seconds between two looks, so that the audit log has at most six removals of a policy in an hour.
EVERY: Final = 600.0
#: Dead letters of one round of one policy: as many as Undo brings back at one press.
MOST: Final = 10_000
#: Rows in one question to Redis.
_PAGE: Final = 500
_ACTOR: Final = "maintenance"


class Policies:
    """Made once a process, with a client of its own; `step` about once a second while it leads."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._transitions = Transitions(client)
        self._next_at = clock()

    def step(self) -> None:
        """One round of each policy, when it is time. Raises RedisError, DatabaseError and AuditUnavailable."""
        if self._clock() < self._next_at:
            return
        now = server_time(self._client)
        policies = _policies()
        in_force = [policy for policy in policies if policy.starts_at <= now]
        if in_force and not _is_whole(self._client):
            return  # the next step asks again
        # One with more than a round goes on at the next step.
        is_full = [self._apply(policy, policies, now) for policy in in_force]
        if not any(is_full):
            self._next_at = self._clock() + EVERY

    def _apply(self, policy: RetentionPolicy, policies: list[RetentionPolicy], now: datetime) -> bool:
        """One round of it, as all of them were said; whether there may be more at once."""
        places = self._due(policy, now)
        if not places:
            return False
        if _said(_policies()) != _said(policies):
            return True  # somebody changed one meanwhile: the next step goes by what is true
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
        return len(places) == MOST

    def _due(self, policy: RetentionPolicy, now: datetime) -> list[Entry]:
        """What goes now: up to MOST that stand in Redis, none that somebody moved within NOTICE."""
        chosen: dict[str, Entry] = {}
        for page in self._pages(policy, now):
            here = [place for place in standing(self._client, page) if place[1] not in chosen]
            moved = pipelined(self._client, "hget", [keys.job(job_id) for _, job_id, _ in here], keys.MOVED_AT)
            for place, said in zip(here, moved, strict=True):
                at = moment(text(said))
                if at is None or at <= now - NOTICE:
                    chosen[place[1]] = place
                if len(chosen) == MOST:
                    return list(chosen.values())
        return list(chosen.values())

    def _pages(self, policy: RetentionPolicy, now: datetime) -> Iterator[list[Entry]]:
        yield from _read(too_old(policy, now).order_by("failed_at", "pk"))
        if policy.keep_count is not None:
            rest = told(spoken_of(policy), now)
            # In one question: there may be thousands of causes with too many, of which none is due.
            counted = rest.filter(fingerprint__in=overfull(policy).values("pk")).values("fingerprint")
            due = counted.annotate(count=Count("id")).filter(count__gt=policy.keep_count).order_by("fingerprint")
            for fingerprint in list(due.values_list("fingerprint", flat=True)):
                rows = rest.filter(fingerprint=fingerprint)
                yield from _read(self._beyond(rows, policy.keep_count).order_by("failed_at", "pk"))

    def _beyond(self, rows: "QuerySet[Failure]", keep: int) -> "QuerySet[Failure]":
        """Those older than the `keep` newest that stand in Redis: rows of jobs that left count for nothing."""
        kept = 0
        for page in _read(rows.order_by("-failed_at", "-pk")):
            here = standing(self._client, page)
            if kept + len(here) >= keep:
                last = rows.filter(job_id=here[keep - kept - 1][1]).first()
                if last is None:
                    return rows.none()  # it left meanwhile; the next look counts again
                return rows.filter(Q(failed_at__lt=last.failed_at) | Q(failed_at=last.failed_at, pk__lt=last.pk))
            kept += len(here)
        return rows.none()


def _policies() -> list[RetentionPolicy]:
    return list(RetentionPolicy.objects.order_by("pk"))


def _said(policies: Iterable[RetentionPolicy]) -> list[tuple[int, datetime, datetime]]:
    """What differs when one was set, changed or removed."""
    return [(policy.pk, policy.set_at, policy.starts_at) for policy in policies]


def _is_whole(client: redis.Redis) -> bool:
    told = failures.state(client)
    return told is not None and told.complete


def _read(rows: "QuerySet[Failure]") -> Iterator[list[Entry]]:
    page: list[Entry] = []
    for place in rows.values_list("queue", "job_id", "score").iterator(chunk_size=_PAGE):
        page.append(place)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def _by_queue(places: Iterable[Entry]) -> Iterator[tuple[str, dict[str, float]]]:
    """(queue, id → score of as many as one script call takes)."""
    found: dict[str, list[tuple[str, float]]] = {}
    for queue, job_id, score in places:
        found.setdefault(queue, []).append((job_id, score))
    for queue, members in found.items():
        for some in chunks(members):
            yield queue, dict(some)
