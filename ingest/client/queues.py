"""Queues: how many jobs are where, pauses, rate limits."""

from ingest.client import calling
from ingest.client.errors import changes, looks
from ingest.queue import keys, limits
from ingest.queue.connections import server_time
from ingest.queue.limits import Dimension, Limit
from ingest.reading import counts as reading
from ingest.reading.counts import Counts, Statistics


@looks
def counts(queue: str | None = None) -> Counts:
    """How many jobs of the queue, or of all, are where, at one instant. Costs the same for any number of jobs."""
    return reading.counts(calling.reader(), calling.queues(queue))


@looks
def statistics(kind: str | None = None, *, task_type: str | None = None) -> Statistics:
    """What became of the jobs of one kind, of one task type, or of all, so far. Raises ValueError for unknown ones."""
    if task_type is not None:
        return reading.statistics(calling.reader(), calling.task_type(task_type))
    return reading.statistics(calling.reader(), None if kind is None else calling.kind(kind))


@changes
def pause(queue: str | None = None, *, minutes: float | None = None) -> None:
    """Let no worker claim from the queue, or from any, for so many minutes or until `resume`; what runs goes on.

    Events are taken in meanwhile. Raises ValueError for an unknown queue, or minutes that are not over 0.
    """
    if minutes is not None and not 0 < minutes < float("inf"):
        raise ValueError(f"minutes must be a number over 0, not {minutes}")
    if queue is not None:
        calling.queue(queue)
    until = None if minutes is None else server_time(calling.writer()).timestamp() + minutes * 60
    calling.transitions().pause(queue, until=until)


@changes
def resume(queue: str | None = None) -> bool:
    """End the pause of the queue, or the one of all queues, which are two things. False: there was none."""
    if queue is not None:
        calling.queue(queue)
    return calling.transitions().resume(queue)


@looks
def is_paused(queue: str | None = None) -> bool:
    """Whether nobody may claim from the queue, by its own pause or the one of all; without a queue: from any."""
    paused = reading.paused(calling.reader())
    return keys.ALL_QUEUES in paused or all(name in paused for name in calling.queues(queue))


@changes
def set_rate_limit(dimension: Dimension, value: str, *, most: int, seconds: float) -> None:
    """From now on at most `most` jobs whose kind, source or tenant is `value` start in any window of so many seconds.

    `*` as the value gives each value a window of its own. A window begins with its first job. What is over the limit
    waits beside its queue, in its order, and holds nothing else back. Raises ValueError, which names the limit.
    """
    limits.set_limit(calling.writer(), Limit(dimension, value, most, seconds))


@changes
def remove_rate_limit(dimension: Dimension, value: str) -> bool:
    """End a rate limit; what it held back may start at once. False: there was none."""
    return limits.remove_limit(calling.writer(), dimension, value)


@looks
def rate_limits() -> list[Limit]:
    """Those in force."""
    return limits.limits(calling.reader())
