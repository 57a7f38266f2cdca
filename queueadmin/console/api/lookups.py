"""What became of events that were sent: by the sender's id, or of a whole batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.accept import derived_id
from ingest.api import batches
from ingest.api.problems import Problem, ProblemError
from ingest.kinds import KINDS
from ingest.reading import ages
from ingest.reading import several as reading
from ingest.reading.shapes import Job
from queueadmin.console import queries
from queueadmin.console.api.base import ConsoleView, invalid_field

#: Jobs read at once.
_PART: Final = 500
#: Characters of an id that can be one.
ID_LENGTH: Final = 64


class LookupView(ConsoleView):
    """The job of an event by the id that its sender gave it."""

    minds_tenant = True

    def get(self, request: Request) -> Response:
        asked = request.query_params
        kind, event_id = asked.get("kind") or "alert", asked.get("id")
        if kind not in KINDS or KINDS[kind].internal:
            known = ", ".join(name for name, each in KINDS.items() if not each.internal)
            raise invalid_field("kind", f"kind must be one of {known}.")
        if not event_id:
            raise invalid_field("id", "id is missing: the one that the event was sent with.")
        source, tenant = asked.get("source", ""), self.caller.tenant or asked.get("tenant", "")
        job = queries.job(derived_id(kind, tenant, *_identity(kind, source, event_id, asked.dict())))
        if job is None:
            whose = f" of the tenant {tenant[:100]}" if tenant else ""
            where = f"from the source {source[:100]}" if source else "without a source"
            detail = f"No event of the kind {kind} {where}{whose} is known by the id {event_id[:100]}."
            raise ProblemError(Problem(404, "job_not_found", "No such job", detail))
        return Response(job)


class BatchView(ConsoleView):
    """What became of each item of a batch, and where its job is now."""

    minds_tenant = True

    def get(self, request: Request, batch_id: str) -> Response:
        batch = batches.find(batch_id) if len(batch_id) <= ID_LENGTH else None
        if batch is None or (self.caller.tenant and batch.tenant != self.caller.tenant):
            raise _no_batch(batch_id)
        jobs = _jobs([item.job_id for item in batch.items if item.job])
        items = [_item(index, item, jobs.get(item.job_id)) for index, item in enumerate(batch.items)]
        states = Counter(str(item["state"]) for item in items if item.get("state"))
        return Response(
            {
                "batch_id": batch.id,
                "durability": batch.durability,
                **batch.counts,
                "states": states,
                "items": items,
            }
        )


def _identity(kind: str, source: str, event_id: str, asked: Mapping[str, str]) -> tuple[str, ...]:
    """What our id is made from: of a message where it was said, of all others the source."""
    identify = KINDS[kind].identify
    if identify is None:
        return source, event_id
    return identify({"source_type": source, **asked}, event_id).parts


def _jobs(ids: Sequence[str]) -> dict[str, Job]:
    """By parts: an answer of Redis, and a question to the database, of a moderate size."""
    found: dict[str, Job] = {}
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), _PART):
        found |= reading.read(unique[start : start + _PART], located=False)
    return found


def _item(index: int, item: batches.Item, job: Job | None) -> dict[str, Any]:
    """`state` is null when nothing is kept of the job any more."""
    if not item.job:
        error = {"code": item.code, "detail": item.detail}
        return {
            "index": index,
            "status": item.status,
            "event_id": item.event_id,
            "error": error,
            "retryable": item.retryable,
        }
    return {
        "index": index,
        "status": item.status,
        "id": item.job_id,
        "event_id": job.event_id if job else None,
        "duplicate": item.duplicate,
        "state": job.state if job else None,
        "queue": job.queue if job else None,
    }


def _no_batch(batch_id: str) -> ProblemError:
    if ages.is_past(batch_id, timedelta(seconds=batches.KEPT_SECONDS)):
        detail = f"The batch is older than {batches.KEPT_SECONDS // 3600} hours; its jobs are looked up by their ids."
        return ProblemError(Problem(410, "batch_gone", "The batch is gone", detail))
    detail = f"No batch is known by the id {batch_id[:100]}."
    return ProblemError(Problem(404, "batch_not_found", "No such batch", detail))
