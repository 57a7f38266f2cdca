"""Errors that no view of ours raised: Django's and the framework's own, as problems where programs ask."""

import sys
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import defaults
from rest_framework.exceptions import APIException, MethodNotAllowed

from ingest.api import problems
from ingest.api.problems import Problem, ProblemError, speaks_json
from ingest.database import is_read_only

_READ_ONLY: Final = "The database takes no writes."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler400`."""
    if not speaks_json(request.path_info):
        return defaults.bad_request(request, exception)
    if isinstance(exception, DisallowedHost):
        return problems.disallowed_host().response()
    return Problem(400, "bad_request", "Bad request", "The request cannot be read.").response()


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler403`."""
    if not speaks_json(request.path_info):
        return defaults.permission_denied(request, exception)
    return Problem(403, "forbidden", "Not allowed").response()


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler404`."""
    if not speaks_json(request.path_info):
        return defaults.page_not_found(request, exception)
    return problems.not_found(request.path).response()


def server_error(request: HttpRequest) -> HttpResponseBase:
    """`handler500`; 503 while the database is away, without which nobody is known to be signed in."""
    error = sys.exception()
    read_only = is_read_only(error)  # PostgreSQL's is an InternalError
    is_away = read_only or isinstance(error, OperationalError | InterfaceError)
    if speaks_json(request.path_info):
        return (
            problems.database_away(_READ_ONLY if read_only else "") if is_away else problems.server_error()
        ).response()
    if not is_away:
        return defaults.server_error(request)
    # Without the request: what it would bring to the page asks the database.
    here = request.get_full_path() if request.method == "GET" else _page_of(request)
    page = render_to_string("503.html", {"here": here, "read_only": read_only})
    return HttpResponse(page, status=503, headers={"Retry-After": "5"})


def _page_of(request: HttpRequest) -> str:
    """The page that the button stood on: most that is posted to answers no GET."""
    page = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if ours else f"{settings.SCRIPT_NAME}/"


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """What Django REST framework answers; None hands the error on to Django."""
    match error:
        case ProblemError():
            return error.problem.response()
        case Http404():
            return problems.not_found(context["request"].path).response()
        case PermissionDenied():
            return Problem(403, "forbidden", "Not allowed").response()
        case MethodNotAllowed():
            view, request = context["view"], context["request"]
            return problems.method_not_allowed(request.method or "", ", ".join(view.allowed_methods)).response()
        case APIException():
            code = str(error.default_code)
            return Problem(error.status_code, code, code.replace("_", " ").capitalize(), str(error.detail)).response()
    return None
