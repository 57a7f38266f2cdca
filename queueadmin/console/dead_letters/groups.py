"""Failures of one cause together."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from queueadmin.console.dead_letters.reading import Record

#: Characters of a group's example.
_EXAMPLE: Final = 300


@dataclass(slots=True)
class Group:
    """`id` stands in filters as group:<id>; the message is that of its newest job."""

    id: str
    error_type: str
    message: str
    count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    queues: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)


def grouped(records: Iterable[Record]) -> list[Group]:
    """The groups of these, the largest first, given the newest record first; holds one example of each, no record."""
    groups: dict[str, Group] = {}
    for record in records:
        error = record.shown["error"]
        name = record.shown["group"]
        group = groups.get(name)
        if group is None:
            group = groups[name] = Group(name, error["type"] or "", (error["message"] or "")[:_EXAMPLE])
        group.count += 1
        if at := error["at"]:
            group.first_at = min(at, group.first_at or at)
            group.last_at = max(at, group.last_at or at)
        group.queues[record.queue] = group.queues.get(record.queue, 0) + 1
        group.reasons[error["reason"]] = group.reasons.get(error["reason"], 0) + 1
    return sorted(groups.values(), key=lambda group: -group.count)
