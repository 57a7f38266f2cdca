"""What programs read and operate, as JSON: health, the queues, one job, recover, retry."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import IO, Any, ClassVar, Final

import msgspec
import redis
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed, ParseError, UnsupportedMediaType
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingest.api.limits import too_large
from ingest.api.problems import Problem, ProblemError, method_not_allowed
from ingest.queue.connections import acceptance_connection
from queueadmin.console import audit, callers, metrics, operations, queries
from queueadmin.console.callers import Caller
from queueadmin.console.snapshot import Snapshot

logger = logging.getLogger(__name__)

#: Keep's thresholds for `queue_status`.
BACKLOGGED_FROM: Final = 1000
ERRORS_FROM: Final = 100
#: A year: more is a typing error.
MAX_PROCESSING_TIME: Final = 365 * 86_400
MAX_REASON: Final = 500


class StrictJSON(JSONParser):
    """Refuses what the framework's parser lets through or falls over: half a surrogate pair, endless nesting."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises ParseError."""
        try:
            return msgspec.json.decode(stream.read())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ParseError("It is not JSON, or has a number or a text that cannot be kept.") from error


class ConsoleView(APIView):
    """JSON in, JSON out; every error is problem+json."""

    authentication_classes = [callers.SessionUser]  # noqa: RUF012 - DRF's own shape, here and below
    permission_classes = []  # noqa: RUF012
    parser_classes = [StrictJSON, FormParser, MultiPartParser]  # noqa: RUF012
    renderer_classes = [JSONRenderer]  # noqa: RUF012
    #: Who may call: `callers.reader` or `callers.operator`.
    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(callers.reader)
    caller: Caller

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[JSONRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type  # whatever Accept says, as an API answers

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.caller = type(self).allowed(request)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204)  # Allow is set by the framework, whose own answer shows docstrings

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        problem = _problem(exc, self)
        if problem is None:
            raise exc
        return problem.response()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final


class HealthView(ConsoleView):
    """Open to everybody, as load balancers ask without a key; the details are for those who may read."""

    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(lambda request: Caller(""))

    def get(self, request: Request) -> Response:
        snapshot = metrics.snapshot()
        verdict = snapshot.verdict
        status = 503 if verdict.status == "unhealthy" else 200
        try:
            callers.reader(request)
        except ProblemError:
            return Response({"status": verdict.status}, status=status)
        shown = snapshot.as_dict()
        return Response(
            {
                "status": verdict.status,
                "redis": shown["redis"],
                "database": shown["database"],
                "queues": {queue["name"]: queue for queue in shown["queues"]},
                "workers": shown["workers"],
                "maintenance": shown["maintenance"],
                "reasons": shown["verdict"]["reasons"],
                "next": verdict.next,
            },
            status=status,
        )


class QueueStatusView(ConsoleView):
    def get(self, request: Request) -> Response:
        snapshot = _connected(metrics.snapshot())
        totals = snapshot.totals
        return Response(
            {
                "queues": {
                    q.name: {
                        "pending": q.depth,
                        "scheduled": q.scheduled,
                        "processing": q.started,
                        "stalled": q.stalled,
                        "failed": q.failed,
                    }
                    for q in snapshot.queues
                },
                "total_pending": totals.depth,
                "processor": {
                    "processed": totals.processed,
                    "failed": totals.failures,
                    "in_per_second": totals.in_rate,
                    "out_per_second": totals.out_rate,
                    "workers": snapshot.workers.total,
                    "busy": snapshot.workers.busy,
                },
            }
        )


class QueueHealthView(ConsoleView):
    """Keep's health, by its names."""

    def get(self, request: Request) -> Response:
        snapshot = metrics.snapshot()
        if snapshot.redis.status != "connected":
            return Response({"redis_available": False, "queue_status": "unavailable", "metrics": {}})
        totals = snapshot.totals
        status = "healthy"
        if totals.started > BACKLOGGED_FROM:
            status = "backlogged"
        if totals.failed > ERRORS_FROM:
            status = "errors"
        shown = {
            **{f"enqueued:{q.name}": q.enqueued for q in snapshot.queues},
            "total_enqueued": totals.enqueued,
            **{f"dequeued:{q.name}": q.claimed for q in snapshot.queues},
            "total_dequeued": totals.dequeued,
            "successfully_processed": totals.processed,
            "processing_failures": totals.failures,
            **{f"queue_length:{q.name}": q.depth for q in snapshot.queues},
            "processing_queue_length": totals.started,
            "dead_letter_queue_length": totals.failed,
        }
        return Response({"redis_available": True, "queue_status": status, "metrics": shown})


class RecoverStalledView(ConsoleView):
    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(callers.operator)

    def post(self, request: Request) -> Response:
        if self.caller.tenant:
            raise ProblemError(
                Problem(403, "forbidden_tenant", "Not allowed", "This is about every tenant; the key is bound to one.")
            )
        given = request.query_params.get("max_processing_time", _member(request, "max_processing_time"))
        older_than = None if given in (None, "") else _seconds(given, "max_processing_time")
        result = operations.recover_stalled(actor=self.caller.actor, older_than=older_than, reason=_reason(request))
        return Response({"recovered_alerts": result.total, "requeued": result.requeued, "dead_letters": result.dead})


class QueuesView(ConsoleView):
    def get(self, request: Request) -> Response:
        return Response({"items": _connected(metrics.snapshot()).as_dict()["queues"], "next": None})


class JobView(ConsoleView):
    def get(self, request: Request, job_id: str) -> Response:
        return Response(_job_for(self.caller, job_id))


class JobRetryView(ConsoleView):
    allowed: ClassVar[Callable[[Request], Caller]] = staticmethod(callers.operator)

    def post(self, request: Request, job_id: str) -> Response:
        _job_for(self.caller, job_id)
        result = operations.retry([job_id], actor=self.caller.actor, reason=_reason(request))
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


def _read_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """GET and HEAD; the rest is refused as a problem, before the CSRF check would answer with a page."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return method_not_allowed(request.method or "", "GET, HEAD").response()
        return view(request)

    return guarded


@_read_only
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "alive"})


@_read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether an event would be stored durably now."""
    try:
        refusal = metrics.refuses(acceptance_connection().info())
    except redis.RedisError:
        refusal = "Redis does not answer, so nothing can be accepted."
    if refusal:
        problem = Problem(503, "not_ready", "Not ready", refusal, retryable=True, headers={"Retry-After": "5"})
        return problem.response()
    return JsonResponse({"status": "ready"})


def _job_for(caller: Caller, job_id: str) -> dict[str, Any]:
    job = queries.job(job_id)
    if job is None or (caller.tenant and job["tenant"] != caller.tenant):
        raise ProblemError(Problem(404, "job_not_found", "No such job", f"No job has the id {job_id[:100]}."))
    return job


def _connected(snapshot: Snapshot) -> Snapshot:
    if snapshot.redis.status != "connected":
        raise ProblemError(_redis_away())
    return snapshot


def _member(request: Request, name: str) -> Any:
    """A member of the body, which may be missing; raises ProblemError 422 when the body is no object."""
    data = request.data
    if not hasattr(data, "get"):
        raise ProblemError(Problem(422, "invalid_body", "Invalid body", "The body must be a JSON object."))
    return data.get(name)


def _seconds(given: Any, field: str) -> float:
    try:
        value = float("nan") if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not 0 < value <= MAX_PROCESSING_TIME:
        raise ProblemError(
            Problem(
                422,
                "invalid_field",
                "Invalid field",
                f"{field} must be a number of seconds over 0 and at most {MAX_PROCESSING_TIME:,}.",
                field=field,
            )
        )
    return value


def _reason(request: Request) -> str:
    reason = _member(request, "reason")
    if reason is None:
        return ""
    if not isinstance(reason, str) or len(reason) > MAX_REASON or "\x00" in reason:
        raise ProblemError(
            Problem(
                422,
                "invalid_field",
                "Invalid field",
                f"reason must be text of at most {MAX_REASON} characters.",
                field="reason",
            )
        )
    return reason


def _problem(error: Exception, view: APIView) -> Problem | None:
    """What the caller is told; None: a fault of ours, for the server's log and the 500."""
    match error:
        case ProblemError():
            return error.problem
        case MethodNotAllowed():
            return method_not_allowed(view.request.method or "", ", ".join(view.allowed_methods))
        case ParseError():
            return Problem(400, "invalid_json", "Not readable", f"The body cannot be read: {error.detail}")
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
            return too_large("body_too_large", f"The body is larger than {limit:,} bytes.", "body_bytes", limit)
        case UnsupportedMediaType():
            return Problem(415, "unsupported_media_type", "Unsupported media type", str(error.detail))
        case audit.AuditUnavailable() | DatabaseError() | InterfaceError():
            logger.warning("the database is away: %s", error)
            return Problem(
                503,
                "database_unavailable",
                "The database is away",
                str(error) if isinstance(error, audit.AuditUnavailable) else "The database does not answer.",
                retryable=True,
                headers={"Retry-After": "5"},
            )
        case redis.RedisError():
            logger.warning("Redis is away: %s", error)
            return _redis_away()
    return None


def _redis_away() -> Problem:
    return Problem(
        503,
        "redis_unavailable",
        "Redis is away",
        "Redis does not answer. Nothing was changed.",
        retryable=True,
        headers={"Retry-After": "5"},
    )
