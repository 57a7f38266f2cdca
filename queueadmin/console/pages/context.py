"""What every page of the console has at hand."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from queueadmin.console import replays, static_files
from queueadmin.console.access.permissions import BY_CODENAME, VIEW_CONSOLE, AnyUser, granted
from queueadmin.console.figures import metrics


def frame(request: HttpRequest) -> dict[str, Any]:
    """A template context processor. Nothing is read before a template asks for it: error pages ask for nothing."""
    held: Any = SimpleLazyObject(lambda: _may(request.user))
    return {
        "snapshot": SimpleLazyObject(lambda: _snapshot(held)),
        # By codename; `may.retry_jobs` in a template.
        "may": held,
        # Called by the template that shows it.
        "running_replays": _running_replays,
        "users_url": SimpleLazyObject(lambda: _users_url(request)),
        # False: what needs Redis is not offered, and a sentence says so.
        "has_redis": settings.REDIS,
        "environment": settings.ENVIRONMENT,
        "release": SimpleLazyObject(static_files.release),
        "faults": settings.QUEUEADMIN_FAULTS,
    }


def _snapshot(held: dict[str, bool]) -> dict[str, Any]:
    """The counts; unknown ones for whoever may not see them and has a page of their own account."""
    return (metrics.snapshot() if held[VIEW_CONSOLE.codename] else metrics.unknown()).as_dict()


def _may(user: AnyUser) -> dict[str, bool]:
    held = granted(user)
    return {codename: codename in held for codename in BY_CODENAME}


def _running_replays() -> int:
    """How many have work left; while the database is away none is shown."""
    try:
        return replays.running()
    except (DatabaseError, InterfaceError):
        return 0


def _users_url(request: HttpRequest) -> str:
    """Where users and groups are managed, for those whom Django's own permissions let."""
    user = request.user
    if not (user.is_staff and user.has_perm("auth.view_user")):
        return ""
    try:
        return reverse("admin:auth_user_changelist")
    except NoReverseMatch:
        return ""
