"""The buttons of one cause: what people say of it. HTTP only."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from queueadmin.console import operations
from queueadmin.console.access.permissions import TRIAGE_FAILURES
from queueadmin.console.operations import GroupResult
from queueadmin.console.pages.answers import View, answer, do, needs
from queueadmin.console.request import Request


def _button(operation: Callable[..., GroupResult], field: str = "", was: str = "") -> View:
    """`field`: what is given. `was`: the field that says what the page showed of it, which may be missing."""

    @require_POST
    @needs(TRIAGE_FAILURES)
    def press(request: Request, group: str) -> HttpResponse:
        back = reverse("console:failure_group", args=[group])
        given = [request.POST.get(field, "").strip()] if field else []
        given += [request.POST[was]] if was in request.POST else []
        try:
            return do(request, lambda actor: operation(group, *given, actor=actor), back)
        except ValueError as error:
            return answer(request, str(error), messages.WARNING, back, 422)

    return press


acknowledge = _button(operations.acknowledge_group)
resolve = _button(operations.resolve_group)
reopen = _button(operations.reopen_group)
note = _button(operations.note_group, "note", "was")
assign = _button(operations.assign_group, "assignee")
