"""The dead letters of a filter: what they have in common, and all of them as a file."""

from typing import Any, Final, cast

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from ingest.queue.connections import connection, server_time
from queueadmin.console import exporting
from queueadmin.console.api.base import ConsoleView, invalid_field
from queueadmin.console.api.lists import filter_of, limit_of
from queueadmin.console.dead_letters import Group
from queueadmin.console.dead_letters.export import lines
from queueadmin.console.failures import matching
from queueadmin.console.failures.causes import causes
from queueadmin.console.failures.triage import SORTS
from queueadmin.console.filters import parse, within

#: Dead letters that are read for one answer where the index cannot tell; some 2 seconds.
LOOKED_AT: Final = 20_000
_UNSAID: Final = ("status", "assignee", "note", "payloads", "nature")


class ExportView(ConsoleView):
    """GET streams all that the filter chooses, credentials masked: CSV, or a JSON object a line."""

    minds_tenant = True

    def get(self, request: Request) -> HttpResponseBase:
        asked = request.query_params
        form = asked.get("format", "jsonl")
        if form not in ("csv", "jsonl"):
            raise invalid_field("format", "format must be csv or jsonl.")
        chosen = within(filter_of(parse, asked.get("filter", "")), self.caller.tenant)
        client = connection()
        found = matching(client, chosen, now=server_time(client), events=True)
        known = cast(exporting.Format, form)
        return exporting.download(request._request, lines(found, known), known, "dead-letters")


class GroupsView(ConsoleView):
    """Of all dead letters that match; of LOOKED_AT at most where the index cannot tell."""

    minds_tenant = True

    def get(self, request: Request) -> Response:
        asked = request.query_params
        sort = asked.get("sort", SORTS[0])
        if sort not in SORTS:
            raise invalid_field("sort", f"sort must be one of {', '.join(SORTS)}.")
        chosen, limit = (
            within(filter_of(parse, asked.get("filter", "")), self.caller.tenant),
            limit_of(asked.get("limit")),
        )
        client = connection()
        found = causes(
            client,
            chosen,
            now=server_time(client),
            sort=sort,
            limit=limit,
            tenant=self.caller.tenant,
            most=LOOKED_AT,
        )
        return Response(
            {
                "items": list(map(_group, found.items)),
                "groups": found.groups,
                "scanned": found.scanned,
                "complete": found.complete,
            }
        )


def _group(group: Group) -> dict[str, Any]:
    return {
        "id": group.id,
        "error": {"type": group.error_type or None, "message": group.message or None, "frames": group.frames},
        "count": group.count,
        "first_at": group.first_at,
        "last_at": group.last_at,
        "queues": group.queues,
        "reasons": group.reasons,
        **{name: getattr(group, name) or None for name in _UNSAID},
        "trend": group.trend,
    }
