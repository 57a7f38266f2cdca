"""What becomes of a job whose handling raised."""

import traceback

from ingest.credentials import without_concealed
from ingest.jobs import may_retry
from ingest.queue.payload import Unreadable
from ingest.queue.shapes import Reason
from ingest.queue.transitions import Failure
from ingest.worker.alarm import Overrun


def failure(job_id: str, error: BaseException) -> Failure:
    """A retry while the job has some, except where trying again is no use."""
    retry = may_retry(error)
    reason: Reason = "error" if retry else "permanent"
    match error:
        case Unreadable():
            reason = error.reason
        case Overrun():
            reason = "timeout"
    return Failure(
        job_id=job_id,
        error=without_concealed("".join(traceback.format_exception(error)), error),
        reason=reason,
        retry=retry,
        error_type=type(error).__qualname__,
        message=without_concealed(str(error), error),
    )
