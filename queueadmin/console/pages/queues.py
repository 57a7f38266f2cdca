"""The page of one queue: its numbers, what operators do with it, and its jobs. HTTP only."""

from typing import Final

import redis
from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.queue.connections import connection
from queueadmin.console import workers
from queueadmin.console.access.permissions import VIEW_CONSOLE
from queueadmin.console.pages.answers import needs
from queueadmin.console.pages.job_list import listed
from queueadmin.console.request import Request
from queueadmin.console.workers import Worker

#: Workers named on the page.
SHOWN: Final = 8


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def queue(request: Request, name: str) -> HttpResponse:
    if name not in settings.PRIORITIES:
        raise Http404("no such queue")
    context = {"page": "jobs", "listening": _listening(name), "shown": SHOWN}
    return listed(request, "console/queue.html", reverse("console:queue", args=[name]), context, queue=name)


def _listening(name: str) -> list[Worker] | None:
    """None: nobody can say now."""
    try:
        return workers.listening(connection(), name) if settings.REDIS else None
    except redis.RedisError:
        return None
