"""The page /dead-letters/policies/ and its buttons: how long dead letters are kept, and what would go. HTTP only."""

from typing import Any, Final
from urllib.parse import urlencode

import redis
from django.conf import settings
from django.contrib import messages
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ingest.queue.connections import connection, server_time
from queueadmin.console import operations, policies
from queueadmin.console.access.permissions import MANAGE_POLICIES, VIEW_CONSOLE, may
from queueadmin.console.models import FailureGroup, RetentionPolicy
from queueadmin.console.pages.answers import answer, do, needs
from queueadmin.console.pages.forms import PolicyForm, ReasonForm, mistakes
from queueadmin.console.pages.lists import DATABASE_AWAY, away
from queueadmin.console.request import Request

#: Causes that one is offered, those with the most dead letters.
CAUSES: Final = 50

_ASKED: Final = ("group", "keep_days", "keep_count")


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def policies_page(request: Request) -> HttpResponse:
    """Those that are set, and with days or a count in the address what another one would remove."""
    if not settings.REDIS:
        return render(request, "console/policies.html", {"page": "dead-letters"})
    form = PolicyForm({name: request.GET.get(name, "") for name in _ASKED})
    context: dict[str, Any] = {"page": "dead-letters", "form": form}
    try:
        now = server_time(connection())
        found = list(RetentionPolicy.objects.order_by("fingerprint"))
        names = policies.name_of(found)
        context["rows"] = [
            (policy, names[policy.fingerprint], policies.kept(policy), policies.expected(policy, now))
            for policy in found
        ]
        context["full"] = [each for *_, expected in context["rows"] for each in expected.causes]
        context["now"] = now
        if may(request.user, MANAGE_POLICIES):
            context |= _asked(form, is_asked="keep_days" in request.GET)
    except (DatabaseError, InterfaceError):
        return render(request, "console/policies.html", context | {"away": DATABASE_AWAY}, status=503)
    except redis.RedisError as error:
        return render(request, "console/policies.html", context | {"away": away(error)}, status=503)
    return render(request, "console/policies.html", context, status=422 if context.get("wrong") else 200)


def _asked(form: PolicyForm, *, is_asked: bool) -> dict[str, Any]:
    """The causes to choose from, and what would be set. Raises DatabaseError and RedisError."""
    is_good = form.is_valid()
    group = form.cleaned_data.get("group", "")
    groups = list(FailureGroup.objects.filter(count__gt=0).order_by("-count", "pk")[:CAUSES])
    if group and group not in {each.pk for each in groups}:
        groups += FailureGroup.objects.filter(pk=group)
    shown: dict[str, Any] = {"groups": groups, "group": group}
    if not is_asked:
        return shown
    if not is_good:
        return shown | {"wrong": mistakes(form)}
    try:
        policy = operations.planned(*(form.cleaned_data[name] for name in _ASKED))
    except operations.BadPolicy as error:
        return shown | {"wrong": str(error)}
    return shown | {
        "planned": policy,
        "name": policies.name_of([policy])[group],
        "kept": policies.kept(policy),
        "removed": policies.removed(policy),
        "count": policies.leaving(policy, policy.set_at),
    }


@require_POST
@needs(MANAGE_POLICIES)
def set_policy(request: Request) -> HttpResponse:
    form, back = PolicyForm(request.POST), reverse("console:policies")
    again = f"{back}?{urlencode({name: request.POST.get(name, '') for name in _ASKED})}"
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, again, 422)
    said = form.cleaned_data
    try:
        return do(request, lambda actor: operations.set_policy(actor=actor, **said), back, asking=again)
    except operations.BadPolicy as error:
        return answer(request, str(error), messages.WARNING, again, 422)


@require_POST
@needs(MANAGE_POLICIES)
def remove_policy(request: Request, pk: int) -> HttpResponse:
    form, back = ReasonForm(request.POST), reverse("console:policies")
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, back, 422)
    found = RetentionPolicy.objects.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404("no such policy")
    reason = form.cleaned_data["reason"]
    return do(request, lambda actor: operations.remove_policy(found, actor=actor, reason=reason), back)
