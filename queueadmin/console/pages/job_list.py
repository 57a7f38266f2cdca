"""The list of jobs, of /jobs/ and of each queue's page, and its buttons: HTTP only.

What it shows is in job_lists, what its buttons do in operations.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import redis
from django.contrib import messages
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import reselect, retarget

from ingest.reading.cursors import BadCursor
from queueadmin.console import job_lists, operations, queries
from queueadmin.console.access.permissions import (
    CANCEL_JOBS,
    CLEAN_JOBS,
    DISCARD_JOBS,
    MOVE_JOBS,
    RESTORE_JOBS,
    RETRY_JOBS,
    RUN_JOBS,
    VIEW_CONSOLE,
    Permission,
    granted,
)
from queueadmin.console.actions import BULK
from queueadmin.console.figures import metrics
from queueadmin.console.filters import Filter, FilterError, parse
from queueadmin.console.filters.terms import Field
from queueadmin.console.job_rows import rows
from queueadmin.console.job_tabs import tabs
from queueadmin.console.operations import MoveResult
from queueadmin.console.pages.answers import View, answer, back_of, do, needs
from queueadmin.console.pages.chips import chips, only_of, states_of
from queueadmin.console.pages.forms import ChosenForm, ReasonForm, SelectionForm, mistakes
from queueadmin.console.pages.lists import away
from queueadmin.console.request import Request, is_partial
from queueadmin.console.titles import titles

#: Rows of a page, as the address may say; the first unless it does.
SIZES: Final = (50, 200, 500)
#: Characters of ids that a page asks about again: proxies take addresses of 8 KB.
FOLLOWED: Final = 6_000
DATABASE_AWAY: Final = "The database does not answer, and it holds what is over. Narrow the list to a state in Redis."
#: What is looked for as an id at once, before it is taken for a filter's word.
_AN_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Move = Callable[..., MoveResult]


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def job_list(request: Request) -> HttpResponse:
    """The page; for htmx its list alone; with `id`, where the find box leads."""
    if "id" in request.GET:
        return _find(request)
    return listed(request, "console/jobs.html", reverse("console:jobs"), {"page": "jobs"})


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def job_rows(request: Request) -> HttpResponse:
    """What became of the jobs that a page shows, for each of its rows: they stay where they are."""
    ids = request.GET.get("ids", "").split(",")
    if len(ids) > job_lists.MAX_LIMIT:
        raise Http404("no such rows")
    found = queries.several(ids, located=False)
    shown = {row.job["id"]: row for row in rows(list(found.values()), {})}
    return render(request, "console/_job_news.html", {"found": [(job_id, shown.get(job_id)) for job_id in ids]})


def listed(
    request: Request, template: str, address: str, context: Mapping[str, Any], *, queue: str | None = None
) -> HttpResponse:
    """A page with the jobs that the address's filter chooses, of this queue or of all.

    Its filter, place and number of rows are in the address; `more` is a term to add, and leads to an address with it.
    """
    text, more = request.GET.get("filter", "").strip(), request.GET.get("more", "").strip()
    snapshot = metrics.snapshot().as_dict()
    shown: dict[str, Any] = {**context, "snapshot": snapshot, "address": address, "typed": "", "sizes": SIZES}
    if _AN_ID.fullmatch(more):
        return redirect("console:job", more)
    try:
        chosen = parse(text)
    except FilterError as error:
        chosen, shown["wrong"], shown["typed"] = Filter(), str(error), text
    if more and "wrong" not in shown:
        try:
            return redirect(_address(address, parse(f"{text} {more}"), _size(request)))
        except FilterError as error:
            shown["wrong"], shown["typed"] = str(error), more
    size = _size(request)
    shown |= {
        "filter": str(chosen),
        "size": size,
        "here": _address(address, chosen, size),
        "chips": [(chip.text, _address(address, chip.rest, size)) for chip in chips(chosen)],
        "cleared": _address(address, Filter(), size),
        "resized": [(each, _address(address, chosen, each)) for each in SIZES],
        "cursor": request.GET.get("cursor", ""),
        "is_narrow": not only_of(chosen, "state"),
        "q": next((each for each in snapshot["queues"] if each["name"] == queue), None),
    }
    if "wrong" in shown:
        return render(request, template, shown, status=200 if is_partial(request) else 422)
    return _with_rows(request, template, shown, chosen, queue)


def _with_rows(
    request: Request, template: str, shown: dict[str, Any], chosen: Filter, queue: str | None
) -> HttpResponse:
    wanted = Filter((*chosen.terms, *((Field("queue", (queue,)),) if queue else ())))
    size: int = shown["size"]
    try:
        # Counted before the list is read: what comes in between shows as news, never as seen.
        shown["tabs"] = [
            (tab, _address(shown["address"], tab.chosen, size)) for tab in tabs(chosen, shown["snapshot"], queue=queue)
        ]
        page = job_lists.page(wanted, cursor=shown["cursor"], limit=size)
        found = list(rows(page.items, titles(page.items)))
        of, more = job_lists.total(wanted) if page.next and len(found) < size else (0, False)
        stored = queries.stored_results() if states_of(chosen) == ("finished",) else 0
    except BadCursor:
        raise Http404("no such page of the list") from None
    except redis.RedisError as error:
        return render(request, template, shown | {"away": away(error)}, status=503)
    except (DatabaseError, InterfaceError):
        return render(request, template, shown | {"away": DATABASE_AWAY}, status=503)
    ids = [row.job["id"] for row in found]
    looks_on = request.GET.get("look") == "on" and not found and page.next is not None
    verbs = {verb for row in found for verb in row.verbs}
    possible = [(verb, button) for verb, button in BULK.items() if verb in verbs]
    held = granted(request.user)
    shown |= {
        "whole": str(wanted),
        "list": page,
        "rows": found,
        "next": _address(shown["address"], chosen, size, page.next) if page.next else "",
        # The page ended before it was full: how many there are to be looked at.
        "of": max(of, page.looked_at) if of else 0,
        "more": more,
        "looks_on": looks_on,
        "buttons": [(verb, button) for verb, button in possible if button.permission.codename in held],
        # Whether the rows have buttons for others.
        "lacks": bool(possible),
        "asked": f"{reverse('console:job_rows')}?{urlencode({'ids': ','.join(ids)})}" if _are_followed(ids) else "",
        "reason_from": operations.REASON_FROM,
        "stored": stored,
    }
    response = render(request, template, shown)
    if looks_on and is_partial(request):
        # Nothing but how far it has come: Stop stays where it is, under the pointer.
        retarget(response, "#looking")
        reselect(response, "#looking")
    return response


# --- the buttons over the list --------------------------------------------------------------------


def _on_chosen(operation: Move, permission: Permission, *, undo: bool = False) -> View:
    """A button on the rows that are ticked. htmx gets the sentence alone: the rows stay, and tell what they are now."""

    @require_POST
    @needs(permission)
    def press(request: Request) -> HttpResponse:
        form, chosen = ChosenForm(request.POST), SelectionForm(request.POST)
        if not (form.is_valid() and chosen.is_valid()):
            return answer(request, mistakes(form, chosen), messages.WARNING, back_of(request), 422)
        ids, reason = chosen.cleaned_data["ids"], form.cleaned_data["reason"]
        more = {"to": form.cleaned_data["to"]} if operation is operations.move else {}
        if more and not more["to"]:
            return answer(request, "Choose the queue that they go to.", messages.WARNING, back_of(request), 422)
        return do(
            request, lambda actor: operation(ids, actor=actor, reason=reason, **more), back_of(request), undo=undo
        )

    return press


retry_chosen = _on_chosen(operations.retry, RETRY_JOBS)
run_now_chosen = _on_chosen(operations.run_now, RUN_JOBS)
move_chosen = _on_chosen(operations.move, MOVE_JOBS)
restore_chosen = _on_chosen(operations.restore, RESTORE_JOBS)
cancel_chosen = _on_chosen(operations.cancel, CANCEL_JOBS)
discard_chosen = _on_chosen(operations.discard, DISCARD_JOBS, undo=True)


@never_cache
@needs(CLEAN_JOBS)
@require_http_methods(["GET", "HEAD", "POST"])
def clean_finished(request: Request) -> HttpResponse:
    """GET asks, POST deletes what finished jobs returned; their events stay as long as their kind is kept."""
    back = f"{reverse('console:jobs')}?filter=state:finished"
    if request.method != "POST":
        try:
            stored = queries.stored_results()
        except redis.RedisError as error:
            return render(request, "console/away.html", {"away": away(error)}, status=503)
        context = {"page": "jobs", "stored": stored, "back": back, "reason_from": operations.REASON_FROM}
        return render(request, "console/clean_finished.html", context)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, request.path, 422)
    reason = form.cleaned_data["reason"]
    return do(
        request,
        lambda actor: operations.clean_finished(actor=actor, reason=reason),
        back,
        asking=request.path,
    )


def _find(request: Request) -> HttpResponse:
    wanted = request.GET["id"].strip()
    if not wanted:
        messages.warning(request, "Type a job's id to find it.")
        return redirect("console:overview")
    return redirect("console:job", wanted)


def _size(request: Request) -> int:
    """How many rows the address asks for; what is no such size counts as the first."""
    given = request.GET.get("limit", "")
    return next((size for size in SIZES if str(size) == given), SIZES[0])


def _address(address: str, chosen: Filter, size: int, cursor: str | None = None) -> str:
    said = {"filter": str(chosen), "limit": "" if size == SIZES[0] else str(size), "cursor": cursor or ""}
    query = urlencode({name: value for name, value in said.items() if value})
    return f"{address}?{query}" if query else address


def _are_followed(ids: Sequence[str]) -> bool:
    return bool(ids) and sum(len(job_id) + 1 for job_id in ids) <= FOLLOWED and not any("," in each for each in ids)
