"""Replays: begun, paused, going on, canceled. Maintenance does the work (`queueadmin.console.replays`)."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db.models import F

from ingest.queue.connections import connection, server_time
from queueadmin.console.audit import audited
from queueadmin.console.dead_letters import Bound
from queueadmin.console.failures import matching
from queueadmin.console.filters import Filter
from queueadmin.console.models import Replay
from queueadmin.console.operations.naming import known
from queueadmin.console.operations.reasons import REASON_FROM, ReasonNeeded, need_reason_for
from queueadmin.console.replays import Options, Tuning
from queueadmin.console.replays.apart import set_apart
from queueadmin.console.replays.choosing import LOOKING
from queueadmin.console.replays.rules import CANARY, waiting

_ASKING: Final = {Replay.Kind.RETRY: "retried", Replay.Kind.DISCARD: "removed", Replay.Kind.RESTORE: "restored"}
#: States in which something may still be released.
_OPEN: Final = (Replay.State.RUNNING, Replay.State.PAUSED, Replay.State.STOPPED)


class NothingMatches(ValueError):
    """No job is left that the filter chooses. Nothing was begun."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The replay as it is now; `changed`: whether this call did it."""

    replay: Replay
    sentence: str
    changed: bool = True
    #: It is in no state for that, so nothing was even begun.
    refused: bool = False


def start_replay(
    chosen: Filter,
    *,
    kind: Replay.Kind = Replay.Kind.RETRY,
    options: Options | None = None,
    to: str | None = None,
    include_poison: bool = False,
    include_permanent: bool = False,
    tenant: str = "",
    actor: str,
    reason: str = "",
) -> ReplayResult:
    """Begin with exactly what matches at this moment; with `to` dead letters go into that queue.

    `tenant`: whose key asks, if that is bound to one, as `chosen` is then.

    Raises NothingMatches, ReasonNeeded without a reason for more than REASON_FROM jobs or for more than LOOKING seconds
    can count, ValueError for an unknown queue, redis.RedisError when Redis is away, AuditUnavailable or DatabaseError
    when the database is.
    """
    client = connection()
    now = server_time(client)
    if to is not None:
        known(to)
    bound = Bound(seconds=LOOKING)
    found = matching(client, chosen, now=now, trash=kind == Replay.Kind.RESTORE, bound=bound)
    least = sum(1 for _ in islice(found, REASON_FROM + 1))
    if not least and not bound.stopped:
        raise NothingMatches("Nothing matches; nothing was begun.")
    if bound.stopped and not reason.strip():
        # To count them all may take minutes; the set is written down in any case.
        raise ReasonNeeded(f"Nobody counted how many jobs would be {_ASKING[kind]}; so say why.", least)
    need_reason_for(least, reason, _ASKING[kind], at_least=True)
    wanted = options or Options()
    step = CANARY if wanted.canary else 0
    target = str(chosen.fixed(now)) or "all"
    with audited(actor=actor, action=f"start_{kind}", target=target, reason=reason) as outcome:
        name, now = set_apart(client, trash=kind == Replay.Kind.RESTORE)
        replay = Replay.objects.create(
            kind=kind,
            actor=actor[:200],
            reason=reason[:500],
            filter=str(chosen),
            tenant=tenant,
            to=to or "",
            include_poison=include_poison,
            include_permanent=include_permanent,
            created_at=now,
            apart=name,
            step=step,
            steps=[{"step": step}] if kind == Replay.Kind.RETRY else [],
            canary=wanted.canary,
            ramp=list(wanted.ramp),
            step_seconds=wanted.step_seconds,
            stop_percent=wanted.stop_percent,
            stop_new_errors=wanted.stop_new_errors,
            stop_wait=wanted.stop_wait,
        )
        outcome.sentence = f"Replay {replay.pk} begun."
    return ReplayResult(replay, outcome.sentence)


def start_undo(operation: str, *, actor: str, reason: str = "") -> ReplayResult:
    """Bring back what this operation of the audit log put into the trash. Raises as `pause_replay`."""
    now = server_time(connection())
    with audited(actor=actor, action="undo", target=operation, reason=reason) as outcome:
        replay = Replay.objects.create(
            kind=Replay.Kind.RESTORE, actor=actor[:200], reason=reason[:500], undoes=operation, created_at=now, ramp=[0]
        )
        outcome.sentence = f"Replay {replay.pk} begun."
    return ReplayResult(replay, outcome.sentence)


def tune_replay(replay_id: int, tuning: Tuning, *, actor: str, reason: str = "") -> ReplayResult:
    """Another pace, and other rules that stop it, from now on. Raises BadOption, and as `pause_replay`."""
    replay = Replay.objects.get(pk=replay_id)
    refused = f"Replay {replay_id} is {replay.state}; nothing was changed."
    if replay.kind != Replay.Kind.RETRY:
        refused = f"Replay {replay_id} has neither pace nor rules; nothing was changed."
    if replay.state not in _OPEN or replay.kind != Replay.Kind.RETRY:
        return ReplayResult(replay, refused, changed=False, refused=True)
    now = server_time(connection())
    with audited(actor=actor, action="tune_replay", target=str(replay), reason=reason) as outcome:
        changed = False
        said = tuning.sentence(replay)
        while said and not changed and replay.state in _OPEN:
            values = tuning.values(replay, now)
            changed = _saved(replay, values)
            replay.refresh_from_db()
        sentence = f"Replay {replay_id}: {said}" if changed else f"Replay {replay_id} is as it was."
        outcome.count, outcome.sentence = int(changed), sentence
    return ReplayResult(replay, sentence, changed)


def pause_replay(replay_id: int, *, actor: str, reason: str = "") -> ReplayResult:
    """Nothing more is released; what is in flight ends.

    Raises Replay.DoesNotExist, AuditUnavailable or DatabaseError when the database is away, and RedisError; so do the
    others.
    """
    return _to(replay_id, "pause", Replay.State.PAUSED, (Replay.State.RUNNING,), "paused", actor, reason)


def resume_replay(replay_id: int, *, actor: str, reason: str = "") -> ReplayResult:
    """Go on where it was paused or stopped itself; what it stopped for counts no more."""
    return _to(
        replay_id,
        "resume",
        Replay.State.RUNNING,
        (Replay.State.PAUSED, Replay.State.STOPPED),
        "goes on",
        actor,
        reason,
    )


def cancel_replay(replay_id: int, *, actor: str, reason: str = "") -> ReplayResult:
    """Nothing more is released, ever; what waits stays where it is, what it queued and nobody began goes back to the
    dead letters, and what runs ends."""
    return _to(replay_id, "cancel", Replay.State.CANCELED, _OPEN, "canceled", actor, reason)


def _to(
    replay_id: int,
    verb: str,
    state: Replay.State,
    allowed: tuple[Replay.State, ...],
    done: str,
    actor: str,
    reason: str,
) -> ReplayResult:
    replay = Replay.objects.get(pk=replay_id)
    if replay.state not in allowed:
        return ReplayResult(replay, f"Replay {replay_id} is {replay.state}; nothing was changed.", changed=False)
    now = server_time(connection())
    with audited(actor=actor, action=f"{verb}_replay", target=str(replay), reason=reason) as outcome:
        changed = False
        while not changed and replay.state in allowed:
            changed = _changed(replay, state, now)
            replay.refresh_from_db()
        sentence = f"Replay {replay_id} {done}." if changed else f"Replay {replay_id} is {replay.state}."
        if changed and state != Replay.State.RUNNING:
            flying = f" {replay.in_flight:,} in flight end;" if replay.in_flight else ""
            if flying and state == Replay.State.CANCELED:
                flying = f" Of {replay.in_flight:,} in flight those that run end, the others go back;"
            sentence = f"Replay {replay_id} {done}.{flying} {waiting(replay):,} stay where they are."
        outcome.count, outcome.sentence = int(changed), sentence
    return ReplayResult(replay, sentence, changed)


def _changed(replay: Replay, state: Replay.State, now: datetime) -> bool:
    """Whether the row was still as it was read."""
    values: dict[str, Any] = {"state": state, "settled": False}
    if state == Replay.State.CANCELED:
        values["ended_at"] = now
    if state == Replay.State.RUNNING:
        # Whoever lets it go on has seen what it stopped for.
        values |= {"ended_at": None, "why": "", "recent": "", "step_began_at": now}
        values["errors"] = {group: {**error, "accepted": True} for group, error in replay.errors.items()}
    return _saved(replay, values)


def _saved(replay: Replay, values: dict[str, Any]) -> bool:
    values = {**values, "version": F("version") + 1}
    return bool(Replay.objects.filter(pk=replay.pk, version=replay.version).update(**values))
