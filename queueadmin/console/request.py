"""A request as our middleware leaves it."""

from django.conf import settings
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """With htmx's headers read."""

    htmx: HtmxDetails


def address(request: HttpRequest) -> str:
    """Where others reach this console, without a slash at the end: PUBLIC_URL, else as the request came."""
    return (settings.PUBLIC_URL or request.build_absolute_uri(f"{settings.SCRIPT_NAME}/")).rstrip("/")


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of the page, to put it into the page that stands."""
    return bool(request.htmx and not request.htmx.history_restore_request)
