"""The buttons: HTTP only. What they do is in operations."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from queueadmin.console import operations
from queueadmin.console.answers import Said, answer, back_of, do, operator_required
from queueadmin.console.forms import DeadLettersForm, SelectionForm
from queueadmin.console.lists import here
from queueadmin.console.request import Request


@require_POST
@operator_required
def recover_stalled(request: Request) -> HttpResponse:
    return do(request, lambda actor: operations.recover_stalled(actor=actor), reverse("console:overview"))


@require_POST
@operator_required
def send_test_event(request: Request) -> HttpResponse:
    def send(actor: str) -> Said:
        receipt = operations.send_test_event(actor=actor)
        return Said(f"Test event {receipt.id} accepted: it waits in {receipt.queue}.")

    return do(request, send, reverse("console:overview"))


@require_POST
@operator_required
def retry_job(request: Request, job_id: str) -> HttpResponse:
    """One dead letter. htmx takes the row out itself, so nothing under the cursor moves."""
    return do(request, lambda actor: operations.retry([job_id], actor=actor), back_of(request))


@require_POST
@operator_required
def retry(request: Request) -> HttpResponse:
    """The dead letters that were ticked."""
    form = SelectionForm(request.POST)
    if not form.is_valid():
        return answer(
            request, " ".join(map(str, form.non_field_errors())), messages.WARNING, back_of(request), status=422
        )
    ids = form.cleaned_data["ids"]
    return do(request, lambda actor: operations.retry(ids, actor=actor), back_of(request), fresh_list=True)


@operator_required
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
