"""The page /workers/ and its buttons: HTTP only. What it shows is in workers, what they do in operations."""

import time
from collections.abc import Callable
from typing import Any, Final

import redis
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest.queue.connections import connection
from queueadmin.console import operations, workers
from queueadmin.console.access.permissions import DRAIN_WORKERS, KILL_WORKERS, RESTART_WORKERS, VIEW_CONSOLE, Permission
from queueadmin.console.figures import metrics, worker_history
from queueadmin.console.figures.worker_history import WorkerHistory
from queueadmin.console.operations import WorkerResult
from queueadmin.console.pages import histogram
from queueadmin.console.pages.answers import View, answer, back_of, do, needs
from queueadmin.console.pages.forms import ReasonForm, mistakes
from queueadmin.console.pages.lists import away
from queueadmin.console.request import Request
from queueadmin.console.workers import Worker

#: The tabs: the parameter `state`, and the word.
TABS: Final = (("", "All"), ("busy", "Busy"), ("drained", "Drained"), ("lost", "Lost"))
_IN_TAB: Final[dict[str, Callable[[Worker], bool]]] = {
    "": lambda worker: True,
    "busy": lambda worker: worker.state in ("busy", "draining"),
    "drained": lambda worker: worker.state in ("draining", "drained"),
    "lost": lambda worker: worker.is_stale,
}


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def worker_list(request: Request) -> HttpResponse:
    tab = request.GET.get("state", "")
    tab = tab if tab in _IN_TAB else ""
    context: dict[str, Any] = {"page": "workers", "tab": tab}
    try:
        found = workers.read(connection())
        lately = worker_history.read(connection(), now=time.time())
    except redis.RedisError as error:
        return render(request, "console/workers.html", context | {"away": away(error)}, status=503)
    snapshot = metrics.snapshot().as_dict()
    context |= {
        "snapshot": snapshot,
        "workers": found,
        "rows": [_row(worker, lately) for worker in found.items if _IN_TAB[tab](worker)],
        "lately": lately,
        "tabs": [
            {"name": name, "word": word, "count": sum(map(_IN_TAB[name], found.items)), "here": name == tab}
            for name, word in TABS
        ],
        "alone": [queue["name"] for queue in snapshot["queues"] if not queue["workers"]],
    }
    return render(request, "console/workers.html", context)


def _row(worker: Worker, lately: WorkerHistory) -> tuple[Worker, str, int]:
    """The worker, the curve of what it ended lately, and how much that was."""
    ended = lately.ended.get(worker.name, ())
    return worker, histogram.curve(ended), sum(ended)


def _button(operation: Callable[..., WorkerResult], permission: Permission) -> View:
    @require_POST
    @needs(permission)
    def press(request: Request, worker: str) -> HttpResponse:
        return _told(request, operation, worker)

    return press


drain = _button(operations.drain_worker, DRAIN_WORKERS)
resume = _button(operations.resume_worker, DRAIN_WORKERS)
restart = _button(operations.restart_worker, RESTART_WORKERS)


@never_cache
@needs(KILL_WORKERS)
@require_http_methods(["GET", "HEAD", "POST"])
def kill(request: Request, worker: str) -> HttpResponse:
    """GET asks, POST does."""
    if request.method == "POST":
        return _told(request, operations.kill_worker, worker, asking=request.path)
    try:
        found = workers.find(connection(), worker)
    except redis.RedisError as error:
        return render(request, "console/away.html", {"away": away(error)}, status=503)
    if found is None:
        raise Http404("no such worker")
    context = {"page": "workers", "worker": found, "is_here": workers.is_here(found)}
    return render(request, "console/kill_worker.html", context)


def _told(request: Request, operation: Callable[..., WorkerResult], worker: str, *, asking: str = "") -> HttpResponse:
    back = back_of(request) if "next" in request.POST else reverse("console:workers")
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, back, 422)
    try:
        reason = form.cleaned_data["reason"]
        return do(request, lambda actor: operation(worker, actor=actor, reason=reason), back, asking=asking)
    except (operations.NoSuchWorker, operations.CannotDo) as error:
        return answer(request, str(error), messages.WARNING, back, 409)
