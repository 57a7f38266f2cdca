"""The page that asks what to do with all jobs of a filter, and its buttons: HTTP only."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import redis
from django.contrib import messages
from django.core import signing
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from ingest.reading.cursors import BadCursor
from queueadmin.console import job_lists, operations
from queueadmin.console.access.permissions import VIEW_CONSOLE, granted, may
from queueadmin.console.actions import BULK
from queueadmin.console.filters import Filter, FilterError, parse
from queueadmin.console.operations import MoveResult
from queueadmin.console.pages.answers import answer, do, needs, refuse
from queueadmin.console.pages.forms import MatchingForm
from queueadmin.console.pages.job_list import DATABASE_AWAY
from queueadmin.console.pages.lists import away
from queueadmin.console.request import Request

#: A page that was opened longer ago does not act any more.
KEPT: Final = timedelta(days=1)
_SALT: Final = "jobs that match, counted so far"
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
    """GET counts and asks, POST does: every job that matched at the instant that the page names, as far as it counted.

    One GET counts for a tenth of a second; `so-far` goes on from what another one said.
    """
    return _press(request) if request.method == "POST" else _ask(request)


def _ask(request: Request) -> HttpResponse:
    so_far, at = job_lists.Counted(), timezone.now()
    text, token = request.GET.get("filter", ""), request.GET.get("so-far", "")
    try:
        chosen = parse(text)
        if token:
            so_far, at = _read(token, chosen)
        found = job_lists.count(chosen, at, so_far)
        of, more = job_lists.total(chosen)
    except (FilterError, BadCursor, signing.BadSignature):
        raise Http404("no such filter") from None
    except redis.RedisError as error:
        return render(request, "console/away.html", {"away": away(error)}, status=503)
    except (DatabaseError, InterfaceError):
        return render(request, "console/away.html", {"away": DATABASE_AWAY, "what": "The database"}, status=503)
    held = granted(request.user)
    further = {"filter": str(chosen), "so-far": _written(found, chosen, at)}
    context = {
        "page": "jobs",
        "filter": str(chosen),
        "at": at,
        "found": found,
        "of": max(of, found.looked_at),
        "more": more,
        "further": "" if found.next is None else f"{reverse('console:matching')}?{urlencode(further)}",
        "buttons": [
            (verb, button, found.able[verb])
            for verb, button in BULK.items()
            if found.able.get(verb) and button.permission.codename in held
        ],
        "most": job_lists.MOST,
        "most_looked_at": job_lists.MOST_LOOKED_AT,
        "reason_from": operations.REASON_FROM,
    }
    return render(request, "console/matching.html", context)


def _written(found: job_lists.Counted, chosen: Filter, at: datetime) -> str:
    """What was counted, for the page that goes on: signed, since it is believed."""
    return signing.dumps([str(chosen), at.isoformat(), dataclasses.asdict(found)], salt=_SALT, compress=True)


def _read(token: str, chosen: Filter) -> tuple[job_lists.Counted, datetime]:
    """Raises BadSignature, also for a page that is too old or of another filter."""
    of, at, counted = signing.loads(token, salt=_SALT, max_age=KEPT)
    if of != str(chosen):
        raise signing.BadSignature("of another filter")
    return job_lists.Counted(**counted), datetime.fromisoformat(at)


def _press(request: Request) -> HttpResponse:
    pressed = BULK.get(request.POST.get("verb", ""))
    if pressed and not may(request.user, pressed.permission):
        return refuse(request, pressed.permission)
    asking = f"{reverse('console:matching')}?{urlencode({'filter': request.POST.get('filter', '')})}"
    form = MatchingForm(request.POST)
    if not form.is_valid():
        sentence = " ".join(f"{name}: {error}" for name, told in form.errors.items() for error in told)
        return answer(request, sentence, messages.WARNING, asking, 422)
    said: dict[str, Any] = form.cleaned_data
    now = timezone.now()
    if not now - KEPT < said["at"] <= now:
        return answer(
            request, "The page is too old to say what it showed. Open it anew.", messages.WARNING, asking, 422
        )
    if said["verb"] == "move" and not said["to"]:
        return answer(request, "Choose the queue that they go to.", messages.WARNING, asking, 422)
    try:
        chosen = parse(said["filter"])
        able = job_lists.matching(chosen, said["at"], places=said["places"])
    except FilterError:
        raise Http404("no such filter") from None
    except redis.RedisError as error:
        return render(request, "console/away.html", {"away": away(error)}, status=503)
    except (DatabaseError, InterfaceError):
        return render(request, "console/away.html", {"away": DATABASE_AWAY, "what": "The database"}, status=503)
    return _do(request, chosen, able.get(said["verb"], ()), said, asking)


def _do(request: Request, chosen: Filter, ids: Sequence[str], said: dict[str, Any], asking: str) -> HttpResponse:
    operation = _OPERATIONS[said["verb"]]
    if said["verb"] == "move":
        operation = partial(operation, to=said["to"])
    of = str(chosen) or "all jobs"
    query = urlencode({"filter": str(chosen)} if chosen.terms else {})
    back = reverse("console:jobs") + (f"?{query}" if query else "")
    return do(
        request,
        lambda actor: operation(ids, actor=actor, reason=said["reason"], of=of),
        back,
        undo=said["verb"] == "discard",
        asking=asking,
    )
