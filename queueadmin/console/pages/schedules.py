"""The pages /schedules/ and their buttons: HTTP only. What they show is in schedules, what they do in operations."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec
import redis
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest.models import Schedule
from ingest.queue.connections import connection
from ingest.timetable import Wrong
from queueadmin.console import masking, operations, schedule_runs, schedules
from queueadmin.console.access.permissions import MANAGE_SCHEDULES, RUN_SCHEDULES, VIEW_CONSOLE, Permission
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.figures import metrics
from queueadmin.console.pages.answers import View, answer, do, needs
from queueadmin.console.pages.forms import PreviewForm, ReasonForm, ScheduleForm, mistakes
from queueadmin.console.pages.lists import DATABASE_AWAY
from queueadmin.console.request import Request
from queueadmin.console.schedule_runs import Due, Runs
from queueadmin.console.visible import visible

#: Rows of the list, each with its last runs: 500 jobs that are looked up.
PAGE_SIZE: Final = 25
#: What the form is not asked about each time, and where it differs from what a schedule holds.
_FIELDS: Final = ("name", "kind", "cron", "interval_seconds", "timezone", "source", "tenant", "priority", "catch_up")
_ALONE: Final = "Give either a cron expression or an interval."


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def schedule_list(request: Request) -> HttpResponse:
    snapshot = metrics.snapshot()
    context: dict[str, Any] = {"page": "schedules", "snapshot": snapshot.as_dict()}
    cursor = request.GET.get("cursor", "")
    try:
        found = schedules.page(cursor=cursor, limit=PAGE_SIZE)
        context["standing"] = schedules.standing()
    except (DatabaseError, InterfaceError):
        return render(request, "console/schedules.html", context | {"away": DATABASE_AWAY}, status=503)
    runs, context["waiting"] = _lately(found.items, snapshot.at)
    context["rows"] = [(each, schedules.words(each), runs.get(each.pk)) for each in found.items]
    context |= {"cursor": cursor, "next": found.next, "leader": settings.REDIS and snapshot.maintenance.leader}
    return render(request, "console/schedules.html", context)


def _lately(items: Sequence[Schedule], now: float) -> tuple[dict[int, Runs], list[Due]]:
    """How each went, and what waits for its time; nothing while Redis is away."""
    try:
        client = connection() if settings.REDIS else None
        return schedule_runs.runs(items), schedule_runs.waiting(client, now) if client else []
    except (redis.RedisError, DatabaseError, InterfaceError):
        return {}, []


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def schedule(request: Request, pk: int) -> HttpResponse:
    found = _find(pk)
    context = {
        "page": "schedules",
        "schedule": found,
        "words": schedules.words(found),
        "upcoming": schedules.upcoming(found),
        "runs": _lately([found], timezone.now().timestamp())[0].get(found.pk),
        "payload": masking.show(found.body),
    }
    return render(request, "console/schedule.html", context)


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def preview(request: Request) -> HttpResponse:
    """What the times that somebody is typing mean: in words, and the next ones."""
    form = PreviewForm(request.GET)
    context: dict[str, Any] = {"wrong": "", "words": "", "upcoming": []}
    if not form.is_valid():
        context["wrong"] = mistakes(form)
    elif (wanted := form.cleaned_data)["cron"] and wanted["interval_seconds"]:
        context["wrong"] = _ALONE
    elif wanted["cron"] or wanted["interval_seconds"]:
        now = timezone.now()
        try:
            times = schedules.times(wanted["cron"], wanted["interval_seconds"], wanted["timezone"] or "UTC", now)
            context["words"] = times.words
            context["upcoming"] = list(islice(times.following(now), schedules.UPCOMING))
        except Wrong as wrong:
            context["wrong"] = str(wrong)
    return render(request, "console/_schedule_preview.html", context)


@never_cache
@needs(MANAGE_SCHEDULES)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request) -> HttpResponse:
    """GET asks, POST makes it."""
    form = ScheduleForm(request.POST or None)
    if request.method != "POST":
        return _asked(request, form, None)
    return _save(
        request, form, None, lambda actor: operations.create_schedule(actor=actor, **_body_or(form.cleaned_data, "{}"))
    )


@never_cache
@needs(MANAGE_SCHEDULES)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: Request, pk: int) -> HttpResponse:
    """GET asks, with what it is now; POST changes what differs."""
    found = _find(pk)
    initial = {name: getattr(found, name) for name in _FIELDS}
    initial["body"] = _editable(found)
    form = ScheduleForm(request.POST or None, initial=initial)
    form.fields["kind"].choices = _kinds(form, found)  # type: ignore[attr-defined]
    if request.method != "POST":
        return _asked(request, form, found)

    def change(actor: str) -> operations.ScheduleResult:
        wanted = _body_or(form.cleaned_data, found.body, shown=initial["body"])
        changes = {name: value for name, value in wanted.items() if value != getattr(found, name)}
        return operations.update_schedule(found.name, changes, actor=actor)

    return _save(request, form, found, change)


@never_cache
@needs(MANAGE_SCHEDULES)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: Request, pk: int) -> HttpResponse:
    """GET asks, POST does."""
    found = _find(pk)
    if request.method != "POST":
        return render(request, "console/delete_schedule.html", {"page": "schedules", "schedule": found})
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, request.path, 422)
    return _done(
        request,
        lambda actor: operations.delete_schedule(found.name, actor=actor, reason=form.cleaned_data["reason"]),
        reverse("console:schedules"),
    )


def _button(operation: Callable[..., Any], permission: Permission) -> View:
    @require_POST
    @needs(permission)
    def press(request: Request, pk: int) -> HttpResponse:
        found = _find(pk)
        wanted = request.POST.get("next", "")
        pages = (reverse("console:schedules"), reverse("console:schedule", args=[pk]))
        back = wanted if wanted in pages else pages[0]
        return _done(request, lambda actor: operation(found.name, actor=actor), back)

    return press


pause = _button(operations.pause_schedule, MANAGE_SCHEDULES)
resume = _button(operations.resume_schedule, MANAGE_SCHEDULES)
run_now = _button(operations.run_schedule, RUN_SCHEDULES)


def _done(request: Request, operation: Callable[[str], Any], back: str) -> HttpResponse:
    """Somebody else may have deleted it meanwhile, and what it sends may break a rule that came later."""
    try:
        return do(request, operation, back)
    except Schedule.DoesNotExist:
        return answer(request, "The schedule was deleted meanwhile.", messages.WARNING, reverse("console:schedules"))
    except ValidationError as error:
        return answer(request, " ".join(error.messages), messages.WARNING, back, 422)


def _save(
    request: Request, form: ScheduleForm, found: Schedule | None, operation: Callable[[str], operations.ScheduleResult]
) -> HttpResponse:
    if not form.is_valid():
        return _asked(request, form, found)
    back = reverse("console:schedules")
    try:
        result = operation(request.user.get_username())
    except ValidationError as error:
        for field, said in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            form.add_error(field if field in form.fields else None, said)
        return _asked(request, form, found)
    except Schedule.DoesNotExist:
        return answer(request, "The schedule was deleted meanwhile.", messages.WARNING, back)
    except AuditUnavailable as error:
        return answer(request, str(error), messages.ERROR, back, 503)
    return answer(request, result.sentence, messages.SUCCESS, reverse("console:schedule", args=[result.schedule.pk]))


def _asked(request: Request, form: ScheduleForm, found: Schedule | None) -> HttpResponse:
    context = {
        "page": "schedules",
        "form": form,
        "schedule": found,
        "masked": found is not None and schedules.body(found)[1],
        "zones": sorted(available_timezones()),
    }
    return render(request, "console/schedule_form.html", context, status=422 if form.is_bound else 200)


def _body_or(wanted: dict[str, Any], otherwise: str, *, shown: str = "") -> dict[str, Any]:
    """What the form says; no body at all, and the one that it showed, are what `otherwise` says."""
    given = wanted["body"].replace("\r\n", "\n").strip()
    return {**wanted, "body": otherwise if given in ("", shown) else given}


def _editable(found: Schedule) -> str:
    """The body, laid out; "" where it has credentials: those are not shown, and so the body can only be given anew."""
    if schedules.body(found)[1]:
        return ""
    return visible(msgspec.json.format(found.body, indent=2))


def _kinds(form: ScheduleForm, found: Schedule) -> list[tuple[str, str]]:
    """Its own too, which code may have given it."""
    choices: list[tuple[str, str]] = list(form.fields["kind"].choices)  # type: ignore[attr-defined]
    return choices if (found.kind, found.kind) in choices else [*choices, (found.kind, found.kind)]


def _find(pk: int) -> Schedule:
    found = Schedule.objects.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404("no such schedule")
    return found
