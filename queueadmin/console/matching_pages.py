"""The page that asks what to do with all jobs of a filter, and its buttons: HTTP only."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import redis
from django.contrib import messages
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from queueadmin.console import job_lists, operations
from queueadmin.console.actions import BULK
from queueadmin.console.answers import answer, do, needs, refuse
from queueadmin.console.filters import Filter, FilterError, parse
from queueadmin.console.forms import MatchingForm
from queueadmin.console.job_list_pages import DATABASE_AWAY
from queueadmin.console.lists import away
from queueadmin.console.operations import MoveResult
from queueadmin.console.permissions import VIEW_CONSOLE, granted, may
from queueadmin.console.request import Request

#: A page that was opened longer ago does not act any more.
KEPT: Final = timedelta(days=1)
_OPERATIONS: Final[dict[str, Callable[..., MoveResult]]] = {
    "retry": operations.retry,
    "run-now": operations.run_now,
    "restore": operations.restore,
    "move": operations.move,
    "cancel": operations.cancel,
    "discard": operations.discard,
}


@never_cache
@needs(VIEW_CONSOLE)
@require_http_methods(["GET", "HEAD", "POST"])
def matching(request: Request) -> HttpResponse:
    """GET counts and asks, POST does: every job that matched at the instant that the page names."""
    pressed = BULK.get(request.POST.get("verb", ""))
    if pressed and not may(request.user, pressed.permission):
        return refuse(request, pressed.permission)
    asking = f"{reverse('console:matching')}?{urlencode({'filter': request.POST.get('filter', '')})}"
    form = MatchingForm(request.POST) if request.method == "POST" else None
    if form and not form.is_valid():
        sentence = " ".join(f"{name}: {error}" for name, told in form.errors.items() for error in told)
        return answer(request, sentence, messages.WARNING, asking, 422)
    said: dict[str, Any] = form.cleaned_data if form else {}
    text = said.get("filter", request.GET.get("filter", ""))
    now = timezone.now()
    at = said.get("at", now)
    if not now - KEPT < at <= now:
        return answer(
            request, "The page is too old to say what it showed. Open it anew.", messages.WARNING, asking, 422
        )
    try:
        chosen = parse(text)
        found = job_lists.matching(chosen, at)
    except FilterError:
        raise Http404("no such filter") from None
    except redis.RedisError as error:
        return render(request, "console/away.html", {"away": away(error)}, status=503)
    except (DatabaseError, InterfaceError):
        return render(request, "console/away.html", {"away": DATABASE_AWAY}, status=503)
    if form:
        return _do(request, chosen, found, said, asking)
    held = granted(request.user)
    context = {
        "page": "jobs",
        "filter": str(chosen),
        "at": at,
        "found": found,
        "buttons": [
            (verb, button, len(found.able[verb]))
            for verb, button in BULK.items()
            if verb in found.able and button.permission.codename in held
        ],
        "most": job_lists.MOST,
        "reason_from": operations.REASON_FROM,
        "needs_reason": max(map(len, found.able.values()), default=0) > operations.REASON_FROM,
    }
    return render(request, "console/matching.html", context)


def _do(request: Request, chosen: Filter, found: job_lists.Matching, said: dict[str, Any], asking: str) -> HttpResponse:
    verb: str = said["verb"]
    operation = _OPERATIONS[verb]
    if verb == "move":
        if not said["to"]:
            return answer(request, "Choose the queue that they go to.", messages.WARNING, asking, 422)
        operation = partial(operation, to=said["to"])
    of = str(chosen) or "all jobs"
    query = urlencode({"filter": str(chosen)} if chosen.terms else {})
    back = reverse("console:jobs") + (f"?{query}" if query else "")
    return do(
        request,
        lambda actor: operation(found.able.get(verb, ()), actor=actor, reason=said["reason"], of=of),
        back,
        asking=asking,
    )
