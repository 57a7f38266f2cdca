"""The tabs of a list of jobs: a state each, with how many there are, from what is counted already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from django.conf import settings

from ingest.models import Event
from ingest.queue import keys
from ingest.queue.connections import connection
from ingest.reading.fields import pipelined
from queueadmin.console.filters import Filter
from queueadmin.console.pages.chips import only_of, states_of, with_states

#: Finished jobs are counted up to here: each is a row that is looked at.
COUNTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Tab:
    word: str
    #: The filter that it stands for.
    chosen: Filter
    #: Where the page's script finds its number in a snapshot's queues; "": it is in no snapshot.
    field: str
    #: None: not counted, since the filter says more than a state and queues.
    count: int | None
    #: There are more than `count`.
    more: bool
    here: bool


#: Words, states, and the snapshot's name of their number.
_TABS: Final = (
    ("All", (), ""),
    ("Running", ("started",), "started"),
    ("Queued", ("queued",), "depth"),
    ("Scheduled, retrying", ("scheduled", "retrying"), "scheduled"),
    ("Spooled", ("spooled",), ""),
    ("Dead letters", ("failed",), "failed"),
    ("Finished", ("finished",), ""),
    ("Canceled", ("canceled",), ""),
    ("Trash", ("trash",), "trash"),
)


#: With REDIS=false the spool is the queue, and nothing can be canceled.
_WITHOUT_REDIS: Final = tuple(
    (word, states, "depth" if word == "Spooled" else field)
    for word, states, field in _TABS
    if word not in ("Queued", "Canceled")
)


def tabs(chosen: Filter, snapshot: Mapping[str, Any], *, queue: str | None = None) -> list[Tab]:
    """For the page of one queue its own numbers. What the database or Redis cannot say now is not counted."""
    here = states_of(chosen)
    counts = _counts(chosen, snapshot, queue)
    return [
        Tab(
            word,
            with_states(chosen, states),
            field if counts and snapshot["known"] else "",
            *(counts.get(word, (None, False))),
            here=here is not None and set(here) == set(states),
        )
        for word, states, field in (_TABS if settings.REDIS else _WITHOUT_REDIS)
    ]


def _counts(chosen: Filter, snapshot: Mapping[str, Any], queue: str | None) -> dict[str, tuple[int | None, bool]]:
    """By the tab's word how many, and whether there are more."""
    if not only_of(chosen, "state", "queue") or not snapshot["known"]:
        return {}
    queues = [q for q in snapshot["queues"] if chosen.allows("queue", q["name"]) and queue in (None, q["name"])]
    every = queue is None and not chosen.asks("queue")
    counts: dict[str, tuple[int | None, bool]] = {
        word: (sum(q[field] for q in queues), False)
        for word, _, field in (_TABS if settings.REDIS else _WITHOUT_REDIS)
        if field
    }
    if every:
        counts["Finished"] = _finished()
    if not settings.REDIS:
        return counts
    if every:
        counts["Spooled"] = snapshot["spool"]["count"], snapshot["spool"]["more"]
    counts["Canceled"] = _canceled([q["name"] for q in queues])
    return counts


def _finished() -> tuple[int, bool]:
    done = Event.objects.filter(processed_at__isnull=False).values_list("id", flat=True)
    count = len(done[: COUNTED + 1])
    return min(count, COUNTED), count > COUNTED


def _canceled(queues: Sequence[str]) -> tuple[int | None, bool]:
    try:
        return sum(pipelined(connection(), "zcard", [keys.canceled(name) for name in queues])), False
    except redis.RedisError:
        return None, False
