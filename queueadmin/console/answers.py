"""How a button is guarded, and how it answers: a toast for htmx, else a redirect to a page with the sentence."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import redis
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import trigger_client_event

from ingest.accept import Unavailable
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.lists import REDIS_AWAY, dead_list
from queueadmin.console.permissions import can_operate
from queueadmin.console.request import Request

View = Callable[..., HttpResponse]

OUTCOME_UNKNOWN: Final = "Redis stopped answering. What was done until then shows in the list once it is back."


def operator_required(view: View) -> View:
    """Signed in and in the group operator or admin; others are refused, not asked to sign in again."""

    @wraps(view)
    def guarded(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            # After signing in they come back to the page; a button is never pressed by a redirect.
            return redirect_to_login(request.get_full_path() if request.method == "GET" else back_of(request))
        if not can_operate(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


class Said:
    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


def do(request: Request, operation: Callable[[str], Any], back: str, *, fresh_list: bool = False) -> HttpResponse:
    """Run an operation and say in its own words what it did, as a toast or after a redirect."""
    try:
        sentence = operation(request.user.get_username()).sentence
    except (AuditUnavailable, Unavailable) as error:
        return answer(request, str(error) or REDIS_AWAY, messages.ERROR, back, status=503)
    except redis.RedisError:
        return answer(request, OUTCOME_UNKNOWN, messages.ERROR, back, status=503)
    return answer(request, sentence, messages.SUCCESS, back, fresh_list=fresh_list)


def answer(
    request: Request, sentence: str, level: int, back: str, *, status: int = 200, fresh_list: bool = False
) -> HttpResponse:
    if not request.htmx:
        messages.add_message(request, level, sentence)
        return redirect(back)
    response = HttpResponse(status=status)
    if fresh_list:
        response = dead_list(request, request.POST.get("queue", ""), "")
    return trigger_client_event(response, "said", {"text": sentence, "level": messages.DEFAULT_TAGS[level]})


def back_of(request: Request) -> str:
    """The page the button stood on, when it is one of ours."""
    wanted = request.POST.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return reverse("console:dead_letters")
