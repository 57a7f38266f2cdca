"""The API's description, for programs."""

from django.http import HttpResponse
from rest_framework.request import Request

from queueadmin.console.api.base import ConsoleView
from queueadmin.console.openapi import schema


class SchemaView(ConsoleView):
    """Open to everybody: it says nothing about what is held here."""

    reading = None

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(schema.as_json(), content_type="application/json")
