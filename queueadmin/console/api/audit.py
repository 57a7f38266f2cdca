"""The audit log."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from queueadmin.console import audit, undoing
from queueadmin.console.access.permissions import VIEW_AUDIT
from queueadmin.console.api.base import ConsoleView
from queueadmin.console.api.lists import filter_of, limit_of


class AuditView(ConsoleView):
    reading = VIEW_AUDIT

    def get(self, request: Request) -> Response:
        asked = request.query_params
        chosen = filter_of(audit.chosen, asked.get("filter", ""))
        found = audit.page(chosen, cursor=asked.get("cursor", ""), limit=limit_of(asked.get("limit")))
        undoable = undoing.offered(found.items)
        items = [audit.shown(each) | {"links": _links(each, undoable)} for each in found.items]
        return Response({"items": items, "next": found.next})


def _links(operation: audit.Operation, undoable: set[str]) -> dict[str, str]:
    can = operation.undo in undoable
    return {"undo": reverse("console-api:audit-undo", args=[operation.id])} if can else {}
