"""What every page of the console has at hand."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from queueadmin.console import metrics, replays
from queueadmin.console.permissions import can_administer, can_operate, can_reveal


def frame(request: HttpRequest) -> dict[str, Any]:
    """A template context processor. Nothing is read before a template asks for it: error pages ask for nothing."""
    return {
        "snapshot": SimpleLazyObject(lambda: metrics.snapshot().as_dict()),
        "may_operate": SimpleLazyObject(lambda: can_operate(request.user)),
        "may_reveal": SimpleLazyObject(lambda: can_reveal(request.user)),
        "may_administer": SimpleLazyObject(lambda: can_administer(request.user)),
        # Called by the template that shows it.
        "running_replays": _running_replays,
        "users_url": SimpleLazyObject(lambda: _users_url(request)),
        # False: what needs Redis is not offered, and a sentence says so.
        "has_redis": settings.REDIS,
        "environment": settings.ENVIRONMENT,
        "faults": settings.QUEUEADMIN_FAULTS,
    }


def _running_replays() -> int:
    """How many have work left; while the database is away none is shown."""
    try:
        return replays.running()
    except (DatabaseError, InterfaceError):
        return 0


def _users_url(request: HttpRequest) -> str:
    """Where users and groups are managed, for those who may."""
    user = request.user
    if not (can_administer(user) and user.is_staff):
        return ""
    try:
        return reverse("admin:auth_user_changelist")
    except NoReverseMatch:
        return ""
