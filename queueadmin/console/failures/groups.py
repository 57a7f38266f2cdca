"""Counts that are kept with each group, since at a hundred thousand rows they take too long to count for a page."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q

from ingest.queue.batching import chunks
from queueadmin.console.models import Failure, FailureGroup

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Sources that are named, those with the most.
SOURCES: Final = 5
#: Groups that are counted in one question: SQLite takes no more than 32,766 values unless its builder raised that.
_COUNTED: Final = 1_000
#: A group without dead letters of which nobody said anything is kept for so long after its last failure.
KEPT: Final = timedelta(days=30)


def refresh(fingerprints: Iterable[str]) -> None:
    """Count these groups anew, however many. Raises DatabaseError."""
    for some in chunks(sorted(set(fingerprints)), _COUNTED):
        _refresh(some)


def _refresh(wanted: Sequence[str]) -> None:
    rows = Failure.objects.filter(fingerprint__in=wanted)
    counted = {
        row["fingerprint"]: row
        for row in rows.values("fingerprint").annotate(count=Count("id"), payloads=Count("payload", distinct=True))
    }
    queues, sources = (_by(rows, name) for name in ("queue", "source"))
    found = list(FailureGroup.objects.filter(pk__in=wanted))
    for group in found:
        row = counted.get(group.pk, {"count": 0, "payloads": 0})
        group.count, group.payloads = row["count"], row["payloads"]
        group.queues = dict(queues[group.pk])
        group.sources = dict(sources[group.pk][:SOURCES])
    FailureGroup.objects.bulk_update(found, ["count", "payloads", "queues", "sources"], batch_size=200)


def forget_old(now: datetime) -> int:
    """Remove groups that are over, and of which nobody said anything; how many went. Raises DatabaseError."""
    silent = Q(status=FailureGroup.Status.OPEN, note="", assignee="", count=0, last_at__lt=now - KEPT)
    return FailureGroup.objects.filter(silent).delete()[0]


def _by(rows: "QuerySet[Failure]", name: str) -> dict[str, list[tuple[str, int]]]:
    """Fingerprint → (value, how many), the most first."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for fingerprint, value, count in (
        rows.values_list("fingerprint", name).annotate(count=Count("id")).order_by("-count", name)
    ):
        found[fingerprint].append((value, count))
    return found
