"""Problems: listed by a filter, one of them, acknowledged and resolved."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from ingest.models import Alert
from queueadmin.console import alerts, operations
from queueadmin.console.access.callers import Caller
from queueadmin.console.access.permissions import HANDLE_ALERTS
from queueadmin.console.api.base import ConsoleView, reason_of
from queueadmin.console.api.lists import filter_of, limit_of
from queueadmin.console.operations import AlertResult

#: Reports of each kind that one problem is answered with.
REPORTS: Final = 50


class AlertsView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request) -> Response:
        asked = request.query_params
        chosen = filter_of(alerts.chosen, asked.get("filter", ""))
        found = alerts.page(
            chosen, cursor=asked.get("cursor", ""), limit=limit_of(asked.get("limit")), tenant=self.caller.tenant
        )
        return Response({"items": [alerts.shown(alert) for alert in found.items], "next": found.next})


class AlertView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request, alert_id: str) -> Response:
        return Response(_whole(_alert_for(self.caller, alert_id)))


class SayView(ConsoleView):
    """POST answers with the problem; saying again what it is already changes nothing."""

    writing = HANDLE_ALERTS
    minds_tenant = True
    say: ClassVar[Callable[..., AlertResult]]

    def post(self, request: Request, alert_id: str) -> Response:
        _alert_for(self.caller, alert_id)
        result = type(self).say(alert_id, actor=self.caller.actor, reason=reason_of(request), tenant=self.caller.tenant)
        if result.alert is None:
            raise _not_found(alert_id)
        if not result.changed and result.alert.state != self.leaves:
            raise ProblemError(
                Problem(409, "already_resolved", "Already resolved", result.sentence, state=result.alert.state)
            )
        return Response(_whole(result.alert))

    leaves: ClassVar[str]


class AcknowledgeView(SayView):
    say = staticmethod(operations.acknowledge_alert)
    leaves = Alert.State.ACKNOWLEDGED


class ResolveView(SayView):
    say = staticmethod(operations.resolve_alert)
    leaves = Alert.State.RESOLVED


def _whole(alert: Alert) -> dict[str, Any]:
    reports = [
        {
            "at": report.at,
            "action": report.get_action_display().lower(),
            "by": report.by or None,
            "job": None if report.by else report.event,
        }
        for report in alerts.reports(alert.identity, REPORTS)
    ]
    return {**alerts.shown(alert), "reports": reports}


def _alert_for(caller: Caller, alert_id: str) -> Alert:
    alert = alerts.find(alert_id, tenant=caller.tenant)
    if alert is None:
        raise _not_found(alert_id)
    return alert


def _not_found(alert_id: str) -> ProblemError:
    return ProblemError(Problem(404, "alert_not_found", "No such alert", f"No alert has the id {alert_id[:100]}."))
