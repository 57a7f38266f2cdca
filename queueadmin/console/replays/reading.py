"""Replays as they are shown: one, a page of them, and their outcome in a sentence."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from queueadmin.console.filters import parse
from queueadmin.console.models import Replay
from queueadmin.console.replays import rules
from queueadmin.console.words import jobs, joined

#: Rows of a page.
PAGE: Final = 50
_DONE: Final = {
    Replay.Kind.RETRY: "succeeded",
    Replay.Kind.DISCARD: "moved to the trash, kept for 24 h",
    Replay.Kind.RESTORE: "restored",
}


def outcome(replay: Replay) -> str:
    """The tally, and why it stopped, if it did."""
    said = tally(replay).rstrip(".")
    return joined([said, replay.why.rstrip(".")] if replay.why else [said])


def tally(replay: Replay) -> str:
    """Such as: Of 4,210: 4,190 succeeded, 20 failed again, 1 new error."""
    parts = [f"{replay.succeeded:,} {_DONE[Replay.Kind(replay.kind)]}"]
    if replay.failed:
        parts.append(f"{replay.failed:,} failed again")
    if new := sum(error["new"] for error in replay.errors.values()):
        parts.append(f"{new:,} new {'error' if new == 1 else 'errors'}")
    if replay.in_flight:
        parts.append(f"{replay.in_flight:,} in flight")
    if replay.already:
        parts.append(f"{replay.already:,} had moved already")
    if replay.taken:
        parts.append(f"{replay.taken:,} moved by others meanwhile")
    if replay.lost:
        parts.append(f"{replay.lost:,} without a trace")
    if left := rules.waiting(replay):
        parts.append(f"{left:,} left as they were" if replay.ended_at else f"{left:,} waiting")
    poison = f"; {jobs(replay.poison_left)} left out, being poison" if replay.poison_left else ""
    return f"Of {replay.size:,}: {', '.join(parts)}{poison}."


def page(before: int | None = None, limit: int = PAGE) -> tuple[Sequence[Replay], int | None]:
    """The newest first, of those before that number, and the number for the next page. Raises DatabaseError."""
    found = Replay.objects.order_by("-id")
    if before is not None:
        found = found.filter(id__lt=before)
    rows = list(found[: limit + 1])
    return rows[:limit], rows[limit - 1].pk if len(rows) > limit else None


def running() -> int:
    """How many run or have jobs in flight. Raises DatabaseError."""
    return Replay.objects.filter(Q(state=Replay.State.RUNNING) | Q(in_flight__gt=0), settled=False).count()


def shown(replay: Replay) -> dict[str, Any]:
    """One for the API."""
    return {
        "id": replay.pk,
        "kind": replay.kind,
        "state": replay.state,
        "why": replay.why or None,
        "outcome": outcome(replay),
        "filter": fixed_filter(replay),
        "queue": replay.to or None,
        "include_poison": replay.include_poison,
        "actor": replay.actor,
        "reason": replay.reason or None,
        "created_at": replay.created_at,
        "frozen_at": replay.frozen_at,
        "ended_at": replay.ended_at,
        "settled": replay.settled,
        "size": replay.size,
        "poison_left": replay.poison_left,
        "waiting": rules.waiting(replay),
        "in_flight": replay.in_flight,
        "succeeded": replay.succeeded,
        "failed_again": replay.failed,
        "already_moved": replay.already,
        "moved_by_others": replay.taken,
        "lost": replay.lost,
        "errors": [{"group": group, **error} for group, error in by_count(replay)],
        "canary": replay.canary,
        "ramp": replay.ramp,
        "step_seconds": replay.step_seconds,
        "step": replay.step,
        "stop_percent": replay.stop_percent,
        "stop_new_errors": replay.stop_new_errors,
        "stop_wait": replay.stop_wait,
        "links": {
            "self": reverse("console-api:replay", args=[replay.pk]),
            "failed_again": failed_again(replay),
        },
    }


def fixed_filter(replay: Replay) -> str:
    """What it was chosen by, with moments in the place of `2h`."""
    return str(parse(replay.filter).fixed(replay.created_at))


def failed_again(replay: Replay) -> str:
    """Where the API lists what failed again, as long as nobody moved it."""
    return f"{reverse('console-api:jobs')}?{urlencode({'filter': f'state:failed replay:{replay.pk}'})}"


def by_count(replay: Replay) -> list[tuple[str, dict[str, Any]]]:
    return sorted(replay.errors.items(), key=lambda item: -item[1]["count"])
