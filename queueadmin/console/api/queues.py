"""The queues: read, pause, resume, empty, take back what stalled."""

from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from queueadmin.console import operations
from queueadmin.console.access.permissions import EMPTY_QUEUES, PAUSE_QUEUES, RECOVER_JOBS
from queueadmin.console.api.base import ConsoleView, connected, member, number_between, reason_of
from queueadmin.console.figures import metrics

#: A year: more is a typing error.
MAX_PROCESSING_TIME: Final = 365 * 86_400


class QueuesView(ConsoleView):
    def get(self, request: Request) -> Response:
        return Response({"items": connected(metrics.snapshot()).as_dict()["queues"], "next": None})


class OperatorView(ConsoleView):
    """A write that concerns every tenant."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if (name := kwargs.get("name")) is not None and name not in settings.PRIORITIES:
            known = ", ".join(settings.PRIORITIES)
            raise ProblemError(Problem(404, "queue_not_found", "No such queue", f"The queues are {known}."))


class RecoverStalledView(OperatorView):
    writing = RECOVER_JOBS

    def post(self, request: Request) -> Response:
        # By the query or by the body; what is given is checked, also where the other one counts.
        given = (request.query_params.get("max_processing_time"), member(request, "max_processing_time"))
        seconds = [
            number_between(each, "max_processing_time", "seconds", MAX_PROCESSING_TIME)
            for each in given
            if each not in (None, "")
        ]
        older_than = seconds[0] if seconds else None
        result = operations.recover_stalled(actor=self.caller.actor, older_than=older_than, reason=reason_of(request))
        return Response({"recovered_alerts": result.total, "requeued": result.requeued, "dead_letters": result.dead})


class PauseView(OperatorView):
    """One queue, or all of them where the path names none."""

    writing = PAUSE_QUEUES

    def post(self, request: Request, name: str | None = None) -> Response:
        given = member(request, "minutes")
        minutes = None if given in (None, "") else number_between(given, "minutes", "minutes", operations.MAX_MINUTES)
        paused = operations.pause(name, minutes=minutes, actor=self.caller.actor, reason=reason_of(request))
        until = None if paused.until is None else datetime.fromtimestamp(paused.until, UTC)
        return Response({"queue": name, "paused": True, "paused_until": until, "done": paused.sentence})


class ResumeView(OperatorView):
    writing = PAUSE_QUEUES

    def post(self, request: Request, name: str | None = None) -> Response:
        resumed = operations.resume(name, actor=self.caller.actor, reason=reason_of(request))
        still = list(resumed.still_paused)
        return Response({"queue": name, "paused": bool(still), "still_paused": still, "done": resumed.sentence})


class EmptyView(OperatorView):
    writing = EMPTY_QUEUES

    def post(self, request: Request, name: str) -> Response:
        emptied = operations.empty(name, actor=self.caller.actor, reason=reason_of(request))
        return Response({"queue": name, "trashed": emptied.moved, "done": emptied.sentence})
