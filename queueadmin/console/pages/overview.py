"""The pages: HTTP only. What they show is in queries and metrics."""

from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from queueadmin.console import queries
from queueadmin.console.access import sessions
from queueadmin.console.access.permissions import PERMISSIONS, VIEW_CONSOLE, granted
from queueadmin.console.api.base import read_only
from queueadmin.console.failures.largest import largest
from queueadmin.console.figures import metrics
from queueadmin.console.openapi import page, schema
from queueadmin.console.pages import histogram
from queueadmin.console.pages.answers import needs
from queueadmin.console.pages.forms import LoginForm, PasswordForm
from queueadmin.console.request import Request, address, is_partial

#: Dead letters on the overview.
LATEST: Final = 5


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def overview(request: Request) -> HttpResponse:
    """The overview, or for htmx what it shows of dead letters alone."""
    snapshot = metrics.snapshot().as_dict()
    context = {"page": "overview", "snapshot": snapshot, "curl": _curl(request), "latest": _latest(), "why": _why()}
    return render(request, "console/_dead_news.html" if is_partial(request) else "console/overview.html", context)


@read_only
def api_docs(request: HttpRequest) -> HttpResponse:
    """The API for people; open to everybody, as its schema is."""
    document = schema.document()
    shown = {"groups": page.groups(document, address(request)), "shapes": page.shapes(document)}
    return render(request, "console/api_docs.html", shown)


class Login(LoginView):
    template_name = "console/login.html"
    form_class = LoginForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # A page that was left open comes here by itself.
        return super().get_context_data(**kwargs) | {"ended": "ended" in self.request.GET}


class Account(PasswordChangeView):
    """Who is signed in, and a new password."""

    template_name = "console/account.html"
    form_class = PasswordForm
    success_url = reverse_lazy("console:account")
    extra_context = {"page": "account"}  # noqa: RUF012 - Django's own shape

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request = self.request
        signed_in = sessions.of_user(request.user, request.session.session_key)  # type: ignore[arg-type]
        held = granted(request.user)
        permissions = [(each, each.codename in held) for each in PERMISSIONS]
        groups = request.user.groups.order_by("name").values_list("name", flat=True)
        return super().get_context_data(**kwargs) | {
            "sessions": signed_in,
            "permissions": permissions,
            "held": len(held),
            "groups": list(groups),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        done = super().form_valid(form)
        messages.success(self.request, "Password changed. Other sessions of this account are signed out.")
        return done


@require_POST
@login_required
def sign_out_elsewhere(request: Request) -> HttpResponse:
    """End one session of one's own, or all but this one."""
    identity = request.POST.get("session", "")
    ended = sessions.end(request.user, request.session.session_key, identity)  # type: ignore[arg-type]
    said = "1 session" if ended == 1 else f"{ended} sessions"
    messages.success(request, f"{said} ended." if ended else "It has ended already.")
    return redirect("console:account")


def _latest() -> tuple[queries.DeadLetter, ...] | None:
    """The latest dead letters; None when Redis is away."""
    try:
        return queries.dead_letters(limit=LATEST).items
    except redis.RedisError:
        return None


def _why() -> dict[str, Any]:
    """The largest causes with their trends; none while the index cannot be read."""
    try:
        found = largest(now=datetime.now(UTC))
    except (DatabaseError, InterfaceError):
        return {"causes": (), "groups": 0, "count": 0, "rows": []}
    rows = [(cause, histogram.trend(cause.trend)) for cause in found.causes]
    return {"causes": found.causes, "groups": found.groups, "count": found.count, "rows": rows}


def _curl(request: Request) -> str:
    """The line that sends an alert to this instance."""
    key = "-H 'X-API-KEY: <key>' " if settings.INGEST_REQUIRE_KEY else ""
    return (
        f"curl {address(request)}/api/alerts/event {key}-H 'Content-Type: application/json'"
        """ -d '{"title":"Disk 91 % full on db-04","severity":"high"}'"""
    )
