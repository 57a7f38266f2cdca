"""The page /devices/: HTTP only. What it shows is in devices."""

from typing import Any, Final
from urllib.parse import urlencode

from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest import points
from ingest.kinds.points import STREAMS
from ingest.reading.cursors import BadCursor
from queueadmin.console import devices
from queueadmin.console.access.permissions import VIEW_CONSOLE
from queueadmin.console.pages.answers import needs
from queueadmin.console.request import Request, address

#: Rows of the list.
PAGE_SIZE: Final = 50
DATABASE_AWAY: Final = "The database does not answer. Nothing can be shown until it is back."


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def device_list(request: Request) -> HttpResponse:
    text, cursor = request.GET.get("text", "").strip()[:255], request.GET.get("cursor", "")
    here = reverse("console:devices") + (f"?{urlencode({'text': text})}" if text else "")
    context: dict[str, Any] = {
        "page": "devices",
        "text": text,
        "cursor": cursor,
        "here": here,
        "address": address(request),
    }
    try:
        context["rows"] = devices.page(text=text, cursor=cursor, limit=PAGE_SIZE)
        context |= {"count": devices.count(text=text), "most": devices.MOST, "minutes": devices.MINUTES}
        totals = points.totals()
    except BadCursor:
        raise Http404("no such page of the list") from None
    except (DatabaseError, InterfaceError):
        return render(request, "console/devices.html", context | {"away": DATABASE_AWAY}, status=503)
    context["streams"] = [(stream, totals[stream]) for stream in STREAMS]
    return render(request, "console/devices.html", context)
