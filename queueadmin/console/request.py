"""A request as our middleware leaves it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """With htmx's headers read."""

    htmx: HtmxDetails


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of the page, to put it into the page that stands."""
    return bool(request.htmx and not request.htmx.history_restore_request)
