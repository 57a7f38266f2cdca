"""What a filter is asked of: a job with its group, and where a term asks for it, the event that it carries."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ingest.credentials import masked_text
from ingest.queue.connections import connection
from ingest.reading.lists import Entry
from ingest.reading.shapes import Job
from queueadmin.console.dead_letters.reading import Raised, raised_by, title_of
from queueadmin.console.fingerprint import group_of
from queueadmin.console.job_lists.segments import Segment

#: Of a job in the contract's shape, what terms ask for.
_FIELDS: Final = (
    "id", "event_id", "kind", "source", "tenant", "state", "queue", "attempts", "received_at", "enqueued_at",
    "permanent",
)  # fmt: skip


def records(segment: Segment, entries: Sequence[Entry]) -> Iterator[tuple[Entry, dict[str, Any] | None]]:
    """The entries with their records; None: the job has moved on."""
    foreign = [job.id for *_, job in entries if job is not None and _is_untold(segment, job)]
    raised = dict(zip(foreign, raised_by(connection(), foreign), strict=True)) if foreign else {}
    for entry in entries:
        job = entry[-1]
        is_here = job is not None and job.state == segment.state and job.queue in segment.queues
        yield entry, record(job, raised.get(job.id)) if job is not None and is_here else None


def record(job: Job, raised: Raised | None = None) -> dict[str, Any]:
    """The job, without its event; `raised` is what is known otherwise of how it failed."""
    known = {name: getattr(job, name) for name in _FIELDS}
    error = job.error
    if error is None and raised is None:
        return {**known, "error": None, "group": None, "replay": job.replay}
    told = Raised((error and error.type) or "", (error and error.message) or "", (error and error.frames) or "").or_by(
        raised
    )
    return {
        **known,
        "error": {
            "type": told.type or None,
            "message": masked_text(told.message) or None,
            "reason": (error and error.reason) or "error",
            "at": (error and error.at) or job.finished_at,
        },
        "group": group_of(*told),
        "replay": job.replay,
    }


def with_event(found: dict[str, Any], event: Any) -> dict[str, Any]:
    return {**found, "title": title_of(event), "payload": event}


def _is_untold(segment: Segment, job: Job) -> bool:
    """A dead letter of a stock worker, or of before the frames were kept: only its traceback says how it failed."""
    is_told = job.error is not None and job.error.type and job.error.frames
    return (segment.name, job.state) == ("failed@redis", "failed") and not is_told
