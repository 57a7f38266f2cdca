"""The workers: read, drained, resumed, started anew, killed."""

from collections.abc import Callable
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from ingest.queue.connections import connection
from queueadmin.console import operations, workers
from queueadmin.console.access.permissions import DRAIN_WORKERS, KILL_WORKERS, RESTART_WORKERS
from queueadmin.console.api.base import ConsoleView, reason_of
from queueadmin.console.operations import WorkerResult


class WorkersView(ConsoleView):
    def get(self, request: Request) -> Response:
        found = workers.read(connection())
        items = [workers.shown(worker) for worker in found.items]
        return Response({"items": items, "next": None, "complete": not found.more})


class TellView(ConsoleView):
    """POST tells one worker."""

    tell: ClassVar[Callable[..., WorkerResult]]

    def post(self, request: Request, worker: str) -> Response:
        try:
            result = type(self).tell(worker, actor=self.caller.actor, reason=reason_of(request))
        except operations.NoSuchWorker as error:
            raise ProblemError(Problem(404, "worker_not_found", "No such worker", str(error))) from error
        except operations.CannotDo as error:
            raise ProblemError(Problem(409, "cannot_do", "It cannot be told that", str(error))) from error
        return Response({"name": result.name, "told": result.verb, "done": result.sentence})


class DrainView(TellView):
    writing = DRAIN_WORKERS
    tell = staticmethod(operations.drain_worker)


class ResumeWorkerView(TellView):
    writing = DRAIN_WORKERS
    tell = staticmethod(operations.resume_worker)


class RestartView(TellView):
    writing = RESTART_WORKERS
    tell = staticmethod(operations.restart_worker)


class KillView(TellView):
    writing = KILL_WORKERS
    tell = staticmethod(operations.kill_worker)
