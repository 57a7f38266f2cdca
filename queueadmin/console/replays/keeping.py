"""Replays that are over are removed once they are older than KEPT, with their sets, and on the record."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from queueadmin.console.audit import audited
from queueadmin.console.models import Replay

#: From their end on.
KEPT: Final = timedelta(days=30)
#: Seconds between two looks.
EVERY: Final = 3600.0
#: Replays of one look: each that was stopped has a row for 500 jobs.
_MOST: Final = 100
_ACTOR: Final = "maintenance"


def forget() -> int:
    """How many went. Raises DatabaseError, and AuditUnavailable: then nothing was removed."""
    before = timezone.now() - KEPT
    over = list(
        Replay.objects.filter(settled=True, ended_at__lt=before).order_by("id").values_list("id", flat=True)[:_MOST]
    )
    if not over:
        return 0
    target = f"{len(over):,} that ended before {before:%Y-%m-%d %H:%M} UTC"
    with audited(actor=_ACTOR, action="retention", target=target, count=len(over)) as outcome:
        # Chunks go with their replay; one that somebody let go on meanwhile stays.
        _, removed = Replay.objects.filter(id__in=over, settled=True, ended_at__lt=before).delete()
        outcome.count = removed.get(Replay._meta.label, 0)
        outcome.sentence = f"{outcome.count:,} replays removed, {KEPT.days} days after their end."
    return outcome.count
