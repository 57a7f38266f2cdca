"""The shape of a snapshot: the counts at one instant, and what they mean.

One shape for the page, the socket, the CLI, health and the published copy in Redis. Numbers are
counts of jobs, seconds, or jobs per second; `at` is Unix time by Redis' clock.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec

RedisStatus = Literal["connected", "disconnected", "disabled"]
DatabaseStatus = Literal["connected", "read-only", "disconnected"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line beside the verdict."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is all well, why not, and what to do next. `reasons` has them all, the gravest first."""

    #: unhealthy: nothing can be accepted. degraded: it can, but something needs a person.
    status: Literal["healthy", "degraded", "unhealthy"]
    reason: str
    next: str = ""
    reasons: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class RedisState:
    status: RedisStatus
    version: str = ""
    used_memory: int = 0
    #: Bytes; 0 is no limit.
    max_memory: int = 0
    #: always, everysec, no, off (no append-only file) or unknown.
    fsync: str = "unknown"
    #: What is unsafe about its settings, one sentence each.
    unsafe: tuple[str, ...] = ()
    #: Why it refuses writes, as the beginning of a sentence; empty when it takes them.
    refuses: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    status: DatabaseStatus


@dataclass(frozen=True, slots=True)
class Spool:
    """Accepted events that the database holds since Redis could not take them; with REDIS=false all of them."""

    count: int = 0
    #: They are more than `count`.
    more: bool = False
    #: Seconds since the oldest was accepted.
    oldest: float = 0.0
    #: Dead letters there, of a time with REDIS=false.
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """Redis came back without what it had held, and nobody has said yet that they know."""

    id: int
    sentence: str
    #: What to do about it.
    next: str
    #: Unix time of its detection.
    at: float
    #: Jobs it had held.
    held: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """Whether what was accepted is accounted for, by all counters and by a sample of the jobs (X12)."""

    #: Unix time of the look.
    at: float
    accepted: int
    accounted: int
    #: Jobs of the sample that were in no place, or in two, at several looks.
    misplaced: int = 0
    #: False: stock workers run, which leave no counters.
    provable: bool = True


@dataclass(frozen=True, slots=True)
class Share:
    #: "" for jobs without one, and for the others together.
    name: str
    count: int
    #: So many names stand for this share together; 0: it is one.
    others: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the lists, the most first (X13)."""

    jobs: int = 0
    #: The shares are those of a sample.
    estimated: bool = False
    by_source: tuple[Share, ...] = ()
    by_kind: tuple[Share, ...] = ()
    by_tenant: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that jobs of one queue waited for their claim and ran, of those of the last minutes; None: none did."""

    queue: str
    wait_p50: float | None = None
    wait_p95: float | None = None
    run_p50: float | None = None
    run_p95: float | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What is looked at less often than the counts."""

    accounts: Accounts | None = None
    waiting: Waiting = Waiting()
    took: tuple[Took, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the database tells, asked once."""

    state: DatabaseState
    loss: Loss | None = None
    spool: Spool = Spool()


@dataclass(frozen=True, slots=True)
class Maintenance:
    #: Who leads now; None: nobody recovers stalled jobs or promotes retries.
    leader: str | None


@dataclass(frozen=True, slots=True)
class Workers:
    total: int
    busy: int


@dataclass(frozen=True, slots=True)
class QueueState:
    name: str
    #: Jobs that wait to be claimed, those that a rate limit holds back included.
    depth: int = 0
    #: Task types of which tasks wait here and that no worker serves.
    unserved: tuple[str, ...] = ()
    #: Of these, the ones that a rate limit holds back.
    parked: int = 0
    #: Nobody claims from it: by a pause of its own, or by that of all queues.
    paused: bool = False
    #: Unix time when its pauses end; None: when somebody resumes it, or it is not paused.
    paused_until: float | None = None
    #: Whether it has a pause of its own.
    paused_itself: bool = False
    #: Seconds for which nothing of it was claimed because higher queues keep its workers; 0 below a minute.
    starved_for: float = 0.0
    #: Jobs that wait for their time: delayed ones and retries.
    scheduled: int = 0
    #: Jobs under a lease, the stalled ones included.
    started: int = 0
    #: Started jobs whose lease lapsed and that are not recovered yet.
    stalled: int = 0
    #: Dead letters now.
    failed: int = 0
    #: Jobs in the trash now.
    trash: int = 0
    #: Seconds the job at the head has waited, those held back by a rate limit aside; 0 when none does.
    oldest_wait: float = 0.0
    wait_target: int = 0
    enqueued: int = 0
    claimed: int = 0
    completed: int = 0
    retried: int = 0
    #: Jobs that ever became dead letters.
    dead: int = 0
    #: Jobs that failed into the trash, since their kind keeps no dead letters.
    dropped: int = 0
    requeued: int = 0
    #: Of these: taken back among the dead letters before they ran.
    returned: int = 0
    recovered: int = 0
    #: What operators moved; `_failed` counts the dead letters among them.
    canceled: int = 0
    trashed: int = 0
    trashed_failed: int = 0
    restored: int = 0
    restored_failed: int = 0
    purged: int = 0
    moved_in: int = 0
    moved_out: int = 0
    #: Jobs per second over 10 s: in = accepted, put back or moved in; out = ended, well or not; net = in less
    #: all that left, by operators' hands too.
    in_rate: float = 0.0
    out_rate: float = 0.0
    net_rate: float = 0.0
    dead_per_minute: float = 0.0
    #: Seconds until the queue is empty at this rate; None: nothing waits.
    clears_in: float | str | None = None
    workers: int = 0
    busy: int = 0
    #: Workers that would serve it, and were told to claim nothing more.
    drained: int = 0


@dataclass(frozen=True, slots=True)
class OldestWait:
    queue: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Totals:
    enqueued: int = 0
    #: Claims, retries included.
    dequeued: int = 0
    processed: int = 0
    #: Jobs that ever became dead letters.
    failures: int = 0
    depth: int = 0
    started: int = 0
    stalled: int = 0
    scheduled: int = 0
    #: Of depth, what rate limits hold back.
    parked: int = 0
    #: Dead letters now.
    failed: int = 0
    #: Jobs in the trash now.
    trash: int = 0
    in_rate: float = 0.0
    out_rate: float = 0.0
    net_rate: float = 0.0
    dead_per_minute: float = 0.0
    oldest_wait: OldestWait | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counts at one instant. While Redis is away it keeps the last ones and says so in `redis`."""

    seq: int
    at: float
    verdict: Verdict
    redis: RedisState
    database: DatabaseState
    maintenance: Maintenance
    workers: Workers
    queues: tuple[QueueState, ...]
    totals: Totals
    #: All queues are paused at once, whatever pauses they have of their own.
    paused_all: bool = False
    loss: Loss | None = None
    spool: Spool = Spool()
    accounts: Accounts | None = None
    waiting: Waiting = Waiting()
    took: tuple[Took, ...] = ()
    #: False: Redis was never reached by this process, so the counts say nothing; show a dash.
    known: bool = True
    type: Literal["snapshot"] = "snapshot"

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings, ready for JSON and templates."""
        plain: dict[str, Any] = msgspec.json.decode(self.as_json())
        return plain

    def as_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Raises msgspec.ValidationError or DecodeError when another version wrote it."""
        return msgspec.json.decode(text, type=cls)
