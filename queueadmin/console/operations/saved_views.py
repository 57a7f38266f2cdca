"""Views of the dead letters: saved, replaced by a newer one of the same name, deleted. On the record when for all."""

from contextlib import nullcontext
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from queueadmin.console.audit import audited
from queueadmin.console.failures.counting import ALL, SPANS
from queueadmin.console.failures.triage import SORTS
from queueadmin.console.filters import Filter
from queueadmin.console.models import SavedView
from queueadmin.console.saved_views import MOST, NAME


class CannotSave(ValueError):
    """The name, or how many there are, is out of bounds; nothing was saved."""


@dataclass(frozen=True, slots=True)
class ViewResult:
    view: SavedView
    sentence: str


def save_view(
    name: str, chosen: Filter, *, span: str = "", sort: str = "", shared: bool = False, actor: str
) -> ViewResult:
    """Keep this view under its name, in place of the actor's own one of that name.

    `span`, `sort`: of failures.triage, or "". Raises CannotSave, and AuditUnavailable and DatabaseError when the
    database is away.
    """
    name = " ".join(name.split())
    if not name or len(name) > NAME or "\0" in name:
        raise CannotSave(f"A view needs a name of at most {NAME} characters.")
    if span not in ("", ALL, *SPANS) or sort not in ("", *SORTS):
        raise CannotSave("A view's time and order must be ones that the page has.")
    with transaction.atomic():
        own = SavedView.objects.select_for_update().filter(owner=actor[:200])
        before = own.filter(name=name).first()
        if before is None and own.count() >= MOST:
            raise CannotSave(f"There are {MOST} views of yours; delete one first.")
        told = shared or (before is not None and before.shared)
        with audited(actor=actor, action="save_view", target=name, count=1) if told else nullcontext() as outcome:
            said = {"filter": str(chosen), "span": span, "sort": sort, "shared": shared, "created_at": timezone.now()}
            # Pressed twice at once both see none of the name.
            view, _ = SavedView.objects.update_or_create(owner=actor[:200], name=name, defaults=said)
            sentence = f"The view “{name}” is saved{' for all' if shared else ''}."
            if outcome is not None:
                outcome.count, outcome.sentence = 1, sentence
    return ViewResult(view, sentence)


def delete_view(view: SavedView, *, actor: str) -> ViewResult:
    """Raises AuditUnavailable and DatabaseError when the database is away."""
    told = audited(actor=actor, action="delete_view", target=view.name, count=1) if view.shared else nullcontext()
    sentence = f"The view “{view.name}” is deleted."
    with told as outcome:
        SavedView.objects.filter(pk=view.pk).delete()
        if outcome is not None:
            outcome.count, outcome.sentence = 1, sentence
    return ViewResult(view, sentence)
