"""Dead letters by the hundred, moved as one background operation."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from queueadmin.console import operations, replays
from queueadmin.console.access import callers
from queueadmin.console.access.permissions import REPLAYED, RUN_REPLAYS
from queueadmin.console.api.base import (
    ConsoleView,
    flag,
    invalid_field,
    key_of,
    member,
    queue_of,
    reason_of,
    whole_number,
)
from queueadmin.console.api.lists import filter_of
from queueadmin.console.filters import Filter, parse, within
from queueadmin.console.models import Replay
from queueadmin.console.replays import BadOption, Options, Tuning
from queueadmin.console.replays.options import share

_RULES: Final = ("step_seconds", "stop_percent", "stop_new_errors")


class StartView(ConsoleView):
    """POST begins with exactly what matches now, and answers 202 with the replay."""

    writing = RUN_REPLAYS
    minds_tenant = True
    kind: ClassVar[Replay.Kind]

    def post(self, request: Request) -> Response:
        callers.caller(request, REPLAYED[self.kind])
        text = member(request, "filter")
        if not isinstance(text, str):
            raise invalid_field("filter", "filter is missing: a text; an empty one chooses all.")
        retry = self.kind == Replay.Kind.RETRY
        try:
            begun = operations.start_replay(
                filter_of(partial(_kept, tenant=self.caller.tenant), text),
                kind=self.kind,
                options=_options(request) if retry else None,
                to=queue_of(request) if retry else None,
                include_poison=retry and flag(request, "include_poison"),
                include_permanent=retry and flag(request, "include_permanent"),
                tenant=self.caller.tenant,
                actor=self.caller.actor,
                reason=reason_of(request),
            )
        except operations.NothingMatches as error:
            raise ProblemError(
                Problem(404, "nothing_matches", "Nothing matches", str(error), field="filter")
            ) from error
        shown = replays.shown(begun.replay)
        return Response(shown, status=202, headers={"Location": shown["links"]["self"]})


class RetryView(StartView):
    kind = Replay.Kind.RETRY


class DiscardView(StartView):
    kind = Replay.Kind.DISCARD


class RestoreView(StartView):
    kind = Replay.Kind.RESTORE


class ReplayView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request, replay: str) -> Response:
        return Response(replays.shown(_replay(replay, self.caller.tenant)))


class SteerView(ConsoleView):
    """POST answers with the replay; 409 when it is in no state for that."""

    writing = RUN_REPLAYS
    minds_tenant = True
    operation: ClassVar[Callable[..., operations.ReplayResult]]

    def post(self, request: Request, replay: str) -> Response:
        found, reason = _replay(replay, self.caller.tenant), reason_of(request)
        done = type(self).operation(found.pk, actor=self.caller.actor, reason=reason)
        if not done.changed:
            raise ProblemError(Problem(409, "replay_over", "Not now", done.sentence, state=done.replay.state))
        return Response(replays.shown(done.replay))


class PauseView(SteerView):
    operation = staticmethod(operations.pause_replay)


class ResumeView(SteerView):
    operation = staticmethod(operations.resume_replay)


class CancelView(SteerView):
    operation = staticmethod(operations.cancel_replay)


class TuneView(ConsoleView):
    """POST changes the pace from now on, and the rules; what is not named stays. 409 when it is over."""

    writing = RUN_REPLAYS
    minds_tenant = True

    def post(self, request: Request, replay: str) -> Response:
        found, reason = _replay(replay, self.caller.tenant), reason_of(request)
        try:
            tuning = Tuning.of(found, **_changed(request))
            done = operations.tune_replay(found.pk, tuning, actor=self.caller.actor, reason=reason)
        except BadOption as error:
            raise invalid_field(error.field, str(error)) from error
        if done.refused:
            raise ProblemError(Problem(409, "replay_over", "Not now", done.sentence, state=done.replay.state))
        return Response(replays.shown(done.replay))


def _kept(text: str, *, tenant: str) -> Filter:
    """Also as it is written down it must be within the limits. Raises FilterError."""
    return parse(str(within(parse(text), tenant)))


def _replay(number: str, tenant: str) -> Replay:
    """One that the tenant's key began; "": anybody's. Raises ProblemError 404."""
    found = Replay.objects.filter(pk=key_of(number)).first()
    if found is None or (tenant and found.tenant != tenant):
        raise ProblemError(
            Problem(404, "replay_not_found", "No such replay", f"No replay has the number {number[:50]}.")
        )
    return found


def _changed(request: Request) -> dict[str, Any]:
    """The options that the body names, but for the canary. Raises ProblemError 422."""
    given: dict[str, Any] = {}
    for name in _RULES:
        value = whole_number(request, name)
        if value is not None:
            given[name] = value
    if (ramp := member(request, "ramp")) is not None:
        if not isinstance(ramp, list):
            raise invalid_field("ramp", "ramp must be an array of rates, in jobs a second.")
        if not all(isinstance(rate, int) and not isinstance(rate, bool) for rate in ramp):
            raise invalid_field("ramp", "ramp must be whole numbers.")
        given["ramp"] = tuple(ramp)
    if member(request, "stop_wait") is not None:
        given["stop_wait"] = flag(request, "stop_wait")
    if "stop_percent" in given:
        given["stop_percent"] = share(given["stop_percent"])
    return given


def _options(request: Request) -> Options:
    """Raises ProblemError 422."""
    given = _changed(request)
    if (canary := whole_number(request, "canary")) is not None:
        given["canary"] = canary
    try:
        return Options(**given)
    except BadOption as error:
        raise invalid_field(error.field, str(error)) from error
