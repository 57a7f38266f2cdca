"""Failures of one cause together, as reading them tells."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ingest.frames import apart
from queueadmin.console.dead_letters.reading import Record
from queueadmin.console.fingerprint import normalised

#: Characters of a group's example.
_EXAMPLE: Final = 300


@dataclass(slots=True)
class Group:
    """`id` stands in filters as group:<id>; the message is without what differs from job to job."""

    id: str
    error_type: str
    message: str
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    queues: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    #: Where in the application, the outer frame first.
    frames: tuple[str, ...] = ()
    #: What people say of it; None: not known, as there is no index.
    status: str | None = None
    assignee: str | None = None
    note: str | None = None
    #: How many different payloads there are, and what that tells: systemic, poison, or nothing.
    payloads: int | None = None
    nature: str | None = None
    #: Failures in each of 24 parts of the time since the first one that is shown.
    trend: tuple[int, ...] = ()


def grouped(records: Iterable[Record]) -> list[Group]:
    """The groups of these, the largest first, given the newest record first; holds one example of each, no record."""
    groups: dict[str, Group] = {}
    for record in records:
        error = record.shown["error"]
        name = record.shown["group"]
        group = groups.get(name)
        if group is None:
            message = normalised(error["message"] or "")[:_EXAMPLE]
            group = groups[name] = Group(name, error["type"] or "", message, frames=apart(record.shown["frames"]))
        group.count += 1
        if at := error["at"]:
            group.first_at = min(at, group.first_at or at)
            group.last_at = max(at, group.last_at or at)
        group.queues[record.queue] = group.queues.get(record.queue, 0) + 1
        group.reasons[error["reason"]] = group.reasons.get(error["reason"], 0) + 1
    return sorted(groups.values(), key=lambda group: -group.count)
