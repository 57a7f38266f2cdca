"""The list of dead letters as a page or as the part that htmx swaps."""

from collections.abc import Mapping
from typing import Any, Final

import redis
from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render

from ingest.queue.connections import NeedsRedis
from ingest.reading.cursors import BadCursor
from queueadmin.console import queries
from queueadmin.console.figures import metrics
from queueadmin.console.request import Request, is_partial

#: Rows of the list.
PAGE_SIZE: Final = 50
REDIS_AWAY: Final = (
    "Redis does not answer. Nothing can be shown or done until it is back; "
    "events are taken in meanwhile, into the database."
)
DATABASE_AWAY: Final = "The database does not answer. Nothing can be shown or done until it is back."


def away(error: redis.RedisError) -> str:
    """Why nothing can be shown, as a sentence."""
    return str(error) if isinstance(error, NeedsRedis) else REDIS_AWAY


def dead_list(request: Request, queue: str, cursor: str, more: Mapping[str, Any] | None = None) -> HttpResponse:
    """The newest of one queue or of all, straight from Redis; with `more`, what is around it, as a whole page."""
    if queue not in settings.PRIORITIES:
        queue = ""
    # Counted before the list is read: what dies in between shows as new, never as seen.
    whole = f"queue:{queue}" if queue else ""
    context = {"page": "dead-letters", "queue": queue, "cursor": cursor, "whole": whole, **here(queue), **(more or {})}
    is_part = is_partial(request) and more is None
    template = "console/_dead_list.html" if is_part else "console/dead_letters.html"
    try:
        context["rows"] = queries.dead_letters(queue=queue or None, cursor=cursor or None, limit=PAGE_SIZE)
    except BadCursor:
        raise Http404("no such page of the list") from None
    except redis.RedisError as error:
        return render(request, template, context | {"away": away(error)}, status=503)
    return render(request, template, context)


def here(queue: str) -> dict[str, Any]:
    """The snapshot, and of it the dead letters now and ever of this queue or of all."""
    snapshot = metrics.snapshot().as_dict()
    own = next((q for q in snapshot["queues"] if q["name"] == queue), None)
    totals = snapshot["totals"]
    return {
        "snapshot": snapshot,
        "failed_here": own["failed"] if own else totals["failed"],
        "failures_here": own["dead"] if own else totals["failures"],
    }
