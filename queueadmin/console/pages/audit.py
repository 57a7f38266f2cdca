"""The page /audit/ and its files: HTTP only. What it shows is in audit."""

from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlencode

import redis
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.queue.connections import connection
from ingest.reading.cursors import BadCursor
from queueadmin.console import audit, exporting, undoing
from queueadmin.console.access.permissions import EXPORT_AUDIT, VIEW_AUDIT
from queueadmin.console.audit import export
from queueadmin.console.filters import Filter, FilterError
from queueadmin.console.pages.answers import needs
from queueadmin.console.request import Request, is_partial

#: Rows of the list.
PAGE_SIZE: Final = 50
DATABASE_AWAY: Final = (
    "The database does not answer. What is done meanwhile waits in Redis and is shown when it is back."
)


@never_cache
@needs(VIEW_AUDIT)
@require_safe
def audit_log(request: Request) -> HttpResponse:
    """The page; for htmx with `since` how many operations began after that moment."""
    text, action = request.GET.get("filter", "").strip(), request.GET.get("action", "").strip()
    context: dict[str, Any] = {
        "page": "audit",
        "filter": text,
        "action": action,
        "here": _address(text, action),
        "query": _query(text, action),
        "cursor": request.GET.get("cursor", ""),
        "most": audit.COUNTED,
    }
    since = request.GET.get("since", "")
    try:
        asked = _filter(text, action)
        if is_partial(request) and since:
            context["news"] = audit.newer(asked, _moment(since))
            return render(request, "console/_audit_news.html", context)
        # Before the list is read: what begins in between shows as new, never as seen.
        context["seen"] = timezone.now().isoformat()
        context["actions"] = audit.actions()
        context["chain"], context["waiting"] = _kept()
        context["chips"] = _chips(text, action)
        context["rows"] = audit.page(asked, cursor=context["cursor"], limit=PAGE_SIZE)
        context["undoable"] = undoing.offered(context["rows"].items)
        # A text that nothing has takes 160 ms of SQLite to look for among 100,000 operations: not twice.
        whole = not context["cursor"] and context["rows"].next is None
        context["count"] = len(context["rows"].items) if whole else audit.count(asked)
    except FilterError as error:
        context["wrong"] = str(error)
    except BadCursor:
        raise Http404("no such page of the list") from None
    except (DatabaseError, InterfaceError):
        return render(request, "console/audit.html", context | {"away": DATABASE_AWAY}, status=503)
    return render(request, "console/audit.html", context, status=422 if "wrong" in context else 200)


@never_cache
@needs(EXPORT_AUDIT)
@require_safe
def audit_file(request: Request, form: str) -> HttpResponseBase:
    """What the filter chooses, whole."""
    if form not in ("csv", "jsonl"):
        raise Http404("no such format")
    known = cast(exporting.Format, form)
    try:
        asked = _filter(request.GET.get("filter", "").strip(), request.GET.get("action", "").strip())
    except FilterError as error:
        return HttpResponse(f"{error}\n", status=422, content_type="text/plain; charset=utf-8")
    name = f"audit-{timezone.now():%Y-%m-%d-%H%M%S}"
    return exporting.download(request, export.lines(asked, known), known, name)


def _filter(text: str, action: str) -> Filter:
    """Raises FilterError."""
    terms = audit.chosen(text).terms
    return Filter(terms + (audit.chosen(f'action:"{action}"').terms if action.isidentifier() else ()))


def _query(text: str, action: str) -> str:
    said = {"filter": text, "action": action}
    return urlencode({name: value for name, value in said.items() if value})


def _address(text: str, action: str) -> str:
    query = _query(text, action)
    return reverse("console:audit") + (f"?{query}" if query else "")


def _chips(text: str, action: str) -> list[tuple[str, str]]:
    """Each term, and the address of the page without it."""
    terms = audit.chosen(text).terms
    return [
        (str(term), _address(str(Filter(terms[:place] + terms[place + 1 :])), action))
        for place, term in enumerate(terms)
    ]


def _kept() -> tuple[audit.LastCheck | None, int]:
    """The newest check of the chain, and how many entries wait in Redis."""
    try:
        client = connection()
        return audit.last_check(client), audit.waiting.count(client)
    except redis.RedisError:
        return None, 0


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Http404("no such moment")
    return moment
