"""Whether events are let in now: by their key's rate, and by how full Redis and the disk are.

What is refused takes nothing from the rate: it counts what is admitted. Refusing is cheap on purpose: a key that is
over its rate is answered before its body is read, and by what this process knows, so that it holds nobody else up.
"""

import math
import random

from ingest.accept import Incoming
from ingest.api import buckets, tally
from ingest.api.buckets import Bucket
from ingest.api.pressure import Shed, watch
from ingest.api.problems import Problem, ProblemError
from ingest.api.schema import Rejected
from ingest.api.sender import Sender

Items = tuple[Incoming | Rejected, ...]


def check(sender: Sender, *, status: int) -> None:
    """Before the body is read: refuse a key that may not send even one event now. Raises ProblemError `status`."""
    if sender.rate:
        _pass(sender, 1, buckets.look(sender, 1), status)


def admit(sender: Sender, items: Items, *, status: int) -> Items:
    """The items, of which those that are shed are refused; the others are counted against the key's rate.

    Raises ProblemError with `status`, 429 or 503, when they are too many now. All are refused then.
    """
    items, wanted = _shed(sender, items)
    if sender.rate and wanted:
        _pass(sender, wanted, buckets.look(sender, wanted), status)
        _pass(sender, wanted, buckets.take(sender, wanted), status)
    return items


async def admit_async(sender: Sender, items: Items, *, status: int) -> Items:
    """The same on an event loop."""
    items, wanted = _shed(sender, items)
    if sender.rate and wanted:
        _pass(sender, wanted, buckets.look(sender, wanted), status)
        _pass(sender, wanted, await buckets.take_async(sender, wanted), status)
    return items


def refused(code: str, sender: Sender, priority: str, events: int = 1, *, source: str = "") -> None:
    """Every refusal passes here, to be counted: `rate_limited` once a request, without a priority and with as many
    events as are known by then, and `shed_redis_memory` or `shed_free_disk` for each event."""
    tally.held_back(sender, code, events, source=source or sender.source)


def _shed(sender: Sender, items: Items) -> tuple[Items, int]:
    """The items, those that are shed refused, and how many are left to be let in."""
    causes = watch.shed()
    if causes:
        items = tuple(_unless_shed(sender, item, causes) for item in items)
    return items, sum(isinstance(item, Incoming) for item in items)


def _unless_shed(sender: Sender, item: Incoming | Rejected, causes: Shed) -> Incoming | Rejected:
    if isinstance(item, Rejected) or (cause := causes.get(item.severity.mapped)) is None:
        return item
    priority = item.severity.mapped
    refused(f"shed_{cause.limit}", sender, priority, source=item.source)
    problem = Problem(
        503,
        "shed",
        "Too much to take in now",
        f"{cause.sentence}; the event was not stored.",
        retryable=True,
        headers={"Retry-After": str(_seconds(10))},
        limit=cause.limit,
        limit_value=cause.step,
        priority=priority,
    )
    return Rejected(item.event_id, problem, item.source)


def _pass(sender: Sender, wanted: int, bucket: Bucket, status: int) -> None:
    """Raises ProblemError when the bucket has not enough."""
    if not bucket.wait:
        return
    refused("rate_limited", sender, "", wanted)
    seconds = _seconds(bucket.wait)
    headers = {
        "Retry-After": str(seconds),
        "RateLimit-Policy": _policy(sender),
        "RateLimit": f'"key";r={bucket.left};t={math.ceil(bucket.full_in)}',
    }
    raise ProblemError(
        Problem(
            status,
            "rate_limited",
            "Too many events",
            f"The key {sender.name} may send {sender.rate:g} events a second, {sender.burst:,} at once; try again in "
            f"{seconds} s. Nothing was stored.",
            retryable=True,
            headers=headers,
            limit="key_rate",
            limit_value=sender.rate,
            burst=sender.burst,
        )
    )


def _policy(sender: Sender) -> str:
    """As the IETF's draft has it: q events in w whole seconds."""
    window = next((each for each in (1, 60, 3600) if (sender.rate * each).is_integer()), 3600)
    return f'"key";q={max(1, round(sender.rate * window))};w={window};burst={sender.burst}'


def _seconds(wait: float) -> int:
    """Whole seconds, up to a quarter and one more than needed: all who were refused do not come back at once."""
    return math.ceil(wait) + random.randint(0, max(1, math.ceil(wait / 4)))  # noqa: S311 - spreads, no secret
