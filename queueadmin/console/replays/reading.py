"""Replays as they are shown: one, a page of them, and their outcome in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from queueadmin.console.dead_letters import left_out
from queueadmin.console.dead_letters.reading import POISON
from queueadmin.console.filters import FilterError, parse
from queueadmin.console.models import Replay
from queueadmin.console.replays import pace, rules
from queueadmin.console.words import joined

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


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a replay's jobs in words, and where they are; "" where no list has them."""

    words: str
    link: str = ""


def tally(replay: Replay) -> str:
    """Such as: Of 4,210: 4,190 succeeded, 20 failed again, 1 new error."""
    told = ", ".join(part.words for part in parts(replay))
    left = left_out.told(replay.poison_left, replay.permanent_left)
    return f"Of {replay.size:,}: {told}{'; ' if left else ''}{left}."


def parts(replay: Replay) -> list[Part]:
    """What became of its jobs, each with the list that has them."""
    own = f"replay:{replay.pk}"
    found = [Part(f"{replay.succeeded:,} {_DONE[Replay.Kind(replay.kind)]}")]
    if replay.failed:
        found.append(Part(f"{replay.failed:,} failed again", _dead(own)))
    if new := [group for group, error in replay.errors.items() if error["new"]]:
        words = f"{len(new):,} new {'error' if len(new) == 1 else 'errors'}"
        found.append(Part(words, _dead(f"{own} group:{','.join(new)}")))
    if replay.in_flight:
        listed = urlencode({"filter": f"{own} state:queued,started"})
        found.append(Part(f"{replay.in_flight:,} in flight", f"{reverse('console:jobs')}?{listed}"))
    if replay.already:
        found.append(Part(f"{replay.already:,} had moved already"))
    if replay.taken:
        found.append(Part(f"{replay.taken:,} moved by others meanwhile"))
    if replay.lost:
        found.append(Part(f"{replay.lost:,} without a trace"))
    if left := rules.waiting(replay):
        link = _dead(fixed_filter(replay)) if replay.kind != Replay.Kind.RESTORE else ""
        found.append(Part(f"{left:,} left as they were" if replay.ended_at else f"{left:,} waiting", link))
    if replay.given_back:
        found.append(Part(f"{replay.given_back:,} of them taken back before they began"))
    return found


def left(replay: Replay) -> list[Part]:
    """What was left out and why, each with the list that has it."""
    which = fixed_filter(replay)
    other = "" if replay.include_poison else f" -reason:{POISON}"
    links = (_dead(f"{which} reason:{POISON}"), _dead(f"{which} permanent:yes{other}"))
    poison, permanent = replay.poison_left, replay.permanent_left
    if poison and permanent:
        return [Part(f"{poison:,} poison", links[0]), Part(f"{permanent:,} marked permanent", links[1])]
    told = left_out.told(poison, permanent)
    return [Part(told, links[0] if poison else links[1])] if told else []


def _dead(words: str) -> str:
    return f"{reverse('console:dead_letters')}?{urlencode({'filter': words.strip()})}"


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
        "undoes": replay.undoes or None,
        "queue": replay.to or None,
        "include_poison": replay.include_poison,
        "include_permanent": replay.include_permanent,
        "actor": replay.actor,
        "reason": replay.reason or None,
        "created_at": replay.created_at,
        "frozen_at": replay.frozen_at,
        "ended_at": replay.ended_at,
        "settled": replay.settled,
        "size": replay.size,
        "poison_left": replay.poison_left,
        "permanent_left": replay.permanent_left,
        "waiting": rules.waiting(replay),
        "given_back": replay.given_back,
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
        "pace": pace.shown(replay),
        "stop_percent": replay.stop_percent,
        "stop_new_errors": replay.stop_new_errors,
        "stop_wait": replay.stop_wait,
        "links": {
            "self": reverse("console-api:replay", args=[replay.pk]),
            "failed_again": failed_again(replay),
        },
    }


def fixed_filter(replay: Replay) -> str:
    """What it was chosen by, with moments in the place of `2h`; as it was given, where another version wrote it."""
    try:
        return str(parse(replay.filter).fixed(replay.created_at))
    except FilterError:
        return replay.filter


def failed_again(replay: Replay) -> str:
    """Where the API lists what failed again, as long as nobody moved it."""
    return f"{reverse('console-api:jobs')}?{urlencode({'filter': f'state:failed replay:{replay.pk}'})}"


def by_count(replay: Replay) -> list[tuple[str, dict[str, Any]]]:
    return sorted(replay.errors.items(), key=lambda item: -item[1]["count"])
