"""How a button is guarded, and how it answers: a toast for htmx, else a redirect to a page with the sentence."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import redis
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import trigger_client_event

from ingest.accept import Unavailable
from ingest.queue.connections import NeedsRedis
from queueadmin.console import audit
from queueadmin.console.access.permissions import VIEW_AUDIT, Permission, may, refusal
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.operations import MoveResult, ReasonNeeded, UndoResult
from queueadmin.console.pages.lists import REDIS_AWAY, dead_list
from queueadmin.console.request import Request

View = Callable[..., HttpResponseBase]

OUTCOME_UNKNOWN: Final = "Redis stopped answering. What was done until then shows in the list once it is back."


def needs(permission: Permission) -> Callable[[View], View]:
    """Signed in and with this permission; others are refused in words, not asked to sign in again.

    The view that is made says so, as `permission`.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                # After signing in they come back to the page; a button is never pressed by a redirect.
                reads = request.method in ("GET", "HEAD")
                return redirect_to_login(request.get_full_path() if reads else back_of(request))
            if not may(request.user, permission):
                return refuse(request, permission)
            with audit.noting():
                return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return guard


def refuse(request: Request, permission: Permission) -> HttpResponse:
    """403 for somebody who lacks it: a toast for htmx, else the page that says who may (raises PermissionDenied)."""
    sentence = refusal(request.user, permission)
    if request.htmx:
        return answer(request, sentence, messages.ERROR, "", 403)
    raise PermissionDenied(sentence)


class Said:
    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


def do(
    request: Request,
    operation: Callable[[str], Any],
    back: str,
    *,
    undo: bool = False,
    fresh_list: bool = False,
    asking: str = "",
) -> HttpResponse:
    """Run an operation and say in its own words what it did, as a toast or after a redirect.

    With `undo` the sentence offers to bring back what was moved. `asking` is the page that asks why, if not `back`.
    """
    try:
        result = operation(request.user.get_username())
    except (AuditUnavailable, Unavailable) as error:
        return answer(request, str(error) or REDIS_AWAY, messages.ERROR, back, 503)
    except NeedsRedis as error:
        return answer(request, str(error), messages.ERROR, back, 503)
    except redis.RedisError:
        return answer(request, OUTCOME_UNKNOWN, messages.ERROR, back, 503)
    except ReasonNeeded as error:
        return answer(request, str(error), messages.WARNING, asking or back, 422)
    nothing = isinstance(result, MoveResult) and not result.moved and not result.asked
    nothing = nothing or (isinstance(result, UndoResult) and not result.restored)
    level = messages.WARNING if nothing else messages.SUCCESS
    done = result.operation if undo and result.moved else ""
    return answer(request, result.sentence, level, back, undo=done, fresh_list=fresh_list)


def answer(
    request: Request,
    sentence: str,
    level: int,
    back: str,
    status: int = 200,
    *,
    undo: str = "",
    fresh_list: bool = False,
) -> HttpResponse:
    """The sentence, in the way that the page asked for, beside it an Undo of the operation `undo`, and the way to the
    log's entry of what this request did, for those who may see it."""
    log = _in_the_log(request)
    if not request.htmx:
        offers = {name: value for name, value in (("undo", undo), ("log", log)) if value}
        messages.add_message(request, level, sentence, extra_tags=urlencode(offers))
        return redirect(back)
    response = HttpResponse(status=status)
    if fresh_list:
        response = dead_list(request, request.POST.get("queue", ""), "")
    said = {"text": sentence, "level": messages.DEFAULT_TAGS[level], "undo": undo, "log": log}
    return trigger_client_event(response, "said", said)


def _in_the_log(request: Request) -> str:
    """The address; "" where nothing was recorded, or it is not for the reader."""
    entries = audit.noted()
    if not entries or not may(request.user, VIEW_AUDIT):
        return ""
    return f"{reverse('console:audit')}?filter=id:{','.join(entries)}"


def back_of(request: Request) -> str:
    """The page the button stood on, when it is one of ours."""
    wanted = request.POST.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return reverse("console:dead_letters")
