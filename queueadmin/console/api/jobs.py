"""One job: read it, and move it from where it is to where an operator wants it."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.accept import Unavailable
from ingest.api.problems import Problem, ProblemError, database_away
from ingest.reading import ages
from queueadmin.console import operations, queries
from queueadmin.console.access.callers import Caller
from queueadmin.console.access.permissions import (
    CANCEL_JOBS,
    DISCARD_JOBS,
    DUPLICATE_JOBS,
    MOVE_JOBS,
    RESTORE_JOBS,
    RETRY_JOBS,
    RUN_JOBS,
    TRIAGE_FAILURES,
)
from queueadmin.console.api.base import (
    ConsoleView,
    invalid_field,
    queue_of,
    reason_of,
)
from queueadmin.console.operations import MoveResult


class JobView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request, job_id: str) -> Response:
        return Response(job_for(self.caller, job_id))


class MoveView(ConsoleView):
    """POST moves the job and answers with it; 409 when it was not where the operation takes jobs from."""

    minds_tenant = True
    #: For the title of the 409.
    verb: ClassVar[str]
    status: ClassVar[int] = 200

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        raise NotImplementedError

    def post(self, request: Request, job_id: str) -> Response:
        before = job_for(self.caller, job_id)
        result = self.move(request, job_id, actor=self.caller.actor, reason=reason_of(request))
        if result.moved:
            # By now a worker may have finished it, and nothing be left of it.
            return Response(queries.job(job_id) or before, status=self.status)
        if result.asked:
            return Response(queries.job(job_id) or before, status=202)
        found = result.already[job_id]
        if found.state == operations.GONE:
            raise not_found(job_id)
        if found.state == operations.UNKNOWN:
            raise ProblemError(database_away())
        raise ProblemError(
            Problem(
                409,
                "already_moved",
                f"The job cannot be {self.verb}",
                result.sentence,
                state=found.state,
                moved_by=found.moved_by,
                moved_at=found.moved_at,
            )
        )


class RetryView(MoveView):
    writing = RETRY_JOBS
    verb = "retried"
    status = 202

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        return operations.retry([job_id], to=queue_of(request), actor=actor, reason=reason)


class RunNowView(MoveView):
    writing = RUN_JOBS
    verb = "run now"

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        return operations.run_now([job_id], actor=actor, reason=reason)


class CancelView(MoveView):
    writing = CANCEL_JOBS
    verb = "canceled"

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        return operations.cancel([job_id], actor=actor, reason=reason)


class DiscardView(MoveView):
    writing = DISCARD_JOBS
    verb = "discarded"

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        return operations.discard([job_id], actor=actor, reason=reason)


class RestoreView(MoveView):
    writing = RESTORE_JOBS
    verb = "restored"

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        return operations.restore([job_id], actor=actor, reason=reason)


class MoveToView(MoveView):
    writing = MOVE_JOBS
    verb = "moved"

    def move(self, request: Request, job_id: str, *, actor: str, reason: str) -> MoveResult:
        to = queue_of(request)
        if to is None:
            raise invalid_field("queue", "queue is missing: name the one that the job goes to.")
        return operations.move([job_id], to=to, actor=actor, reason=reason)


class MarkView(ConsoleView):
    """POST marks the dead letter, or takes the mark off, and answers with it; 409 when that changes nothing."""

    writing = TRIAGE_FAILURES
    minds_tenant = True
    permanent: ClassVar[bool] = True

    def post(self, request: Request, job_id: str) -> Response:
        before = job_for(self.caller, job_id)
        reason = reason_of(request)
        result = operations.mark([job_id], permanent=self.permanent, actor=self.caller.actor, reason=reason)
        now = queries.job(job_id) or before
        if not result.moved:
            raise ProblemError(
                Problem(409, "already_moved", "The job cannot be marked", result.sentence, state=now["state"])
            )
        return Response(now)


class UnmarkView(MarkView):
    permanent = False


class DuplicateView(ConsoleView):
    """POST sends the job's event once more and answers with the new job."""

    writing = DUPLICATE_JOBS
    minds_tenant = True

    def post(self, request: Request, job_id: str) -> Response:
        job_for(self.caller, job_id)
        reason = reason_of(request)
        try:
            copy = operations.duplicate(job_id, actor=self.caller.actor, reason=reason)
        except operations.NotFound as error:
            raise not_found(job_id) from error
        except ValueError as error:
            raise ProblemError(Problem(409, "not_repeatable", "Cannot be sent again", str(error))) from error
        except Unavailable as error:
            problem = Problem(503, "no_durable_store", "Not sent again", str(error), retryable=True)
            raise ProblemError(problem) from error
        return Response(queries.job(copy.id) or {"id": copy.id, "queue": copy.queue})


def job_for(caller: Caller, job_id: str) -> dict[str, Any]:
    """The job; another tenant's is as unknown as one that never was. Raises ProblemError 404."""
    job = queries.job(job_id)
    if job is None or (caller.tenant and job["tenant"] != caller.tenant):
        raise not_found(job_id)
    return job


def not_found(job_id: str) -> ProblemError:
    """404, or 410 for an id that is past retention."""
    if ages.is_past(job_id):
        days = ages.RETENTION.days
        detail = f"The id is of a job that is older than {days} days; nothing is kept of it."
        return ProblemError(Problem(410, "job_gone", "The job is gone", detail))
    return ProblemError(Problem(404, "job_not_found", "No such job", f"No job has the id {job_id[:100]}."))
