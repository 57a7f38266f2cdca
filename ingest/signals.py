"""What the pipeline tells other apps, beside its rows. Receivers run where it happens, one by one, and should be quick.

`accepted`, `processed` and `dead` come after the fact: a receiver that raises is logged and changes nothing, and a
process that dies in between has told nobody. What must not be missed belongs into a handler.
"""

from typing import TYPE_CHECKING, Final

from django.dispatch import Signal

if TYPE_CHECKING:
    from ingest.queue.transitions import Failure

#: Events were stored durably, in the web process or whoever sends. `sender`: None; `receipts`: a list of
#: `ingest.accept.Receipt`, one for each event that is new. In a coroutine a sync receiver runs in a thread, and the
#: answer waits for it.
accepted: Final = Signal()
#: Events were processed and their rows are committed, in the worker. `sender`: the kind's name; `payloads`: a list of
#: `ingest.queue.payload.Payload`.
processed: Final = Signal()
#: A job became a dead letter. `sender`: its queue; `job_id`, `reason`, `error_type`, `message` (which may quote
#: credentials). In the worker whose handler failed; where its workers died under it, reason poison, in whoever took it
#: back: maintenance, or what an operator pressed in.
dead: Final = Signal()
#: What is no longer kept is removed. `sender`: the kind's name; `what`: "events", "alerts" or "points"; `before`: they
#: are older than this moment; `count`: None before the first goes, then how many went. A receiver that raises before
#: the first keeps them all.
removal: Final = Signal()


def tell_dead(queue: str, failure: "Failure") -> None:
    """Tell other apps of a dead letter."""
    if dead.receivers:
        dead.send_robust(
            queue,
            job_id=failure.job_id,
            reason=failure.reason,
            error_type=failure.error_type,
            message=failure.message,
        )
