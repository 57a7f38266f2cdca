"""What goes next by a policy, and when: of one cause, and of all that it speaks of. Counted by the index, only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from django.db.models import Count, Min
from django.urls import reverse

from queueadmin.console.models import Failure, FailureGroup, RetentionPolicy
from queueadmin.console.policies.reading import NEAR, NOTICE, causes_with, kept, leaving, overfull, too_old

#: Causes of a policy that are named, those with the most dead letters: each of them costs a question.
NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a policy takes of one cause."""

    group: FailureGroup
    #: How many dead letters of it are kept; None: all, until they are too old.
    keep_count: int | None
    #: How many leave within NOTICE.
    leaving: int
    #: When the first of them may; None: none leaves.
    first_at: datetime | None

    @property
    def more(self) -> int:
        """How many may fail until the oldest is beyond the count."""
        return max(0, self.keep_count + 1 - self.group.count) if self.keep_count is not None else 0

    @property
    def is_near(self) -> bool:
        """Whether it has nearly as many as are kept, or more."""
        return self.keep_count is not None and self.group.count >= ceil(NEAR * self.keep_count)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a policy takes of all causes that it speaks of."""

    leaving: int
    #: When the first of them may; None: none leaves, or so many causes have too many that it is not looked up.
    first_at: datetime | None
    #: Up to NAMED that are near the count, or beyond it.
    causes: Sequence[Outlook]


def of_group(policy: RetentionPolicy, group: FailureGroup, now: datetime) -> Outlook:
    """`policy`: the one that speaks of the cause. Raises DatabaseError."""
    old = too_old(policy, now + NOTICE).filter(fingerprint=group.pk)
    found = old.aggregate(count=Count("id"), first_at=Min("failed_at"))
    firsts = [found["first_at"] + timedelta(days=policy.keep_days or 0)] if found["count"] else []
    beyond = max(0, group.count - policy.keep_count) if policy.keep_count is not None else 0
    if beyond and policy.keep_count is not None and (at := _pushed_out(group, policy.keep_count)):
        firsts.append(at + NOTICE)
    # In a cause both limits take the oldest: the one that takes more takes those of the other.
    count = max(found["count"], beyond)
    return Outlook(group, policy.keep_count, count, max(min(firsts), policy.starts_at) if firsts else None)


def expected(policy: RetentionPolicy, now: datetime) -> Expected:
    """Raises DatabaseError."""
    count = leaving(policy, now)
    causes: list[Outlook] = []
    firsts: list[datetime] = []
    if policy.keep_count is not None:
        named = causes_with(policy, ceil(NEAR * policy.keep_count)).order_by("-count", "pk")[:NAMED]
        causes = [of_group(policy, group, now) for group in named]
        firsts = [each.first_at for each in causes if each.first_at]
    if policy.keep_days is not None:
        oldest = too_old(policy, now + NOTICE).order_by("failed_at", "pk").values_list("failed_at", flat=True)[:1]
        firsts += [max(at + timedelta(days=policy.keep_days), policy.starts_at) for at in oldest]
    is_known = len(causes) < NAMED or overfull(policy).count() <= NAMED
    return Expected(count, min(firsts) if count and firsts and is_known else None, causes)


def shown(policy: RetentionPolicy, now: datetime) -> dict[str, Any]:
    """One for the API. Raises DatabaseError."""
    found = expected(policy, now)
    return {
        "id": policy.pk,
        "group": policy.fingerprint or None,
        "keep_days": policy.keep_days,
        "keep_count": policy.keep_count,
        "kept": kept(policy),
        "starts_at": policy.starts_at,
        "leave_in_24h": found.leaving,
        "first_leaves_at": found.first_at,
        "near": [
            {
                "group": each.group.pk,
                "count": each.group.count,
                "leave_in_24h": each.leaving,
                "first_leaves_at": each.first_at,
            }
            for each in found.causes
        ],
        "set_by": policy.set_by,
        "set_at": policy.set_at,
        "reason": policy.reason,
        "links": {"page": reverse("console:policies")},
    }


def _pushed_out(group: FailureGroup, keep: int) -> datetime | None:
    """Since when its oldest dead letter has so many newer ones that it is beyond the count."""
    rows = Failure.objects.filter(fingerprint=group.pk).values_list("failed_at", flat=True)
    beyond = group.count - keep
    # From the end that is nearer: the database counts what it passes over.
    ordered = (
        rows.order_by("failed_at", "pk")[keep:] if keep <= beyond else rows.order_by("-failed_at", "-pk")[beyond - 1 :]
    )
    return next(iter(ordered[:1]), None)
