"""What a job carries: looked at without its credentials, replaced, and shown whole."""

import json
from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from ingest.reading import payloads
from queueadmin.console import masking, operations, queries
from queueadmin.console.access import callers
from queueadmin.console.access.permissions import EDIT_JOBS, RETRY_JOBS, REVEAL_PAYLOADS
from queueadmin.console.api.base import MAX_REASON, ConsoleView, invalid_field, reason_of
from queueadmin.console.api.jobs import job_for, not_found
from queueadmin.console.dead_letters.reading import event_in, finite
from queueadmin.console.editing import EditError
from queueadmin.console.queries import EDITABLE


class _Change(msgspec.Struct):
    #: Its bytes, so that numbers stay as they were written.
    payload: msgspec.Raw
    reason: str | None = None
    retry: bool = True


class PayloadView(ConsoleView):
    """GET: without credentials. PUT: another event, and a dead letter is retried with it."""

    writing = EDIT_JOBS
    minds_tenant = True

    def get(self, request: Request, job_id: str) -> Response:
        job_for(self.caller, job_id)
        body = payloads.carried(job_id).body
        masked = masking.show(body).masked if body is not None else 0
        return Response(_shown(job_id, None if body is None else event_in(body), body, masked))

    def put(self, request: Request, job_id: str) -> Response:
        before = job_for(self.caller, job_id)
        change = _change(request)
        if before["state"] not in EDITABLE:
            raise _too_late(before["state"], before["moved_by"], before["moved_at"])
        if change.retry and before["state"] == "failed":
            callers.caller(request, RETRY_JOBS)
        try:
            result = operations.change_event(
                job_id,
                bytes(change.payload).decode(),
                actor=self.caller.actor,
                reason=change.reason or "",
                then_retry=change.retry,
            )
        except operations.NotFound as error:
            raise not_found(job_id) from error
        except operations.AlreadyMoved as error:
            raise _too_late(error.state, error.moved_by, error.moved_at) from error
        except (EditError, ValueError) as error:
            raise ProblemError(
                Problem(422, "invalid_payload", "Invalid payload", str(error), field="payload")
            ) from error
        is_retried = result.retried is not None and bool(result.retried.moved)
        return Response(queries.job(job_id) or before, status=202 if is_retried else 200)


class RevealView(ConsoleView):
    """POST answers with the event as it was sent, credentials included; on the record."""

    writing = REVEAL_PAYLOADS
    minds_tenant = True

    def post(self, request: Request, job_id: str) -> Response:
        job_for(self.caller, job_id)
        body = operations.reveal(job_id, actor=self.caller.actor, reason=reason_of(request))
        return Response(_shown(job_id, None if body is None else _whole(body), body, 0))


def _shown(job_id: str, event: Any, body: bytes | None, masked: int) -> dict[str, Any]:
    return {"id": job_id, "payload": event, "masked": masked, "size": len(body or b"")}


def _whole(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=finite, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _change(request: Request) -> _Change:
    """Raises ProblemError 400 and 422."""
    body = request._request.body
    try:
        change = msgspec.json.decode(body, type=_Change)
    except msgspec.ValidationError as error:
        raise ProblemError(
            Problem(
                422,
                "invalid_body",
                "Invalid body",
                f"The body must be {{payload: object, reason?: text, retry?: true or false}}: {error}",
            )
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(Problem(400, "invalid_json", "Not readable", f"The body cannot be read: {error}")) from error
    if change.reason and (len(change.reason) > MAX_REASON or "\x00" in change.reason):
        raise invalid_field("reason", f"reason must be text of at most {MAX_REASON} characters.")
    return change


def _too_late(state: str, moved_by: str | None, moved_at: Any) -> ProblemError:
    return ProblemError(
        Problem(
            409,
            "already_moved",
            "The payload cannot be changed",
            f"A job that is {state} keeps its event.",
            state=state,
            moved_by=moved_by,
            moved_at=moved_at,
        )
    )
