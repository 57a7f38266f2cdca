"""Devices, where each was last, and how much comes of it."""

from rest_framework.request import Request
from rest_framework.response import Response

from queueadmin.console import devices
from queueadmin.console.api.base import ConsoleView, invalid_field
from queueadmin.console.api.lists import limit_of

#: Characters of the text that is looked for.
TEXT_LENGTH = 255


class DevicesView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request) -> Response:
        asked = request.query_params
        text = asked.get("text", "")
        if len(text) > TEXT_LENGTH:
            raise invalid_field("text", f"text has at most {TEXT_LENGTH} characters.")
        found = devices.page(
            text=text.strip(),
            cursor=asked.get("cursor", ""),
            limit=limit_of(asked.get("limit")),
            tenant=self.caller.tenant,
        )
        return Response({"items": [devices.shown(row) for row in found.items], "next": found.next})
