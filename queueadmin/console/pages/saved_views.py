"""The buttons that save and delete views of the dead letters: HTTP only."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from queueadmin.console import operations, saved_views
from queueadmin.console.access.permissions import TRIAGE_FAILURES, VIEW_CONSOLE, may
from queueadmin.console.filters import FilterError, parse
from queueadmin.console.models import SavedView
from queueadmin.console.pages.answers import answer, do, needs, refuse
from queueadmin.console.request import Request


@require_POST
@needs(VIEW_CONSOLE)
def save(request: Request) -> HttpResponse:
    """One's own; for all with the permission to triage."""
    said = {name: request.POST.get(name, "").strip() for name in ("name", "filter", "span", "sort")}
    shared = "shared" in request.POST
    if shared and not may(request.user, TRIAGE_FAILURES):
        return refuse(request, TRIAGE_FAILURES)
    back = reverse("console:dead_letters")
    try:
        chosen = parse(said["filter"])
        back = saved_views.address(SavedView(filter=str(chosen), span=said["span"][:4], sort=said["sort"][:8]))
        return do(
            request,
            lambda actor: operations.save_view(
                said["name"], chosen, span=said["span"], sort=said["sort"], shared=shared, actor=actor
            ),
            back,
        )
    except (FilterError, operations.CannotSave) as error:
        return answer(request, str(error), messages.WARNING, back, 422)


@require_POST
@needs(VIEW_CONSOLE)
def delete(request: Request, pk: int) -> HttpResponse:
    view = SavedView.objects.filter(pk=pk).first() if pk < 2**63 else None
    is_own = view is not None and view.owner == request.user.get_username()
    if view is None or not (is_own or view.shared):
        raise Http404("no such view")
    if not is_own and not may(request.user, TRIAGE_FAILURES):
        return refuse(request, TRIAGE_FAILURES)
    return do(request, lambda actor: operations.delete_view(view, actor=actor), reverse("console:dead_letters"))
