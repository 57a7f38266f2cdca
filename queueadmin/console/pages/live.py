"""What the socket would tell, for pages that get none: a proxy in between may let no WebSocket through."""

import redis
from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.queue.connections import acceptance_connection
from queueadmin.console.access.permissions import VIEW_CONSOLE
from queueadmin.console.figures import history, metrics
from queueadmin.console.pages.answers import needs
from queueadmin.console.request import Request


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def live(request: Request) -> HttpResponse:
    """The frames of now: the rows later than `after` (Unix time), and the snapshot."""
    after = history.moment(request.GET.get("after", ""))
    rows = history.frame(acceptance_connection() if settings.REDIS else None, after=after)
    return HttpResponse(f"[{rows},{_snapshot()}]", content_type="application/json")


def _snapshot() -> str:
    """The published one, so that none is made for each page that asks."""
    if settings.REDIS:
        try:
            if text := history.published(acceptance_connection()):
                return text
        except redis.RedisError:
            pass  # said in what follows
    return metrics.snapshot().as_json().decode()
