"""Schedules made, changed, paused, fired and ended by a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from ingest import schedules
from ingest.accept import Receipt
from ingest.credentials import COVER
from ingest.kinds import KINDS
from ingest.models import Schedule
from queueadmin.console.audit import audited


@dataclass(frozen=True, slots=True)
class ScheduleResult:
    #: As it is now; as it was, when it is deleted.
    schedule: Schedule
    #: Whether this changed it.
    changed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class RunResult:
    schedule: Schedule
    receipt: Receipt

    @property
    def sentence(self) -> str:
        return f"“{self.schedule.name}” sent its event: job {self.receipt.id}."


def create_schedule(*, actor: str, reason: str = "", **fields: Any) -> ScheduleResult:
    """A new one, of the fields that `ingest.schedules.create` takes.

    Raises ValidationError, AuditUnavailable when the database is away. So do the others, and Schedule.DoesNotExist.
    """
    name = str(fields.get("name", ""))
    with audited(actor=actor, action="create_schedule", target=_target(name), count=1, reason=reason) as outcome:
        _check(fields.get("kind", ""), fields)
        made = schedules.create(**fields)
        outcome.count, outcome.sentence = 1, f"“{name}” sends {_an(made.kind)}: {made.times.words}."
    return ScheduleResult(made, True, outcome.sentence)


def update_schedule(name: str, changes: Mapping[str, Any], *, actor: str, reason: str = "") -> ScheduleResult:
    """Change these fields of it (`ingest.schedules.CHANGEABLE`); the others stay."""
    with audited(actor=actor, action="update_schedule", target=_target(name), count=1, reason=reason) as outcome:
        before = Schedule.objects.get(name=name)
        _check(changes.get("kind", before.kind), changes)
        changed = schedules.update(name, **changes)
        said = f"{', '.join(sorted(changes))} changed" if changes else "nothing was changed"
        outcome.count, outcome.sentence = int(bool(changes)), f"“{changed.name}”: {said}."
    return ScheduleResult(changed, bool(changes), outcome.sentence)


def pause_schedule(name: str, *, actor: str, reason: str = "") -> ScheduleResult:
    """It fires no more until it is resumed."""
    return _enable(name, False, actor, reason)


def resume_schedule(name: str, *, actor: str, reason: str = "") -> ScheduleResult:
    """It fires again from its next due time on."""
    return _enable(name, True, actor, reason)


def delete_schedule(name: str, *, actor: str, reason: str = "") -> ScheduleResult:
    """There is no way back; what it sent stays."""
    with audited(actor=actor, action="delete_schedule", target=_target(name), count=1, reason=reason) as outcome:
        before = Schedule.objects.get(name=name)
        deleted = schedules.delete(name)
        sentence = f"“{name}” is deleted; what it sent stays." if deleted else f"“{name}” was deleted already."
        outcome.count, outcome.sentence = int(deleted), sentence
    return ScheduleResult(before, deleted, sentence)


def run_schedule(name: str, *, actor: str, reason: str = "") -> RunResult:
    """Send its event now, whether it is paused or not. Raises ingest.accept.Unavailable when nothing was stored."""
    with audited(actor=actor, action="run_schedule", target=_target(name), count=1, reason=reason) as outcome:
        result = RunResult(Schedule.objects.get(name=name), schedules.run_now(name))
        outcome.count, outcome.sentence = 1, result.sentence
    return result


def _enable(name: str, on: bool, actor: str, reason: str) -> ScheduleResult:
    action, state = ("resume_schedule", "on") if on else ("pause_schedule", "paused")
    with audited(actor=actor, action=action, target=_target(name), count=1, reason=reason) as outcome:
        schedule = Schedule.objects.get(name=name)
        changed = schedule.enabled != on
        if changed:
            schedule = schedules.update(name, enabled=on)
        sentence = f"“{name}” is {state}." if changed else f"“{name}” was {state} already."
        outcome.count, outcome.sentence = int(changed), sentence
    return ScheduleResult(schedule, changed, sentence)


def _check(kind: Any, fields: Mapping[str, Any]) -> None:
    """What people may not say, though code in the same project may."""
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is not None and known.internal:
        raise ValidationError({"kind": f"{kind} is for code in the same project only."})
    given = fields.get("body")
    if COVER in (given if isinstance(given, str) else str(given)):
        # What was shown to them is masked: saving it would lose the credential.
        raise ValidationError({"body": f"The body holds {COVER}, which stands for a credential: give it, or no body."})


def _target(name: str) -> str:
    return f"schedule {name}"


def _an(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
