"""What the pipeline tells other apps, beside its rows. Receivers run where it happens, one by one, and should be quick.

`accepted`, `processed` and `dead` come after the fact: a receiver that raises is logged and changes nothing, and a
process that dies in between has told nobody. What must not be missed belongs into a handler.
"""

from typing import Final

from django.dispatch import Signal

#: Events were stored durably, in the web process or whoever sends. `sender`: None; `receipts`: a list of
#: `ingest.accept.Receipt`, one for each event that is new. In a coroutine a sync receiver runs in a thread, and the
#: answer waits for it.
accepted: Final = Signal()
#: Events were processed and their rows are committed, in the worker. `sender`: the kind's name; `payloads`: a list of
#: `ingest.queue.payload.Payload`.
processed: Final = Signal()
#: A job became a dead letter because its handler failed, in the worker. `sender`: its queue; `job_id`, `reason`,
#: `error_type`, `message` (which may quote credentials). Not of a job whose workers died under it.
dead: Final = Signal()
#: What is no longer kept is removed. `sender`: the kind's name; `what`: "events", "alerts" or "points"; `before`: they
#: are older than this moment; `count`: None before the first goes, then how many went. A receiver that raises before
#: the first keeps them all.
removal: Final = Signal()
