"""One job: read it, retry it."""

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from queueadmin.console import audit, callers, operations, queries
from queueadmin.console.api.base import ConsoleView, reason_of
from queueadmin.console.callers import Caller


class JobView(ConsoleView):
    def get(self, request: Request, job_id: str) -> Response:
        return Response(_job_for(self.caller, job_id))


class RetryView(ConsoleView):
    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(callers.operator)

    def post(self, request: Request, job_id: str) -> Response:
        _job_for(self.caller, job_id)
        result = operations.retry([job_id], actor=self.caller.actor, reason=reason_of(request))
        if result.moved:
            return Response(_job_for(self.caller, job_id), status=202)
        job = _job_for(self.caller, job_id)
        before = audit.last_outcome(job_id)
        raise ProblemError(
            Problem(
                409,
                "already_moved",
                "The job is no dead letter",
                f"The job is {job['state']} now, so there is nothing to retry.",
                state=job["state"],
                moved_by=before.actor if before else None,
                moved_at=before.at if before else None,
            )
        )


def _job_for(caller: Caller, job_id: str) -> dict[str, Any]:
    job = queries.job(job_id)
    if job is None or (caller.tenant and job["tenant"] != caller.tenant):
        raise ProblemError(Problem(404, "job_not_found", "No such job", f"No job has the id {job_id[:100]}."))
    return job
