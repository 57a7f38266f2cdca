"""What people say of a group of failures: its status, a note, whose it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth import get_user_model
from django.utils import timezone

from ingest import database
from queueadmin.console.audit import audited
from queueadmin.console.models import Failure, FailureGroup

#: Characters of a note.
NOTE: Final = 2000

_Status = FailureGroup.Status


class NoSuchUser(ValueError):
    """Nobody who may sign in has this name. Nothing was changed."""


class NoteChanged(ValueError):
    """Somebody else wrote another note since its writer looked. Nothing was changed."""

    def __init__(self, note: str) -> None:
        super().__init__(f"Somebody changed the note meanwhile, so yours was not kept: {note or 'none'}")


@dataclass(frozen=True, slots=True)
class GroupResult:
    #: As it is now. None: there is no such group.
    group: FailureGroup | None
    #: Whether this changed it.
    changed: bool
    #: What is true of it now.
    said: str = ""

    @property
    def sentence(self) -> str:
        if self.group is None:
            return "There is no such group of failures; nothing was changed."
        name = self.group.error_type.rpartition(".")[2] or "The group"
        return f"{name} {self.said}." if self.changed else f"{name} {self.said}; nothing was changed."


def acknowledge_group(fingerprint: str, *, actor: str, reason: str = "") -> GroupResult:
    """Somebody sees to it. Raises AuditUnavailable when the database is away; so do the others."""
    return _to(fingerprint, _Status.ACKNOWLEDGED, "acknowledge_group", actor, reason)


def resolve_group(fingerprint: str, *, actor: str, reason: str = "") -> GroupResult:
    """It is over; what fails after this moment makes it regressed."""
    return _to(fingerprint, _Status.RESOLVED, "resolve_group", actor, reason)


def reopen_group(fingerprint: str, *, actor: str, reason: str = "") -> GroupResult:
    return _to(fingerprint, _Status.OPEN, "reopen_group", actor, reason)


def note_group(fingerprint: str, note: str, was: str | None = None, *, actor: str, reason: str = "") -> GroupResult:
    """Keep this note with the group, in place of the one before.

    `was`: the note that its writer saw, else whatever it was. Raises ValueError for one of more than NOTE, and
    NoteChanged.
    """
    if len(note) > NOTE:
        raise ValueError(f"A note has at most {NOTE:,} characters, not {len(note):,}.")
    note = note.replace("\0", "\ufffd").strip()

    def change(group: FailureGroup) -> str:
        if was is not None and _lines(was) != _lines(group.note):
            raise NoteChanged(note)
        group.note = note
        return "has a new note" if note else "has no note any more"

    return _change(fingerprint, "note_group", change, actor, reason, lambda group: group.note == note)


def assign_group(fingerprint: str, assignee: str, *, actor: str, reason: str = "") -> GroupResult:
    """Say whose it is, a user's name; "" takes it from everybody. Raises NoSuchUser."""
    users = get_user_model().objects.filter(username=assignee, is_active=True)
    if assignee and ("\0" in assignee or not users.exists()):
        raise NoSuchUser(f"There is no user {assignee[:150]}; nothing was changed.")

    def change(group: FailureGroup) -> str:
        group.assignee = assignee
        return f"is {assignee}'s" if assignee else "is nobody's"

    return _change(fingerprint, "assign_group", change, actor, reason, lambda group: group.assignee == assignee)


def _lines(text: str) -> list[str]:
    """A form posts other ends of lines than the page showed."""
    return text.strip().splitlines()


def _to(fingerprint: str, status: FailureGroup.Status, action: str, actor: str, reason: str) -> GroupResult:
    def change(group: FailureGroup) -> str:
        now = timezone.now()
        group.status, group.status_by, group.status_at = status, actor[:200], now
        group.resolved_at = now if status == _Status.RESOLVED else None
        if group.resolved_at and _has_failed_since(group, group.resolved_at):
            group.status = _Status.REGRESSED
        return f"is {group.status}"

    return _change(fingerprint, action, change, actor, reason, lambda group: group.status == status)


def _has_failed_since(group: FailureGroup, moment: datetime) -> bool:
    """Whoever indexed such a failure a moment ago saw the group as it was before."""
    return Failure.objects.filter(fingerprint=group.pk, failed_at__gt=moment).exists()


def _change(
    fingerprint: str,
    action: str,
    change: Callable[[FailureGroup], str],
    actor: str,
    reason: str,
    is_so: Callable[[FailureGroup], bool],
) -> GroupResult:
    """Change what people say of a group; what the index counts of it meanwhile stays."""

    def save() -> GroupResult:
        group = FailureGroup.objects.select_for_update().filter(pk=fingerprint).first()
        if group is None:
            return GroupResult(None, changed=False)
        was = is_so(group)
        if was:
            return GroupResult(group, changed=False, said=_SO[action])
        said = change(group)
        group.save(update_fields=["status", "status_by", "status_at", "resolved_at", "note", "assignee"])
        return GroupResult(group, changed=True, said=said)

    with audited(actor=actor, action=action, target=f"group {fingerprint}"[:500], count=1, reason=reason) as outcome:
        result = database.in_transaction(save)
        outcome.count, outcome.sentence = int(result.changed), result.sentence
    return result


_SO: Final = {
    "acknowledge_group": "was acknowledged already",
    "resolve_group": "was resolved already",
    "reopen_group": "was open already",
    "note_group": "had this note already",
    "assign_group": "was given so already",
}
