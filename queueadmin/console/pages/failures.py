"""The dead letters: when they failed, of which causes, and which they are. HTTP only.

What it shows is in failures, and in dead_letters while the index is not to be had; what its address says is in
failure_address.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.queue import keys
from ingest.queue.connections import connection, server_time
from ingest.reading.cursors import BadCursor
from queueadmin.console import failures, operations, policies, saved_views
from queueadmin.console.access.permissions import TRIAGE_FAILURES, VIEW_CONSOLE, may
from queueadmin.console.dead_letters import Bound, Record, grouped
from queueadmin.console.failures import NotIndexed, matching, triage
from queueadmin.console.failures.counting import ALL, SPANS
from queueadmin.console.failures.triage import Bar
from queueadmin.console.figures import marks
from queueadmin.console.filters import Filter, FilterError, parse
from queueadmin.console.filters.terms import Field
from queueadmin.console.models import FailureGroup, SavedView
from queueadmin.console.pages import histogram
from queueadmin.console.pages.answers import needs
from queueadmin.console.pages.chips import chips
from queueadmin.console.pages.failure_address import Asked, extended, field, window
from queueadmin.console.pages.forms import DeadLettersForm
from queueadmin.console.pages.lists import away, dead_list, here
from queueadmin.console.queries import DeadLetter
from queueadmin.console.request import Request, is_partial

#: Dead letters that are read one by one where the index alone cannot tell, the newest, and the seconds for that.
LOOKED_AT: Final = 5_000
SECONDS: Final = 0.07
#: Groups that are listed at first, and that a phone shows of them.
LISTED: Final = 15
FOLDED: Final = 3

#: What causes are ordered by, as the page calls it.
_SORTS: Final = {"count": "most", "last": "last seen", "first": "newest", "trend": "rising"}

DATABASE_AWAY: Final = "The database does not answer, so there are no causes to show; this is read from Redis."
NOT_WRITTEN: Final = "Nobody writes the index of dead letters; the publisher may be stopped. This is read from Redis."


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def dead_letters(request: Request, group: str = "") -> HttpResponse:
    """The page, of all or of one group; for htmx its list alone."""
    form = DeadLettersForm(request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    if group and is_partial(request) and request.GET.get("part") == "said":
        return _said_of(request, group)
    queue, cursor = form.cleaned_data["queue"], form.cleaned_data["cursor"]
    if not settings.REDIS:
        return dead_list(request, queue, cursor)
    text, span = request.GET.get("filter", "").strip(), request.GET.get("span", "")
    span = span if span in (*SPANS, ALL) else ""
    sort = sort if (sort := request.GET.get("sort", "")) in triage.SORTS else triage.SORTS[0]
    try:
        chosen = parse(text)
        asked = Asked(chosen, group, span, cursor, is_whole=request.GET.get("groups") == "all", sort=sort)
        if (more := extended(request, asked, queue if text or group else "")) is not None:
            return redirect(asked.to(more))
    except FilterError as error:
        asked = Asked(Filter(), group, span, "")
        typed = request.GET.get("more", "").strip() or text
        shown = {"wrong": str(error), "typed": typed, "views": _views(request), **_around(asked), **here("")}
        return render(request, "console/failures.html", shown, status=200 if is_partial(request) else 422)
    if not chosen.terms and not group:
        if is_partial(request) and "causes" not in request.GET:
            return dead_list(request, queue, cursor)
        return dead_list(request, queue, cursor, {"views": _views(request), **_everything(asked, queue)})
    return _chosen(request, asked)


def _said_of(request: Request, group: str) -> HttpResponse:
    """What people say of a cause by now, for a page that stays open beside a colleague's."""
    cause = triage.cause_of(group)
    if cause is None:
        raise Http404("no such cause")
    return render(request, "console/_said_of.html", {"cause": cause, "again": True})


def _everything(asked: Asked, queue: str) -> dict[str, Any]:
    """Bars and groups around the list of all, or of a queue; the list itself is read from Redis, live."""
    shown = _around(asked)
    chosen = Filter((Field("queue", (queue,)),) if queue else ())
    try:
        client = connection()
        shown["index_says"], is_usable = _index(client)
        if is_usable:
            shown |= _found(replace(asked, chosen=chosen), server_time(client))
            more = {"queue": queue} if queue else {}
            shown["fresh_causes"] = asked.to(causes="fresh", **more)
    except (DatabaseError, InterfaceError):
        shown["index_says"] = DATABASE_AWAY
    except redis.RedisError:
        pass  # the list says so
    return shown


def _chosen(request: Request, asked: Asked) -> HttpResponse:
    """What a filter chooses, or a group: from the index, else as much as can be read in its place."""
    shown = {**_around(asked), **here("")}
    if not is_partial(request):
        shown["views"] = _views(request)
    try:
        client = connection()
        now = server_time(client)
        shown["index_says"], is_usable = _index(client)
        try:
            if not is_usable:
                return render(request, _template(request), shown | _scanned(client, asked, now))
            shown |= _found(asked, now)
            shown |= _listed(client, asked, now)
        except NotIndexed:
            shown |= _scanned(client, asked, now)
            if shown["scanned"]:
                shown["index_says"] = (
                    "What stands at a path of the events is looked up event by event:"
                    f" here in the newest {shown['scanned']:,} of {shown['candidates']:,} that may match."
                )
        except (DatabaseError, InterfaceError):
            shown["index_says"] = DATABASE_AWAY
            shown |= _scanned(client, asked, now)
    except BadCursor:
        raise Http404("no such page of the list") from None
    except redis.RedisError as error:
        return render(request, _template(request), shown | {"away": away(error)}, status=503)
    return render(request, _template(request), shown)


def _template(request: Request) -> str:
    return "console/_failure_list.html" if is_partial(request) else "console/failures.html"


def _around(asked: Asked) -> dict[str, Any]:
    return {
        "page": "dead-letters",
        "asked": asked,
        "base": asked.base,
        "filter": str(asked.chosen),
        "group_id": asked.group,
        "chips": [(chip.text, asked.to(chip.rest)) for chip in chips(asked.chosen)],
        "cleared": asked.to(Filter(), group=""),
        "reason_from": operations.REASON_FROM,
        "here": asked.to(group=""),
    }


def _views(request: Request) -> list[tuple[SavedView, str, bool]]:
    """Views of whoever looks, with their addresses and whether they may delete them."""
    name, may_all = request.user.get_username(), may(request.user, TRIAGE_FAILURES)
    try:
        return [(view, saved_views.address(view), view.owner == name or may_all) for view in saved_views.seen_by(name)]
    except (DatabaseError, InterfaceError):
        return []  # the page says that it is away


def _index(client: redis.Redis) -> tuple[str, bool]:
    """What is to be said of the index, and whether it can be used. Raises RedisError."""
    state = failures.state(client)
    if state is None:
        return NOT_WRITTEN, False
    if not state.complete:
        said = f"The index of dead letters is being made: {state.rows:,} of {state.dead_letters:,}."
        return f"{said} Until then this is read from Redis.", False
    return (f"{state.behind:,} newest are not in the index yet." if state.behind else ""), True


def _found(asked: Asked, now: datetime) -> dict[str, Any]:
    """Bars and groups by the index. Raises NotIndexed, DatabaseError and Http404."""
    limit = triage.GROUPS if asked.is_whole else LISTED
    found = triage.triage(asked.chosen, now=now, group=asked.group, span=asked.span, sort=asked.sort, limit=limit)
    cause = next((each for each in found.groups if each.group.pk == asked.group), None)
    if asked.group and cause is None and (cause := triage.cause_of(asked.group)) is None:
        raise Http404("no such group")
    since, until = asked.chosen.bounds(now)
    chart = histogram.of(found.bars, since=since, until=until, marks=_marks(found.bars))
    count = found.count
    if asked.group:
        count = next((each.count for each in found.groups if each.group.pk == asked.group), 0)
    return {
        "triage": found,
        "chart": chart,
        "ahead": found.bars[-1].ahead,
        "columns": [(column, asked.to(**window(column.bar))) for column in chart.columns],
        "since": field(since),
        "until": field(until),
        "spans": [(name, asked.to(span=name), name == found.span) for name in (*SPANS, ALL)],
        "causes": [
            (each, asked.to(group=each.group.pk), each.group.pk == asked.group, histogram.trend(each.trend))
            for each in found.groups
        ],
        "sorts": [(told, asked.to(sort=name), name == asked.sort) for name, told in _SORTS.items()],
        "is_folded": not asked.is_whole and found.causes > FOLDED,
        "has_more": not asked.is_whole and found.causes > LISTED,
        "most_causes": triage.GROUPS,
        "unfolded": asked.to(groups="all"),
        "cause": cause if asked.group else None,
        "leaving": policies.soon(now),
        **(_kept(cause.group, now) if cause and asked.group else {}),
        "people": _people() if asked.group else [],
        "matching": count,
        "whole": str(triage.of_group(asked.chosen, asked.group)),
        "everything": asked.to(group=""),
    }


def _kept(group: FailureGroup, now: datetime) -> dict[str, Any]:
    """The policy that speaks of the cause, and what goes next by it. Raises DatabaseError."""
    policy = policies.of_cause(group.pk)
    return {"policy": policy, "outlook": policies.of_group(policy, group, now) if policy else None, "now": now}


def _marks(bars: Sequence[Bar]) -> list[dict[str, Any]]:
    """Deploys, and what people did, in the time of the bars. Raises DatabaseError."""
    at = bars[0].start.timestamp() if bars else 0
    try:
        deploys = marks.since(connection(), at)
    except redis.RedisError:
        deploys = []
    return [*deploys, *marks.of_people(at)]


def _listed(client: redis.Redis, asked: Asked, now: datetime) -> dict[str, Any]:
    """A page of the jobs by the index, without those that Redis says have left."""
    page = triage.rows(asked.chosen, now=now, group=asked.group, cursor=asked.cursor)
    is_dead = _is_dead(client, page.items)
    return {
        "rows": {"items": [item for item in page.items if is_dead[item.id]]},
        "cursor": asked.cursor,
        "newest": asked.to(),
        "older": asked.to(cursor=page.next) if page.next else "",
    }


def _is_dead(client: redis.Redis, items: tuple[DeadLetter, ...]) -> Mapping[str, bool]:
    pipe = client.pipeline(transaction=False)
    for item in items:
        pipe.zscore(keys.failed(item.queue), item.id)
    return {item.id: score is not None for item, score in zip(items, pipe.execute(), strict=True)}


def _scanned(client: redis.Redis, asked: Asked, now: datetime) -> dict[str, Any]:
    """The same as far as the newest LOOKED_AT that may match tell, read one by one."""
    chosen = triage.of_group(asked.chosen, asked.group)
    bound = Bound(LOOKED_AT, SECONDS)
    met: list[Record] = []

    def noted() -> Iterator[Record]:
        for record in matching(client, chosen, now=now, bound=bound):
            if len(met) < triage.ROWS:
                met.append(record)
            yield record

    groups = grouped(noted())
    return {
        "scanned": bound.looked_at if bound.stopped else 0,
        "candidates": bound.candidates or 0,
        "matching": sum(group.count for group in groups),
        "whole": str(chosen),
        "scanned_groups": [(each, asked.to(group=each.id), each.id == asked.group) for each in groups],
        "rows": {"items": [_dead_letter(record) for record in met]},
        "newest": asked.to(),
        "everything": asked.to(group=""),
    }


def _dead_letter(record: Record) -> DeadLetter:
    shown, error = record.shown, record.shown["error"]
    return DeadLetter(
        id=record.id,
        kind=shown["kind"] or "",
        source=shown["source"] or "",
        tenant=shown["tenant"] or "",
        title=shown["title"],
        queue=record.queue,
        event_id=shown["event_id"],
        error_type=error["type"] or "",
        error_message=error["message"] or "",
        reason=error["reason"],
        failed_at=error["at"],
        attempts=shown["attempts"],
        permanent=shown["permanent"],
    )


def _people() -> list[str]:
    """Who a group may be given to."""
    users = get_user_model().objects.filter(is_active=True).order_by("username")
    return list(users.values_list("username", flat=True)[:200])
