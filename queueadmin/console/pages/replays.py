"""The pages /replays/ and their buttons: HTTP only. What they show is in replays, what they do in operations."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from django.contrib import messages
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest.queue.connections import connection, server_time
from queueadmin.console import operations, undoing
from queueadmin.console.access.permissions import REPLAYED, RUN_REPLAYS, VIEW_CONSOLE, may
from queueadmin.console.figures import metrics
from queueadmin.console.figures.snapshot import QueueState, Snapshot
from queueadmin.console.filters import Filter, FilterError, parse
from queueadmin.console.models import Replay
from queueadmin.console.operations import REASON_FROM, ReplayResult
from queueadmin.console.pages import pace_chart
from queueadmin.console.pages.answers import View, answer, do, needs, refuse
from queueadmin.console.pages.forms import PaceForm, ReasonForm, ReplayForm, TuneForm, mistakes
from queueadmin.console.pages.lists import DATABASE_AWAY, away
from queueadmin.console.replays import BadOption, Tuning, pace, reading, rules
from queueadmin.console.replays.choosing import COUNTED, Choice, choice
from queueadmin.console.replays.options import MOST_RATE
from queueadmin.console.request import Request

#: Earlier replays on the page of one.
EARLIER: Final = 5
#: Rates that the page of a running one offers, and their words.
RATES: Final = ((1, "1/s"), (5, "5/s"), (20, "20/s"), (100, "100/s"), (0, "as fast as it goes"))
#: What the form needs, and only a retry has a use for.
_NEEDED: Final = ("canary", "ramp", "step_seconds", "stop_new_errors")


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def replay_list(request: Request) -> HttpResponse:
    given = request.GET.get("before", "")
    if given and not (given.isascii() and given.isdecimal() and len(given) <= 18):
        raise Http404("no such page of the list")
    context: dict[str, Any] = {"page": "replays", "before": given}
    try:
        rows, following = reading.page(int(given) if given else None)
    except (DatabaseError, InterfaceError):
        return render(request, "console/replays.html", context | {"away": DATABASE_AWAY}, status=503)
    context |= {"rows": list(map(_row, rows)), "next": following}
    return render(request, "console/replays.html", context)


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def replay(request: Request, pk: int) -> HttpResponse:
    found = _find(pk)
    waiting = rules.waiting(found)
    snapshot = metrics.snapshot()
    earlier, _ = reading.page(found.pk, EARLIER)
    ended = found.succeeded + found.failed
    context = {
        "page": "replays",
        "snapshot": snapshot.as_dict(),
        "replay": found,
        "parts": reading.parts(found),
        "left": reading.left(found),
        "left_count": found.poison_left + found.permanent_left,
        "filter": reading.fixed_filter(found),
        "chart": pace_chart.of(pace.stretches(found)),
        "undo": _undo(found),
        "rates": RATES,
        "over": found.state in (Replay.State.DONE, Replay.State.CANCELED),
        "waiting": waiting,
        "ended": ended,
        "done": found.size - waiting,
        "segments": list(_segments(found)),
        "rate": rules.rate_of(found),
        "steps": list(_steps(found)),
        "limit": rules.failing_limit(found),
        "failing": found.recent.count("f"),
        "recent": len(found.recent),
        "new_errors": rules.new_errors(found),
        "waits": _waits(found, snapshot),
        "held": _held(found, snapshot),
        "leader": snapshot.maintenance.leader,
        "errors": [
            {"group": group, **error, "share": 100 * error["count"] / ended if ended else 0}
            for group, error in reading.by_count(found)
        ],
        "again": f"{reverse('console:dead_letters')}?filter=replay:{found.pk}",
        "earlier": list(map(_row, earlier)),
    }
    return render(request, "console/replay.html", context)


@never_cache
@needs(RUN_REPLAYS)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request) -> HttpResponse:
    """GET shows what a filter chooses now and asks how; POST begins with what it chooses then."""
    if request.method == "POST":
        return _begin(request)
    kind = request.GET.get("kind", "")
    form = ReplayForm(initial={"kind": kind} if kind in Replay.Kind.values else None)
    return _ask(request, request.GET.get("filter", "").strip(), form)


def _ask(request: Request, text: str, form: ReplayForm, status: int = 200) -> HttpResponse:
    trash = form["kind"].value() == Replay.Kind.RESTORE
    context: dict[str, Any] = {"page": "replays", "filter": text, "form": form, "reason_from": REASON_FROM}
    context |= {"trash": trash, "hidden": [form[name] for name in _NEEDED]}
    try:
        client = connection()
        found = choice(client, parse(text), now=server_time(client), trash=trash, most=COUNTED)
        context |= {
            "count": found.count,
            "poison": found.poison,
            "permanent": found.permanent,
            "more": found.more,
            "groups": found.groups,
            "others": found.others,
            "going": found.count - _left_out(form, found),
        }
    except FilterError as error:
        return render(request, "console/new_replay.html", context | {"wrong": str(error)}, status=422)
    except redis.RedisError as error:
        return render(request, "console/new_replay.html", context | {"away": away(error)}, status=503)
    return render(request, "console/new_replay.html", context, status=status)


def _left_out(form: ReplayForm, found: Choice) -> int:
    """Of these, what stays as the form stands."""
    if form["kind"].value() not in (None, "", Replay.Kind.RETRY):
        return 0
    asked = {name: bool(form[name].value()) for name in ("include_poison", "include_permanent")}
    return sum(found.left_out(**asked))


def _begin(request: Request) -> HttpResponse:
    form = ReplayForm(request.POST)
    text = request.POST.get("filter", "").strip()
    if not form.is_valid():
        return _ask(request, text, form, 422)
    wanted = form.cleaned_data
    if not may(request.user, REPLAYED[wanted["kind"]]):
        return refuse(request, REPLAYED[wanted["kind"]])
    try:
        chosen: Filter = parse(str(parse(wanted["filter"])))
    except FilterError as error:
        return answer(request, str(error), messages.WARNING, request.path, 422)
    begun: list[Replay] = []

    def start(actor: str) -> ReplayResult:
        done = operations.start_replay(
            chosen,
            kind=Replay.Kind(wanted["kind"]),
            options=wanted["options"],
            to=wanted["to"] or None,
            include_poison=wanted["include_poison"],
            include_permanent=wanted["include_permanent"],
            actor=actor,
            reason=wanted["reason"],
        )
        begun.append(done.replay)
        return done

    more = {"kind": wanted["kind"]} if wanted["kind"] == Replay.Kind.RESTORE else {}
    asking = f"{request.path}?{urlencode({'filter': text, **more})}"
    try:
        answered = do(request, start, reverse("console:replays"), asking=asking)
    except operations.NothingMatches as error:
        return answer(request, str(error), messages.WARNING, asking, 422)
    except (DatabaseError, InterfaceError):
        return answer(request, DATABASE_AWAY, messages.ERROR, asking, 503)
    return redirect("console:replay", pk=begun[0].pk) if begun and not request.htmx else answered


def _button(operation: Callable[..., ReplayResult]) -> View:
    @require_POST
    @needs(RUN_REPLAYS)
    def press(request: Request, pk: int) -> HttpResponse:
        _find(pk)
        form, back = ReasonForm(request.POST), reverse("console:replay", args=[pk])
        if not form.is_valid():
            return answer(request, mistakes(form), messages.WARNING, back, 422)
        return do(request, lambda actor: operation(pk, actor=actor, reason=form.cleaned_data["reason"]), back)

    return press


pause = _button(operations.pause_replay)
resume = _button(operations.resume_replay)
cancel = _button(operations.cancel_replay)


@require_POST
@needs(RUN_REPLAYS)
def set_pace(request: Request, pk: int) -> HttpResponse:
    """One rate from now on."""
    found, form = _find(pk), PaceForm(request.POST)
    back = reverse("console:replay", args=[pk])
    if not form.is_valid():
        return answer(request, f"A rate is from 0 to {MOST_RATE:,} jobs a second.", messages.WARNING, back, 422)
    tuning = Tuning.of(found, ramp=(form.cleaned_data["rate"],))
    return _tuned(request, pk, tuning, "", back)


@never_cache
@needs(RUN_REPLAYS)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: Request, pk: int) -> HttpResponse:
    """GET asks, POST does: the pace from now on, and what stops it."""
    found = _find(pk)
    known = {name: getattr(found, name) for name in ("step_seconds", "stop_percent", "stop_new_errors", "stop_wait")}
    form = TuneForm(request.POST) if request.method == "POST" else TuneForm(initial=known)
    context = {
        "page": "replays",
        "replay": found,
        "form": form,
        "to_come": _to_come(found),
        "rate": rules.rate_of(found),
    }
    if request.method != "POST":
        return render(request, "console/change_replay.html", context)
    if not form.is_valid():
        return render(request, "console/change_replay.html", context, status=422)
    said = form.cleaned_data
    return _tuned(request, pk, said["tuning"], said["reason"], reverse("console:replay", args=[pk]))


def _tuned(request: Request, pk: int, tuning: Tuning, reason: str, back: str) -> HttpResponse:
    try:
        return do(request, lambda actor: operations.tune_replay(pk, tuning, actor=actor, reason=reason), back)
    except BadOption as error:
        return answer(request, str(error), messages.WARNING, back, 422)


def _to_come(found: Replay) -> str:
    """The rest of its ramp, as the form takes it."""
    return ", ".join(map(str, found.ramp[max(found.step, 0) :]))


def _undo(found: Replay) -> str:
    """What Undo is told; "" when nothing of it is in the trash any more."""
    if found.kind != Replay.Kind.DISCARD or not found.settled:
        return ""
    name = undoing.of_replay(found.pk)
    try:
        return name if undoing.count(connection(), name) else ""
    except redis.RedisError:
        return ""


def _find(pk: int) -> Replay:
    found = Replay.objects.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404("no such replay")
    return found


def _row(found: Replay) -> tuple[Replay, str, int | None]:
    """With its filter and its present rate."""
    return found, reading.fixed_filter(found), rules.rate_of(found)


def _segments(found: Replay) -> Iterator[dict[str, Any]]:
    """The parts of the bar: how each is drawn, from where, and how wide, in percent."""
    at = 0.0
    parts = (
        ("done", found.succeeded),
        ("fail", found.failed),
        ("run", found.in_flight),
        ("gone", found.already + found.taken + found.lost),
    )
    for look, count in parts:
        width = 100 * count / found.size if found.size else 0
        if width:
            yield {"look": look, "at": f"{at:.2f}%", "width": f"{width:.2f}%"}
        at += width
    yield {"look": "wait", "at": f"{at:.2f}%", "width": f"{max(100 - at, 0):.2f}%"}


def _steps(found: Replay) -> Iterator[dict[str, Any]]:
    """The canary and each rate of the ramp, with what it did so far."""
    known = {step["step"]: step for step in found.steps}
    present = found.steps[-1]["step"] if found.steps else None
    first = 0 if not found.canary else rules.CANARY
    for place in range(first, len(found.ramp)):
        step = known.get(place, {})
        is_here = place == present and found.ended_at is None
        seconds = step.get("seconds")
        if is_here and found.step_began_at:
            seconds = round((timezone.now() - found.step_began_at).total_seconds())
        yield {
            "rate": None if place == rules.CANARY else found.ramp[place],
            "here": is_here,
            "over": bool(step) and not is_here,
            "seconds": seconds,
            "succeeded": step.get("succeeded", 0),
            "failed": step.get("failed", 0),
        }


def _waits(found: Replay, snapshot: Snapshot) -> list[dict[str, Any]]:
    """The queues that it puts jobs into: how long each waits, and its target."""
    return [{"queue": q.name, "seconds": q.oldest_wait, "target": q.wait_target} for q in _queues(found, snapshot)]


def _held(found: Replay, snapshot: Snapshot) -> list[QueueState]:
    """Of these, those of which nobody takes what it puts there: a canary would wait for ever, and nothing say why."""
    if found.settled or found.kind != Replay.Kind.RETRY or not snapshot.known:
        return []
    return [q for q in _queues(found, snapshot) if q.paused or not q.workers]


def _queues(found: Replay, snapshot: Snapshot) -> Iterator[QueueState]:
    names = [found.to] if found.to else found.queues
    return (q for q in snapshot.queues if q.name in names)
