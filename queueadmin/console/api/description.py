"""The API's description, for programs."""

from collections.abc import Callable
from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from queueadmin.console.api.base import ConsoleView
from queueadmin.console.callers import Caller
from queueadmin.console.openapi import schema


class SchemaView(ConsoleView):
    """Open to everybody: it says nothing about what is held here."""

    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(lambda request: Caller(""))

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(schema.as_json(), content_type="application/json")
