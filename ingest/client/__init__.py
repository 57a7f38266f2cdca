"""The Python face: taking events in, looking at jobs and moving them, for code in the same project.

    from ingest import client

    receipt = client.enqueue("alert", title="Disk is full on db-1", severity="critical")
    client.get(receipt.id).state

`ingest.client.aio` has the same functions as coroutines. The rules are those of the other ways in: an event is
checked, given its id, recognised when it comes twice and stored durably as one that comes over HTTP, and each change
of a job's place is one atomic script.

This face is for code, which answers for what it does: nothing here asks for rights, and nothing is written to the
audit log. `by` is kept on the job as who moved it last (by default the process); what a person decides goes through
the console, which audits it.

All functions raise Unavailable when Redis or the database does not answer. Those that look ask once and give up
after 0.5 s; those that change something wait and try again, which is safe, and say so when the outcome is not known.
Events are sent at once, also inside a database transaction: what a job reads of it should be committed before
(`django.db.transaction.on_commit`).
"""

from ingest.accept import Receipt
from ingest.client.bulk import Cleared, clear, clear_completed, remove_dead, retry_dead, undo_clear
from ingest.client.errors import AlreadyMoved, IdReused, NotFound, Unavailable
from ingest.client.jobs import attempts, get, get_user_request, list_jobs, log, payload, position, progress
from ingest.client.moves import cancel, move, remove, restore, retry, run_now, update_payload
from ingest.client.queues import (
    counts,
    is_paused,
    pause,
    rate_limits,
    remove_rate_limit,
    resume,
    set_rate_limit,
    statistics,
)
from ingest.client.schedules import (
    pause_schedule,
    resume_schedule,
    run_schedule,
    schedule,
    schedules,
    unschedule,
)
from ingest.client.sending import enqueue, enqueue_many
from ingest.models import Schedule
from ingest.queue.limits import Limit
from ingest.reading.counts import Counts, Statistics
from ingest.reading.cursors import BadCursor
from ingest.reading.lists import Page
from ingest.reading.runs import Attempt
from ingest.reading.shapes import Job, JobError

__all__ = [
    "AlreadyMoved",
    "Attempt",
    "BadCursor",
    "Cleared",
    "Counts",
    "IdReused",
    "Job",
    "JobError",
    "Limit",
    "NotFound",
    "Page",
    "Receipt",
    "Schedule",
    "Statistics",
    "Unavailable",
    "attempts",
    "cancel",
    "clear",
    "clear_completed",
    "counts",
    "enqueue",
    "enqueue_many",
    "get",
    "get_user_request",
    "is_paused",
    "list_jobs",
    "log",
    "move",
    "pause",
    "pause_schedule",
    "payload",
    "position",
    "progress",
    "rate_limits",
    "remove",
    "remove_dead",
    "remove_rate_limit",
    "restore",
    "resume",
    "resume_schedule",
    "retry",
    "retry_dead",
    "run_now",
    "run_schedule",
    "schedule",
    "schedules",
    "set_rate_limit",
    "statistics",
    "undo_clear",
    "unschedule",
    "update_payload",
]
