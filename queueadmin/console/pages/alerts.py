"""The pages /alerts/ and their buttons: HTTP only. What they show is in alerts, what they do in operations."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from ingest.models import Alert, Event, Report
from ingest.priorities import PRIORITIES
from ingest.reading.cursors import BadCursor
from queueadmin.console import alerts, masking, operations
from queueadmin.console.access.permissions import HANDLE_ALERTS, VIEW_CONSOLE
from queueadmin.console.alerts.filters import OPEN
from queueadmin.console.filters import Filter, FilterError
from queueadmin.console.operations import AlertResult
from queueadmin.console.pages.answers import View, do, needs
from queueadmin.console.pages.lists import DATABASE_AWAY
from queueadmin.console.request import Request, is_partial

#: Rows of the list.
PAGE_SIZE: Final = 50
#: Reports of each kind on the page of one problem.
REPORTS: Final = 50
#: The tabs: the parameter `state`, and the word.
TABS: Final = (
    (OPEN, "Open"),
    (Alert.State.TRIGGERED.value, "Triggered"),
    (Alert.State.ACKNOWLEDGED.value, "Acknowledged"),
    (Alert.State.RESOLVED.value, "Resolved"),
    ("all", "All"),
)


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def alert_list(request: Request) -> HttpResponse:
    """The page; for htmx its list alone, or with `since` the counts and how many changed after that moment."""
    text, state, severity = _asked(request)
    context: dict[str, Any] = {
        "page": "alerts",
        "filter": text,
        "state": state,
        "severity": severity,
        "severities": PRIORITIES,
        "here": _address(text, state, severity),
        "cursor": request.GET.get("cursor", ""),
    }
    since = request.GET.get("since", "")
    try:
        wanted = _filter(text, state, severity)
        context["tabs"] = _tabs(text, severity, state)
        if is_partial(request) and since:
            context["news"] = alerts.newer(wanted, _moment(since))
            return render(request, "console/_alert_news.html", context)
        # Before the list is read: what changes in between shows as new, never as seen.
        context["seen"] = timezone.now().isoformat()
        context["rows"] = alerts.page(wanted, cursor=context["cursor"], limit=PAGE_SIZE)
    except FilterError as error:
        context["wrong"] = str(error)
    except BadCursor:
        raise Http404("no such page of the list") from None
    except (DatabaseError, InterfaceError):
        return render(request, "console/alerts.html", context | {"away": DATABASE_AWAY}, status=503)
    status = 422 if "wrong" in context and not is_partial(request) else 200
    return render(request, "console/alerts.html", context, status=status)


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def alert(request: Request, alert_id: str) -> HttpResponse:
    found = alerts.find(alert_id)
    if found is None:
        raise Http404("no such alert")
    reports = alerts.reports(alert_id, REPORTS)
    event = Event.objects.filter(id=found.described_by).order_by("-received_at").first()
    context = {
        "page": "alerts",
        "alert": found,
        "title": masking.masked_text(found.title),
        "labels": alerts.shown_labels(found),
        "timeline": timeline(reports),
        "cut": any(sum(each.action == action for each in reports) == REPORTS for action in Report.Action),
        "payload": masking.show(event.body) if event else None,
        "size": len(event.body.encode()) if event else 0,
    }
    return render(request, "console/alert.html", context)


def timeline(reports: list[Report]) -> list[dict[str, Any]]:
    """The reports, the newest first; triggers in a row that changed nothing stand as one, with how many they are."""
    shown: list[dict[str, Any]] = []
    opened = False
    for report in reversed(reports):
        again = report.action == Report.Action.TRIGGER and opened
        if again and shown[-1]["again"]:
            shown[-1] |= {"count": shown[-1]["count"] + 1, "report": report}
            continue
        icon, tone, what = _SHOWN[Report.Action(report.action)]
        shown.append({"report": report, "icon": icon, "tone": tone, "what": what, "again": again, "count": 1})
        opened = report.action != Report.Action.RESOLVE and (opened or report.action == Report.Action.TRIGGER)
    return shown[::-1]


_SHOWN: Final = {
    Report.Action.TRIGGER: ("bell-ring", "bad", "Triggered"),
    Report.Action.ACKNOWLEDGE: ("eye", "info", "Acknowledged"),
    Report.Action.RESOLVE: ("circle-check", "ok", "Resolved"),
}


def _button(operation: Callable[..., AlertResult]) -> View:
    @require_POST
    @needs(HANDLE_ALERTS)
    def press(request: Request, alert_id: str) -> HttpResponse:
        if alerts.find(alert_id) is None:
            raise Http404("no such alert")
        back = reverse("console:alert", args=[alert_id])
        return do(request, lambda actor: operation(alert_id, actor=actor), back)

    return press


acknowledge = _button(operations.acknowledge_alert)
resolve = _button(operations.resolve_alert)


def _asked(request: Request) -> tuple[str, str, str]:
    """Text, state and severity; what no tab and no choice says counts as the first of them."""
    state, severity = request.GET.get("state", OPEN), request.GET.get("severity", "")
    return (
        request.GET.get("filter", "").strip(),
        state if state in dict(TABS) else OPEN,
        severity if severity in PRIORITIES else "",
    )


def _filter(text: str, state: str, severity: str) -> Filter:
    """Raises FilterError."""
    terms = alerts.chosen(text).terms
    terms += alerts.chosen(f"state:{state}").terms if state != "all" else ()
    terms += alerts.chosen(f"severity:{severity}").terms if severity else ()
    return Filter(terms)


def _address(text: str, state: str, severity: str) -> str:
    said = {"filter": text, "state": "" if state == OPEN else state, "severity": severity}
    query = urlencode({name: value for name, value in said.items() if value})
    return reverse("console:alerts") + (f"?{query}" if query else "")


def _tabs(text: str, severity: str, state: str) -> list[dict[str, Any]]:
    """Each with how many there are, whatever the filter; `more`: that many at least."""
    counts = alerts.counts()
    of = {OPEN: (Alert.State.TRIGGERED, Alert.State.ACKNOWLEDGED), "all": tuple(Alert.State)}
    return [
        {
            "state": name,
            "word": word,
            "count": sum(counts[each] for each in of.get(name, (name,))),
            "more": any(counts[each] == alerts.COUNTED for each in of.get(name, (name,))),
            "here": name == state,
            "address": _address(text, name, severity),
        }
        for name, word in TABS
    ]


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Http404("no such moment")
    return moment
