"""Views of the dead letters: the caller's own, and those that are for all."""

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from queueadmin.console import operations, saved_views
from queueadmin.console.access import callers
from queueadmin.console.access.permissions import TRIAGE_FAILURES, VIEW_CONSOLE
from queueadmin.console.api.base import ConsoleView, flag, invalid_field, key_of, member
from queueadmin.console.api.lists import filter_of
from queueadmin.console.filters import parse
from queueadmin.console.models import SavedView


class ViewsView(ConsoleView):
    writing = VIEW_CONSOLE

    def get(self, request: Request) -> Response:
        return Response({"items": [saved_views.shown(view) for view in saved_views.seen_by(self.caller.actor)]})

    def post(self, request: Request) -> Response:
        said = {name: _text(request, name) for name in ("name", "filter", "span", "sort")}
        shared = flag(request, "shared")
        if shared:
            callers.caller(request, TRIAGE_FAILURES)
        chosen = filter_of(parse, said["filter"])
        try:
            saved = operations.save_view(
                said["name"], chosen, span=said["span"], sort=said["sort"], shared=shared, actor=self.caller.actor
            )
        except operations.CannotSave as error:
            raise invalid_field("name", str(error)) from error
        return Response(saved_views.shown(saved.view))


class SavedViewView(ConsoleView):
    writing = VIEW_CONSOLE

    def get(self, request: Request, view: str) -> Response:
        return Response(saved_views.shown(self._view(view)))

    def delete(self, request: Request, view: str) -> Response:
        found = self._view(view)
        if found.owner != self.caller.actor:
            callers.caller(request, TRIAGE_FAILURES)
        shown = saved_views.shown(found)
        operations.delete_view(found, actor=self.caller.actor)
        return Response(shown)

    def _view(self, number: str) -> SavedView:
        """Raises ProblemError 404."""
        found = SavedView.objects.filter(pk=key_of(number)).first()
        if found is None or not (found.shared or found.owner == self.caller.actor):
            raise ProblemError(Problem(404, "view_not_found", "No such view", f"No view has the number {number[:50]}."))
        return found


def _text(request: Request, name: str) -> str:
    value = member(request, name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise invalid_field(name, f"{name} must be a text.")
    return value
