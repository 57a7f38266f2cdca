"""What becomes of a job whose handling raised."""

import traceback

from ingest.kinds.errors import PermanentError
from ingest.queue.calls import Reason
from ingest.queue.payload import Unreadable
from ingest.queue.transitions import Failure
from ingest.worker.alarm import Overrun


def failure(job_id: str, error: BaseException) -> Failure:
    """A retry while the job has some, except where trying again is no use."""
    reason: Reason = "error"
    match error:
        case Unreadable():
            reason = error.reason
        case PermanentError():
            reason = "permanent"
        case Overrun():
            reason = "timeout"
    return Failure(
        job_id=job_id,
        error="".join(traceback.format_exception(error)),
        reason=reason,
        retry=not isinstance(error, (Unreadable, PermanentError)),
        error_type=type(error).__qualname__,
        message=str(error),
    )
