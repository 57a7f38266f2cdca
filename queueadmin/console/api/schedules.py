"""Schedules: listed, made, changed, paused, fired at once, ended."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, TypeVar

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request
from rest_framework.response import Response

from ingest.accept import Unavailable
from ingest.api.problems import Problem, ProblemError
from ingest.models import Schedule
from queueadmin.console import operations, schedules
from queueadmin.console.access.permissions import MANAGE_SCHEDULES, RUN_SCHEDULES
from queueadmin.console.api.base import ConsoleView, invalid_field, member, reason_of
from queueadmin.console.api.lists import limit_of

T = TypeVar("T")

#: What may be said of one, and as what.
FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "name": str,
    "enabled": bool,
    "cron": str,
    "interval_seconds": int,
    "timezone": str,
    "kind": str,
    "source": str,
    "tenant": str,
    "priority": str,
    "body": (dict, str),
    "catch_up": str,
    "anchor": str,
}
_REQUIRED: Final = ("name", "kind", "body")


class SchedulesView(ConsoleView):
    writing = MANAGE_SCHEDULES

    def get(self, request: Request) -> Response:
        asked = request.query_params
        found = schedules.page(cursor=asked.get("cursor", ""), limit=limit_of(asked.get("limit")))
        return Response({"items": [schedules.shown(each) for each in found.items], "next": found.next})

    def post(self, request: Request) -> Response:
        given = _given(request)
        for name in _REQUIRED:
            if name not in given:
                raise invalid_field(name, f"{name} is missing.")
        made = _asked(lambda: operations.create_schedule(actor=self.caller.actor, reason=reason_of(request), **given))
        return Response(schedules.shown(made.schedule))


class ScheduleView(ConsoleView):
    writing = MANAGE_SCHEDULES

    def get(self, request: Request, schedule: str) -> Response:
        return Response(schedules.shown(_asked(lambda: Schedule.objects.get(name=schedule))))

    def put(self, request: Request, schedule: str) -> Response:
        """What is left out stays as it is."""
        given, reason = _given(request), reason_of(request)
        if given.get("cron") and "interval_seconds" not in given:
            given["interval_seconds"] = None
        elif given.get("interval_seconds") and "cron" not in given:
            given["cron"] = ""
        done = _asked(
            lambda: operations.update_schedule(schedule, given, actor=self.caller.actor, reason=reason),
        )
        return Response(schedules.shown(done.schedule))

    def delete(self, request: Request, schedule: str) -> Response:
        reason = reason_of(request)
        done = _asked(lambda: operations.delete_schedule(schedule, actor=self.caller.actor, reason=reason))
        return Response({"name": schedule, "deleted": done.changed, "done": done.sentence})


class EnableView(ConsoleView):
    """POST answers with the schedule; saying again what it is already changes nothing."""

    writing = MANAGE_SCHEDULES
    operation: ClassVar[Callable[..., operations.ScheduleResult]]

    def post(self, request: Request, schedule: str) -> Response:
        operation, reason = type(self).operation, reason_of(request)
        done = _asked(lambda: operation(schedule, actor=self.caller.actor, reason=reason))
        return Response(schedules.shown(done.schedule))


class PauseScheduleView(EnableView):
    operation = staticmethod(operations.pause_schedule)


class ResumeScheduleView(EnableView):
    operation = staticmethod(operations.resume_schedule)


class RunScheduleView(ConsoleView):
    writing = RUN_SCHEDULES

    def post(self, request: Request, schedule: str) -> Response:
        reason = reason_of(request)
        try:
            done = _asked(lambda: operations.run_schedule(schedule, actor=self.caller.actor, reason=reason))
        except Unavailable as error:
            raise ProblemError(
                Problem(
                    503,
                    "no_durable_store",
                    "Not sent",
                    error.detail,
                    retryable=True,
                    headers={"Retry-After": "5"},
                )
            ) from error
        return Response({"id": done.receipt.id, "durability": done.receipt.durability, "done": done.sentence})


def _given(request: Request) -> dict[str, Any]:
    """The fields that the body gives; null is as if it were left out, but ends an interval. Raises ProblemError 422."""
    member(request, "name")  # or the body is no object
    data: Any = request.data
    given: dict[str, Any] = {}
    for name, value in data.items():
        if name == "reason" or (value is None and name != "interval_seconds"):
            continue
        if name not in FIELDS:
            raise invalid_field(str(name)[:100], f"A schedule has no field {str(name)[:100]}; it has {_named()}.")
        if value is not None and (
            not isinstance(value, FIELDS[name]) or isinstance(value, bool) != (name == "enabled")
        ):
            raise invalid_field(name, f"{name} must be {_WORDS[FIELDS[name]]}.")
        given[name] = _moment(str(value)) if name == "anchor" else value
    return given


_WORDS: Final = {str: "text", bool: "true or false", int: "a whole number", (dict, str): "an object"}


def _named() -> str:
    return ", ".join(FIELDS)


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid_field("anchor", "anchor must be a time with a zone, as in RFC 3339.")
    return moment


def _asked(operation: Callable[[], T]) -> T:
    """Raises ProblemError 404 for a name that is not there, 409 for one that is taken, 422 for what breaks a rule."""
    try:
        return operation()
    except Schedule.DoesNotExist:
        raise ProblemError(
            Problem(404, "schedule_not_found", "No such schedule", "No schedule has this name.")
        ) from None
    except ValidationError as error:
        field, first = next(iter(error.error_dict.items())) if hasattr(error, "error_dict") else ("", error.error_list)
        if any(each.code == "unique" for each in first):
            raise ProblemError(
                Problem(409, "name_taken", "Name taken", "A schedule of this name exists.", field="name")
            ) from None
        said = " ".join(message for each in first for message in each.messages)
        raise invalid_field("cron" if field in ("", "__all__") else field, said) from None
