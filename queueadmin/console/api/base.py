"""What the views for programs share: JSON in and out, who calls, every error as a problem."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import IO, Any, ClassVar, Final

import msgspec
import redis
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import MethodNotAllowed, ParseError, UnsupportedMediaType
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingest.api.limits import too_large
from ingest.api.problems import Problem, ProblemError, database_away, method_not_allowed
from ingest.queue.connections import NeedsRedis
from ingest.reading.cursors import BadCursor
from queueadmin.console import audit
from queueadmin.console.access import callers
from queueadmin.console.access.callers import Caller
from queueadmin.console.access.permissions import VIEW_CONSOLE, Permission
from queueadmin.console.figures.snapshot import Snapshot
from queueadmin.console.operations import ReasonNeeded

logger = logging.getLogger(__name__)

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
    #: What a caller needs to read here, and to change something; None: it is open to everybody.
    reading: ClassVar[Permission | None] = VIEW_CONSOLE
    writing: ClassVar[Permission] = VIEW_CONSOLE
    #: Whether it shows and touches the caller's tenant's jobs alone. Else it is closed to keys that are bound to a
    #: tenant, and so is every new view until it says that it minds.
    minds_tenant: ClassVar[bool] = False
    caller: Caller

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[JSONRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type  # whatever Accept says, as an API answers

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        needed = self.reading if request.method in SAFE_METHODS else self.writing
        self.caller = callers.caller(request, needed) if needed else Caller("")
        if self.caller.tenant and not self.minds_tenant:
            raise ProblemError(
                Problem(403, "forbidden_tenant", "Not allowed", "This is about every tenant; the key is bound to one.")
            )

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


def read_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """GET and HEAD; the rest is refused as a problem, before the CSRF check would answer with a page."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return method_not_allowed(request.method or "", "GET, HEAD").response()
        return view(request)

    return guarded


def connected(snapshot: Snapshot) -> Snapshot:
    """The snapshot, when its numbers are of now. Raises ProblemError 503."""
    if snapshot.redis.status == "disconnected" or not snapshot.known:
        raise ProblemError(redis_away() if settings.REDIS else database_away())
    return snapshot


def member(request: Request, name: str) -> Any:
    """A member of the body, which may be missing; raises ProblemError 422 when the body is no object."""
    data = request.data
    if not hasattr(data, "get"):
        raise ProblemError(Problem(422, "invalid_body", "Invalid body", "The body must be a JSON object."))
    return data.get(name)


def reason_of(request: Request) -> str:
    """Why it is done, in the caller's words; may be missing. Raises ProblemError 422."""
    reason = member(request, "reason")
    if reason is None:
        return ""
    if not isinstance(reason, str) or len(reason) > MAX_REASON or "\x00" in reason:
        raise invalid_field("reason", f"reason must be text of at most {MAX_REASON} characters.")
    return reason


def queue_of(request: Request) -> str | None:
    """The queue that the body names; None: it names none. Raises ProblemError 422."""
    name = member(request, "queue")
    return None if name in (None, "") else known_queue(name)


def known_queue(name: Any) -> str:
    """Raises ProblemError 422 when there is no such queue."""
    if name not in settings.PRIORITIES:
        raise invalid_field("queue", f"queue must be one of {', '.join(settings.PRIORITIES)}.")
    return str(name)


def number_between(given: Any, field: str, unit: str, most: float) -> float:
    """A number over 0 and at most `most`, as JSON or text has it. Raises ProblemError 422."""
    try:
        value = float("nan") if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not 0 < value <= most:
        raise invalid_field(field, f"{field} must be a number of {unit} over 0 and at most {most:,}.")
    return value


def key_of(text: str) -> int:
    """The number that an address names a row by; for what is none, 0, which no row has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def whole_number(request: Request, name: str) -> int | None:
    """A whole number in the body; None: it names none. Raises ProblemError 422."""
    value = member(request, name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise invalid_field(name, f"{name} must be a whole number.")
    return value


def flag(request: Request, name: str) -> bool:
    """Whether the body says it; false unless it does. Raises ProblemError 422."""
    value = member(request, name)
    if value is not None and not isinstance(value, bool):
        raise invalid_field(name, f"{name} must be true or false.")
    return bool(value)


def invalid_field(field: str, sentence: str) -> ProblemError:
    return ProblemError(Problem(422, "invalid_field", "Invalid field", sentence, field=field))


def _problem(error: Exception, view: APIView) -> Problem | None:
    """What the caller is told; None: a fault of ours, for the server's log and the 500."""
    match error:
        case ProblemError():
            return error.problem
        case MethodNotAllowed():
            return method_not_allowed(view.request.method or "", ", ".join(view.allowed_methods))
        case BadCursor():
            said = str(error)
            return invalid_field("cursor", f"{said[0].upper()}{said[1:]}.").problem
        case ReasonNeeded():
            return Problem(422, "reason_needed", "A reason is needed", str(error), field="reason", count=error.count)
        case ParseError():
            return Problem(400, "invalid_json", "Not readable", f"The body cannot be read: {error.detail}")
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
            return too_large("body_too_large", f"The body is larger than {limit:,} bytes.", "body_bytes", limit)
        case UnsupportedMediaType():
            return Problem(415, "unsupported_media_type", "Unsupported media type", str(error.detail))
        case audit.AuditUnavailable() | DatabaseError() | InterfaceError():
            logger.warning("the database is away: %s", error)
            return database_away(str(error) if isinstance(error, audit.AuditUnavailable) else "")
        case NeedsRedis():
            return needs_redis()
        case redis.RedisError():
            logger.warning("Redis is away: %s", error)
            return redis_away(writing=view.request.method not in {"GET", "HEAD"})
    return None


def needs_redis() -> Problem:
    """No outage: waiting does not help."""
    return Problem(503, "needs_redis", "Needs Redis", str(NeedsRedis()))


def redis_away(*, writing: bool = False) -> Problem:
    """While reading nothing was changed; after a write nobody knows until Redis is back."""
    done = " What was done until then shows once it is back." if writing else ""
    return Problem(
        503,
        "redis_unavailable",
        "Redis is away",
        f"Redis does not answer.{done}",
        retryable=True,
        headers={"Retry-After": "5"},
    )
