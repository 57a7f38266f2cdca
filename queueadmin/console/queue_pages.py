"""The page of one queue: its numbers, what operators do with it, and its jobs. HTTP only."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queueadmin.console.job_list_pages import listed
from queueadmin.console.request import Request


@never_cache
@login_required
@require_safe
def queue(request: Request, name: str) -> HttpResponse:
    if name not in settings.PRIORITIES:
        raise Http404("no such queue")
    return listed(request, "console/queue.html", reverse("console:queue", args=[name]), {"page": "jobs"}, queue=name)
