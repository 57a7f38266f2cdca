"""The one door in: every event that gets a receipt passed `accept` or `accept_async`.

An accepted event is one job in its priority's queue, fsynced when Redis is set as `make run` sets it; while Redis
cannot take it, it is a row of the spool, committed. The id is made before anything is sent: a client that repeats an
event under its own id meets the first copy, even when the answer to it was lost.

One role a file: `events` (what comes in and what is said of it), `ids`, `jobs` (the job that carries an event),
`breaking` (whether Redis is asked at all), `ladder` (Redis, else the spool), `groups` (what shares a call) and `door`.
"""

from ingest.accept.breaking import BREAK_SECONDS, Breaker, breaker
from ingest.accept.door import accept, accept_async
from ingest.accept.events import Incoming, Receipt, Unavailable
from ingest.accept.groups import CALL_BYTES, CALL_JOBS, GroupCommit
from ingest.accept.ids import derived_id, user_digest
from ingest.accept.jobs import job_of

__all__ = [
    "BREAK_SECONDS",
    "CALL_BYTES",
    "CALL_JOBS",
    "Breaker",
    "GroupCommit",
    "Incoming",
    "Receipt",
    "Unavailable",
    "accept",
    "accept_async",
    "breaker",
    "derived_id",
    "job_of",
    "user_digest",
]
