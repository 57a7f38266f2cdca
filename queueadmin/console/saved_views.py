"""Views of the dead letters that people saved: a name for what an address says, one's own or for all."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from queueadmin.console.failures.triage import SORTS
from queueadmin.console.models import SavedView

#: Views that one may have, and characters of a name.
MOST: Final = 50
NAME: Final = 80


def seen_by(owner: str) -> Sequence[SavedView]:
    """One's own first, then those of all, by name. Raises DatabaseError."""
    rows = SavedView.objects.filter(Q(owner=owner) | Q(shared=True))
    return sorted(rows, key=lambda view: (view.owner != owner, view.name.casefold(), view.pk))


def shared(name: str) -> SavedView | None:
    """The oldest view of this name that is for all. Raises DatabaseError."""
    return SavedView.objects.filter(shared=True, name=name).order_by("pk").first() if "\0" not in name else None


def address(view: SavedView) -> str:
    sort = view.sort if view.sort != SORTS[0] else ""  # as the page writes its own address
    said = {"filter": view.filter, "span": view.span, "sort": sort}
    query = urlencode({name: value for name, value in said.items() if value})
    return f"{reverse('console:dead_letters')}?{query}"


def shown(view: SavedView) -> dict[str, Any]:
    """One for the API."""
    return {
        "id": view.pk,
        "name": view.name,
        "filter": view.filter,
        "span": view.span or None,
        "sort": view.sort or None,
        "shared": view.shared,
        "owner": view.owner,
        "created_at": view.created_at,
        "links": {"page": address(view)},
    }
