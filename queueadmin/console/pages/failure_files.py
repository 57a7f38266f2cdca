"""The dead letters of a filter as a file: HTTP only. Streamed while they are read, credentials masked."""

from typing import cast

import redis
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.queue.connections import connection, server_time
from queueadmin.console import exporting
from queueadmin.console.access.permissions import VIEW_CONSOLE
from queueadmin.console.dead_letters.export import lines
from queueadmin.console.failures import matching
from queueadmin.console.filters import FilterError, parse
from queueadmin.console.pages.answers import needs
from queueadmin.console.pages.lists import away
from queueadmin.console.request import Request

_TEXT = "text/plain; charset=utf-8"


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def export(request: Request, form: str) -> HttpResponseBase:
    """All that the filter chooses at this moment."""
    if form not in ("csv", "jsonl"):
        raise Http404("no such format")
    known = cast(exporting.Format, form)
    try:
        chosen = parse(request.GET.get("filter", "").strip())
        client = connection()
        found = matching(client, chosen, now=server_time(client), events=True)
    except FilterError as error:
        return HttpResponse(f"{error}\n", status=422, content_type=_TEXT)
    except redis.RedisError as error:
        return HttpResponse(f"{away(error)}\n", status=503, content_type=_TEXT)
    name = f"dead-letters-{timezone.now():%Y-%m-%d-%H%M%S}"
    return exporting.download(request, lines(found, known), known, name)
