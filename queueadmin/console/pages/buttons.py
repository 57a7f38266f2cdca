"""The buttons: HTTP only. What they do is in operations."""

from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from ingest.queue.connections import connection, server_time
from queueadmin.console import operations
from queueadmin.console.access.permissions import (
    ACKNOWLEDGE_LOSSES,
    CANCEL_JOBS,
    DISCARD_JOBS,
    EMPTY_QUEUES,
    PAUSE_QUEUES,
    PURGE_TRASH,
    RECOVER_JOBS,
    RESTORE_JOBS,
    RETRY_JOBS,
    RUN_JOBS,
    SEND_TEST_EVENTS,
    TRIAGE_FAILURES,
    Permission,
)
from queueadmin.console.figures import metrics
from queueadmin.console.models import Replay
from queueadmin.console.operations import MarkResult, MoveResult, ReplayResult, UndoResult
from queueadmin.console.pages.answers import Said, View, answer, back_of, do, needs
from queueadmin.console.pages.forms import (
    DeadLettersForm,
    PauseForm,
    PurgeForm,
    ReasonForm,
    SelectionForm,
    UnderstoodForm,
    mistakes,
)
from queueadmin.console.pages.lists import REDIS_AWAY, here
from queueadmin.console.request import Request

# --- the overview ------------------------------------------------------------------------------


@require_POST
@needs(RECOVER_JOBS)
def recover_stalled(request: Request) -> HttpResponse:
    return do(request, lambda actor: operations.recover_stalled(actor=actor), reverse("console:overview"))


@require_POST
@needs(SEND_TEST_EVENTS)
def send_test_event(request: Request) -> HttpResponse:
    def send(actor: str) -> Said:
        receipt = operations.send_test_event(actor=actor)
        return Said(f"Test event {receipt.id} accepted: it waits in {receipt.queue}.")

    return do(request, send, reverse("console:overview"))


@needs(PAUSE_QUEUES)
@require_http_methods(["GET", "HEAD", "POST"])
def pause(request: Request, name: str | None = None) -> HttpResponse:
    """GET asks for how long, POST does: one queue, or all of them."""
    _known(name)
    back = reverse("console:overview")
    if request.method != "POST":
        return render(request, "console/pause.html", {"page": "overview", "queue": name})
    form = PauseForm(request.POST)
    if not form.is_valid():
        return answer(request, f"A pause lasts up to {operations.MAX_MINUTES:,} minutes.", messages.WARNING, back, 422)
    wanted = form.cleaned_data
    return do(
        request,
        lambda actor: operations.pause(name, minutes=wanted["minutes"], actor=actor, reason=wanted["reason"]),
        back,
    )


@require_POST
@needs(PAUSE_QUEUES)
def resume(request: Request, name: str | None = None) -> HttpResponse:
    _known(name)
    return do(request, lambda actor: operations.resume(name, actor=actor), reverse("console:overview"))


@needs(EMPTY_QUEUES)
@require_http_methods(["GET", "HEAD", "POST"])
def empty(request: Request, name: str) -> HttpResponse:
    """GET asks, POST does: all that waits in the queue goes to the trash."""
    _known(name)
    if request.method != "POST":
        snapshot = metrics.snapshot().as_dict()
        if snapshot["redis"]["status"] != "connected":
            return render(request, "console/away.html", {"away": REDIS_AWAY}, status=503)
        queue = next(q for q in snapshot["queues"] if q["name"] == name)
        needs_reason = queue["depth"] > operations.REASON_FROM
        context = {"page": "overview", "queue": queue, "snapshot": snapshot, "needs_reason": needs_reason}
        return render(request, "console/empty.html", context)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, request.path, 422)
    reason = form.cleaned_data["reason"]
    return do(
        request,
        lambda actor: operations.empty(name, actor=actor, reason=reason),
        reverse("console:overview"),
        undo=True,
        asking=request.path,
    )


def _known(name: str | None) -> None:
    if name is not None and name not in settings.PRIORITIES:
        raise Http404("no such queue")


# --- dead letters --------------------------------------------------------------------------------


@require_POST
@needs(RETRY_JOBS)
def retry(request: Request) -> HttpResponse:
    """The dead letters that were ticked."""
    return _on_selection(request, lambda ids, actor: operations.retry(ids, actor=actor))


@require_POST
@needs(DISCARD_JOBS)
def discard(request: Request) -> HttpResponse:
    """The dead letters that were ticked go to the trash."""
    return _on_selection(request, lambda ids, actor: operations.discard(ids, actor=actor), undo=True)


@require_POST
@needs(TRIAGE_FAILURES)
def mark(request: Request) -> HttpResponse:
    """The dead letters that were ticked will never succeed."""
    return _on_selection(request, lambda ids, actor: operations.mark(ids, permanent=True, actor=actor))


def _on_selection(
    request: Request,
    operation: Callable[[list[str], str], MoveResult | MarkResult],
    *,
    undo: bool = False,
    fresh_list: bool = True,
) -> HttpResponse:
    form = SelectionForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, back_of(request), 422)
    ids = form.cleaned_data["ids"]
    return do(request, lambda actor: operation(ids, actor), back_of(request), undo=undo, fresh_list=fresh_list)


@needs(RETRY_JOBS)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_all(request: Request) -> HttpResponse:
    """GET asks, POST does: every dead letter of one queue or of all."""
    form = DeadLettersForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    queue = form.cleaned_data["queue"]
    if request.method != "POST":
        return render(request, "console/retry_all.html", {"page": "dead-letters", "queue": queue, **here(queue)})
    return do(
        request, lambda actor: operations.retry_all(actor=actor, queue=queue or None), back_of(request), fresh_list=True
    )


# --- one job -------------------------------------------------------------------------------------


def _on_job(operation: Callable[..., MoveResult | MarkResult], permission: Permission, *, undo: bool = False) -> View:
    """A button on one job. In a list htmx takes the row out itself, so nothing under the cursor moves."""

    @require_POST
    @needs(permission)
    def press(request: Request, job_id: str) -> HttpResponse:
        return do(request, lambda actor: operation([job_id], actor=actor), back_of(request), undo=undo)

    return press


retry_job = _on_job(operations.retry, RETRY_JOBS)
run_now_job = _on_job(operations.run_now, RUN_JOBS)
cancel_job = _on_job(operations.cancel, CANCEL_JOBS)
mark_job = _on_job(partial(operations.mark, permanent=True), TRIAGE_FAILURES)
unmark_job = _on_job(partial(operations.mark, permanent=False), TRIAGE_FAILURES)
discard_job = _on_job(operations.discard, DISCARD_JOBS, undo=True)
restore_job = _on_job(operations.restore, RESTORE_JOBS)


# --- the trash ---------------------------------------------------------------------------------


@require_POST
@needs(RESTORE_JOBS)
def undo(request: Request, operation: str) -> HttpResponse:
    """Brings back what one operation put into the trash. Many come back step by step, on the page of a replay."""
    begun: list[Replay] = []

    def bring_back(actor: str) -> UndoResult | ReplayResult:
        done = operations.undo(operation, actor=actor)
        if isinstance(done, ReplayResult):
            begun.append(done.replay)
        return done

    answered = do(request, bring_back, back_of(request))
    if not begun:
        return answered
    address = reverse("console:replay", args=[begun[0].pk])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


@needs(PURGE_TRASH)
@require_http_methods(["GET", "HEAD", "POST"])
def purge(request: Request, name: str) -> HttpResponse:
    """GET asks, POST does: what is in the queue's trash is deleted for good."""
    _known(name)
    context: dict[str, Any] = {"page": "overview", "name": name, "typed": request.POST.get("typed", "")}
    snapshot = metrics.snapshot().as_dict()
    if snapshot["redis"]["status"] != "connected":
        return render(request, "console/away.html", {"away": REDIS_AWAY}, status=503)
    try:
        context["at"] = server_time(connection())
    except redis.RedisError:
        return render(request, "console/away.html", {"away": REDIS_AWAY}, status=503)
    context |= {"snapshot": snapshot, "q": next(q for q in snapshot["queues"] if q["name"] == name)}
    if request.method != "POST":
        return render(request, "console/purge.html", context)
    form = PurgeForm(request.POST)
    if not form.is_valid():
        return render(request, "console/purge.html", context | {"form": form}, status=422)
    said = form.cleaned_data
    try:
        return do(
            request,
            lambda actor: operations.purge_trash(
                name, typed=said["typed"], actor=actor, reason=said["reason"], counted_at=said["at"]
            ),
            reverse("console:queue", args=[name]),
            asking=request.path,
        )
    except operations.WrongName as error:
        form.add_error("typed", str(error))
        return render(request, "console/purge.html", context | {"form": form}, status=422)


# --- a loss of Redis -------------------------------------------------------------------------------


@require_POST
@needs(ACKNOWLEDGE_LOSSES)
def understood(request: Request) -> HttpResponse:
    """Somebody has read that Redis lost its jobs; the banner goes."""
    form = UnderstoodForm(request.POST)
    if not form.is_valid():
        raise Http404("no such loss")
    loss_id = form.cleaned_data["loss"]
    return do(request, lambda actor: operations.acknowledge_loss(loss_id, actor=actor), back_of(request))
