"""The page of an address that only takes presses, for whoever opens it: a tab that the browser brings back, or a reload
after a press that failed. It was white."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.http.response import HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string

from ingest.api.problems import speaks_json


class NotAllowedPage:
    """A middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_bare = isinstance(response, HttpResponseNotAllowed) and not response.content
        if is_bare and request.method == "GET" and not speaks_json(request.path_info):
            page = render_to_string("405.html")
            return HttpResponse(page, status=405, headers={"Allow": response["Allow"]})
        return response
