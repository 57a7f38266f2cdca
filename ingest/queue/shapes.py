"""What goes into the scripts, and what they answer: one shape for each, and the words for outcomes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

Mode = Literal["", "single", "async", "process"]
#: `withheld`: nothing was wrong with it, but with another one of a call that is all or nothing.
Outcome = Literal["queued", "scheduled", "duplicate", "id_reused", "full", "withheld"]
FailOutcome = Literal["retry", "dead", "trash", "canceled", "refused"]
Place = Literal["queued", "started", "scheduled", "failed", "trash", "canceled", "finished"]
Reason = Literal["error", "timeout", "poison", "permanent", "unreadable", "not_allowed"]


class NewJob(msgspec.Struct, frozen=True, gc=False):
    """One job to enqueue."""

    id: str
    queue: str
    #: `payload.encode(…)`.
    data: bytes
    kind: str
    #: Of a task.
    type: str = ""
    #: Only workers that name this type run it.
    own_workers: bool = False
    source: str = ""
    tenant: str = ""
    event_id: str | None = None
    #: Aware; None: now.
    received_at: datetime | None = None
    timeout: int = 300
    #: Seconds to keep a result; 0: a completed job leaves nothing.
    result_ttl: int = 0
    #: Seconds before each retry; as many retries as delays.
    retry_delays: tuple[float, ...] = (1, 5, 25)
    #: Seconds before the first execution; 0: at once.
    delay: float = 0
    #: For jobs whose id comes from the client: any text that differs when the body does.
    body_hash: str | None = None
    #: How long the id is remembered, with the body's hash, from now on.
    marker_seconds: int = 0
    #: "": claimed in batches; single: alone; async: some at a time; process: alone, run in a process of its own.
    mode: Mode = ""
    #: False: it fails into the trash.
    dead_letters: bool = True
    #: Who is told what becomes of it: a URL, or a dotted path.
    callback: str = ""
    #: The job is refused when so many wait in its queue already; 0: never.
    queue_limit: int = 0
    #: A digest of whose job it is: the user's latest one is kept under it.
    user: str = ""
    #: A digest too: jobs of one run one at a time, in their order. What waits in the spool goes before a later one.
    ordering_key: str = ""
    #: Where an id is good for a window of time: the one that a copy had in the window before. "": it is good for ever.
    previous: str = ""


class EnqueueResult(msgspec.Struct, frozen=True, gc=False):
    #: The job's, or the first copy's.
    id: str
    outcome: Outcome
    #: The contract's word: of this job, or of the job found (found by its marker alone: `finished`); "" when there is
    #: none.
    #: From the spool it may be `spooled`.
    state: str

    @property
    def accepted(self) -> bool:
        return self.outcome in ("queued", "scheduled")


class ClaimedJob(msgspec.Struct, frozen=True, gc=False):
    id: str
    data: bytes
    #: False for a job that a stock client brought.
    ours: bool
    #: Executions before this one that failed or crashed, of the job's whole life.
    attempts: int
    crashes: int
    #: It crashed a worker before: it is the only job of its claim.
    alone: bool
    retries_left: int
    mode: Mode = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs of one queue, all of one mode."""

    id: str
    queue: str
    jobs: tuple[ClaimedJob, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """How one job failed, and whether it may be retried."""

    job_id: str
    #: The full traceback.
    error: str
    reason: Reason = "error"
    retry: bool = True
    error_type: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recover did: put back into the queue, made a dead letter (the third crash), found no job to recover."""

    requeued: int = 0
    dead: int = 0
    phantom: int = 0
    #: Of `dead` those that are dead letters now, and not in the trash.
    buried: tuple[Failure, ...] = ()

    @property
    def total(self) -> int:
        """All that lapsed leases were taken from."""
        return self.requeued + self.dead + self.phantom

    def __add__(self, other: "Recovered") -> "Recovered":
        return Recovered(
            self.requeued + other.requeued,
            self.dead + other.dead,
            self.phantom + other.phantom,
            self.buried + other.buried,
        )


@dataclass(frozen=True, slots=True)
class Emptied:
    """How many jobs went into the trash, and whether another call may find more."""

    moved: int
    more: bool
