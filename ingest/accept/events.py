"""What comes in, and what is said of it."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from ingest.kinds import Kind
from ingest.priorities import Severity

Durability = Literal["redis", "database"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event that was decoded and found valid."""

    kind: Kind
    #: The event as it was sent: one JSON object.
    body: bytes
    source: str
    tenant: str
    #: The client's id.
    event_id: str | None
    #: Its `mapped` is the event's priority.
    severity: Severity
    #: Seconds to wait before it is queued.
    delay: float = 0.0
    #: Whose event it is, where its kind says so: the user's latest one is found by it.
    user: str = ""
    #: Who is told what becomes of it: a URL, or from code of ours a dotted path (see `ingest.callbacks.targets`).
    callback: str = ""
    #: Events of one key run one at a time, in their order.
    ordering_key: str = ""
    #: Ours, for an event without a client's id, where its request says which copy it is. "": a new one.
    own_id: str = ""
    #: What a second copy under the client's id has in common with it. "": its body.
    repeat: str = ""
    #: By what its kind tells its copies, instead of by source and client's id. (): by those.
    identity: tuple[str, ...] = ()
    #: Seconds for which copies are told by `identity` where the client gave no id.
    window: int = 0
    #: The problem that a resolve is about, whose priority it takes; "": it takes none.
    resolves: str = ""
    #: How many points a chunk holds.
    points: int = 1
    #: What was odd and taken nevertheless: dicts with at least `code` and `detail`.
    warnings: tuple[dict[str, str], ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What became of one event."""

    event: Incoming
    #: Ours: the job's id.
    id: str
    #: `accepted`: durably stored now. `duplicate`: the same event was stored before. `id_reused`:
    #: refused, another body was stored under this id. `full`: refused, its queue is at its limit.
    #: `unavailable`: no store was there at its turn. `unknown`: one went away during its turn, so it may be stored.
    #: `withheld`: another one was refused, and all were to be stored or none.
    outcome: Literal["accepted", "duplicate", "id_reused", "full", "unavailable", "unknown", "withheld"]
    #: A state of the contract: of this job, or for a duplicate of the first copy's.
    state: str
    #: Where it is stored: `database` is the spool.
    durability: Durability = "redis"

    @property
    def stored(self) -> bool:
        return self.outcome in {"accepted", "duplicate"}


class Unavailable(Exception):
    """Nothing can be stored durably now. With `unknown` the last call's outcome is not known."""

    def __init__(self, detail: str, *, unknown: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.unknown = unknown
