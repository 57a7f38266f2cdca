"""Which policies there are, what each speaks of, and what leaves by it: counted by the index, only read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from django.db.models import Count

from queueadmin.console.models import Failure, FailureGroup, RetentionPolicy

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: What is told before anything goes: from the setting of a policy, or its change, to its first removal; from the moment
#: that enough newer ones have failed to the removal of one that is beyond a count; and for so long what somebody moved,
#: or took back out of the trash, stays in any case.
NOTICE: Final = timedelta(hours=24)
#: Of a count, from this share on a cause is said to be near it.
NEAR: Final = 0.9
MOST_DAYS: Final = 3_650
MOST_COUNT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Soon:
    """What leaves within NOTICE by all policies."""

    count: int
    #: When the first of them may go. None: some already may, or will within that time.
    first_at: datetime | None
    #: Causes that have nearly as many as a policy keeps of them; none of these go so far.
    near: int = 0


def of_cause(fingerprint: str) -> RetentionPolicy | None:
    """The one that speaks of this cause: its own, else that for all. Raises DatabaseError."""
    return RetentionPolicy.objects.filter(fingerprint__in=("", fingerprint)).order_by("-fingerprint").first()


def own() -> "QuerySet[RetentionPolicy]":
    """Those of single causes."""
    return RetentionPolicy.objects.exclude(fingerprint="")


def spoken_of(policy: RetentionPolicy) -> "QuerySet[Failure]":
    """The dead letters that it speaks of, whether they stay or go."""
    if policy.fingerprint:
        return Failure.objects.filter(fingerprint=policy.fingerprint)
    return Failure.objects.exclude(fingerprint__in=own().values("fingerprint"))


def overfull(policy: RetentionPolicy) -> "QuerySet[FailureGroup]":
    """Causes that it speaks of and that have more dead letters than it keeps, as they were counted last."""
    if policy.keep_count is None:
        return FailureGroup.objects.none()
    return causes_with(policy, policy.keep_count + 1)


def near(policy: RetentionPolicy) -> "QuerySet[FailureGroup]":
    """Causes that it speaks of and that have NEAR of its count or more, but none too many."""
    if policy.keep_count is None:
        return FailureGroup.objects.none()
    return causes_with(policy, ceil(NEAR * policy.keep_count)).filter(count__lte=policy.keep_count)


def causes_with(policy: RetentionPolicy, least: int) -> "QuerySet[FailureGroup]":
    """Causes that it speaks of with at least so many dead letters, as they were counted last."""
    found = FailureGroup.objects.filter(count__gte=least)
    if policy.fingerprint:
        return found.filter(pk=policy.fingerprint)
    return found.exclude(pk__in=own().values("fingerprint"))


def told(rows: "QuerySet[Failure]", now: datetime) -> "QuerySet[Failure]":
    """Of these, those that push others out of a count now: what they push out has been told for NOTICE.

    What lies ahead of Redis' clock (that was set back, or a stock worker's machine is ahead) pushes nothing out, and is
    kept until its own time has come: nothing goes that nobody can tell the age of.
    """
    return rows.filter(failed_at__lte=now - NOTICE)


def too_old(policy: RetentionPolicy, at: datetime) -> "QuerySet[Failure]":
    """Dead letters that are older at that moment than it keeps them."""
    if policy.keep_days is None:
        return Failure.objects.none()
    return spoken_of(policy).filter(failed_at__lt=at - timedelta(days=policy.keep_days))


def leaving(policy: RetentionPolicy, now: datetime) -> int:
    """How many of those that are dead now leave within NOTICE, none taken out before. Raises DatabaseError."""
    old = too_old(policy, now + NOTICE)
    count = old.count()
    if policy.keep_count is None:
        return count
    # In a cause both limits take the oldest: the one that takes more takes those of the other.
    many = overfull(policy)
    rows = old.filter(fingerprint__in=many.values("pk")).values_list("fingerprint").annotate(count=Count("id"))
    counted = dict(rows.order_by())
    for fingerprint, total in many.values_list("pk", "count"):
        count += max(0, total - policy.keep_count - counted.get(fingerprint, 0))
    return count


def soon(now: datetime) -> Soon | None:
    """What leaves within NOTICE; None: nobody set a policy. Raises DatabaseError."""
    policies = list(RetentionPolicy.objects.all())
    if not policies:
        return None
    counted = [(policy, leaving(policy, now)) for policy in policies]
    first = min((policy.starts_at for policy, count in counted if count), default=now)
    return Soon(
        sum(count for _, count in counted),
        first if first > now else None,
        sum(near(policy).count() for policy in policies),
    )


def beyond_since(policy: RetentionPolicy, group: str, failed_at: datetime) -> datetime | None:
    """Since when such a dead letter of the cause is beyond the count, so many newer ones having failed; None: not yet.

    Raises DatabaseError.
    """
    if policy.keep_count is None:
        return None
    newer = Failure.objects.filter(fingerprint=group, failed_at__gt=failed_at).order_by("failed_at", "pk")
    return next(iter(newer.values_list("failed_at", flat=True)[policy.keep_count - 1 :][:1]), None)


def kept_until(
    policy: RetentionPolicy, failed_at: datetime, moved_at: datetime | None, beyond: datetime | None = None
) -> datetime | None:
    """When such a dead letter may go, beyond the count since `beyond`; None: nothing limits it so far."""
    ends = [beyond + NOTICE] if beyond else []
    if policy.keep_days is not None:
        ends.append(failed_at + timedelta(days=policy.keep_days))
    if not ends:
        return None
    until = max(min(ends), policy.starts_at)
    return max(until, moved_at + NOTICE) if moved_at else until


def kept(policy: RetentionPolicy) -> str:
    """How long it keeps them: "for 30 days, at most the newest 1,000 of each cause"."""
    parts = []
    if policy.keep_days is not None:
        parts.append(f"for {_days(policy.keep_days)}")
    if policy.keep_count is not None:
        newest = f"the newest {policy.keep_count:,}{'' if policy.fingerprint else ' of each cause'}"
        parts.append(f"at most {newest}")
    return ", ".join(parts) or "until a person removes them"


def removed(policy: RetentionPolicy) -> str:
    """Which dead letters it takes out: "older than 30 days or beyond the newest 1,000 of each cause"."""
    parts = []
    if policy.keep_days is not None:
        parts.append(f"older than {_days(policy.keep_days)}")
    if policy.keep_count is not None:
        parts.append(f"beyond the newest {policy.keep_count:,}{'' if policy.fingerprint else ' of each cause'}")
    return " or ".join(parts)


def name_of(policies: Iterable[RetentionPolicy]) -> dict[str, str]:
    """Fingerprint → what the policy is for, as people know it. Raises DatabaseError."""
    wanted = [policy.fingerprint for policy in policies]
    known = FailureGroup.objects.in_bulk([each for each in wanted if each])
    return {each: (str(known.get(each, "")) or f"group {each}") if each else "all dead letters" for each in wanted}


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"
