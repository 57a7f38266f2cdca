"""Dead letters that the spool holds, back to their turn: with REDIS=false all there are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from ingest.models import Event
from ingest.spool import reading, turns
from queueadmin.console import audit
from queueadmin.console.audit import audited
from queueadmin.console.operations.moving import GONE, Elsewhere, MoveResult
from queueadmin.console.operations.naming import target

DONE: Final = "put back into the queue"


def hold(ids: Sequence[str]) -> bool:
    """Whether the spool has all of these as dead letters, of a time with REDIS=false."""
    wanted = {job_id for job_id in ids if "\0" not in job_id}
    return bool(wanted) and turns.dead(wanted) == len(wanted)


def retry(ids: Sequence[str], *, actor: str, reason: str = "") -> MoveResult:
    """Put these back, with all their retries. Raises AuditUnavailable and DatabaseError."""
    wanted = list(dict.fromkeys(ids))
    with audited(actor=actor, action="retry", target=target(wanted), count=len(wanted), reason=reason) as outcome:
        moved = set(turns.retry(job_id for job_id in wanted if "\0" not in job_id))
        already = {job_id: _elsewhere(job_id, outcome.operation) for job_id in wanted if job_id not in moved}
        result = MoveResult(DONE, tuple(job_id for job_id in wanted if job_id in moved), already)
        outcome.count, outcome.sentence = len(moved), result.sentence
    return result


def retry_all(queues: Sequence[str], *, include_poison: bool) -> tuple[int, int]:
    """How many were put back, and how many poison ones were left. Inside the caller's audit entry."""
    ranks = [settings.PRIORITIES.index(name) for name in queues]
    return turns.retry_all(ranks, datetime.now(UTC), include_poison=include_poison)


def _elsewhere(job_id: str, operation: str) -> Elsewhere:
    entry = audit.last_mover(job_id, operation)
    row = reading.find(job_id)
    if row is not None:
        state = str(row.state)
    else:
        state = "finished" if "\0" not in job_id and Event.objects.filter(id=job_id).exists() else GONE
    return Elsewhere(state, entry.actor, entry.at) if entry else Elsewhere(state)
