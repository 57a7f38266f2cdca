"""The shape of one job, as the contract has it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class JobError:
    """The last failure."""

    type: str | None
    message: str | None
    #: error, timeout, poison, permanent, unreadable or not_allowed.
    reason: str | None
    at: datetime | None
    #: The application's, as `ingest.frames` writes them; None: nobody looked.
    frames: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job; all times are aware."""

    id: str
    #: The client's id.
    event_id: str | None
    kind: str | None
    source: str | None
    tenant: str | None
    #: One of the contract's words.
    state: str
    queue: str | None
    priority: str | None
    #: 1 is next; `>10000` past the cap; None: it does not wait in a queue, or a rate limit holds it back.
    position: int | str | None
    #: Jobs that come before it, those of higher queues included; None: not known.
    ahead: int | None
    #: Executions of its whole life; None: not known any more.
    attempts: int | None
    attempts_left: int
    crashes: int
    received_at: datetime | None
    enqueued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None
    error: JobError | None
    #: The operator who moved it last, and when; None: nobody did, or it is not known any more.
    moved_by: str | None
    moved_at: datetime | None
    #: When it was discarded, while it is in the trash, and where it was: queued, scheduled or failed.
    trashed_at: datetime | None
    trashed_from: str | None
    #: What its handler last said of it: any JSON value; None: nothing yet.
    progress: Any
    #: What its handler returned, while that is kept; only `read` looks for it.
    result: Any
    #: `ahead`, parted: by each queue that is served before, and its own.
    ahead_by_queue: dict[str, int] | None = None
    #: Of a task.
    task_type: str | None = None
    #: It runs, and was asked to end: it will be canceled, or finished if it is faster.
    stopping: bool = False
    #: Of one that waits for its turn: the job of its ordering key that has it; only `read` looks for it.
    waits_for: str | None = None
    #: The number of the replay that put it back into its queue last, unless somebody else did since.
    replay: int | None = None
    #: Of a dead letter, also in the trash: somebody said that it will never succeed.
    permanent: bool = False
