"""The page /settings/: HTTP only. What it shows is in in_force."""

from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queueadmin.console import in_force, policies
from queueadmin.console.access.permissions import VIEW_SETTINGS
from queueadmin.console.figures import metrics
from queueadmin.console.models import RetentionPolicy
from queueadmin.console.pages.answers import needs
from queueadmin.console.replays import keeping
from queueadmin.console.request import Request


@never_cache
@needs(VIEW_SETTINGS)
@require_safe
def settings_in_force(request: Request) -> HttpResponse:
    snapshot = metrics.snapshot()
    sections = in_force.sections(snapshot.redis)
    context = {
        "page": "settings",
        "snapshot": snapshot.as_dict(),
        "sections": sections,
        "unsafe": [setting for _, each in sections for setting in each if setting.unsafe],
        "kept": in_force.kept(),
        "replays_kept": keeping.KEPT.days,
        "policies": _policies(),
    }
    return render(request, "console/settings.html", context)


def _policies() -> list[str]:
    """How long dead letters are kept, for what; empty: nobody said so."""
    try:
        found = list(RetentionPolicy.objects.order_by("fingerprint"))
        names = policies.name_of(found)
    except (DatabaseError, InterfaceError):
        return []
    return [f"{names[policy.fingerprint]}: {policies.kept(policy)}" for policy in found]
