"""What lists take, and the shape of their answers."""

from typing import Any, Final

from queueadmin.console import job_lists
from queueadmin.console.api import lists
from queueadmin.console.openapi.parts import Schema, members, nullable, parameter, ref, text

#: Of a page: where the one after it begins.
NEXT: Final = nullable(text("The next page's cursor; null: this is the last."))


def limit(things: str) -> dict[str, Any]:
    """How many of these the answer has."""
    numbers = {"type": "integer", "minimum": 1, "maximum": job_lists.MAX_LIMIT, "default": lists.LIMIT}
    return parameter("limit", "query", things, numbers)


def paging(things: str) -> list[dict[str, Any]]:
    """Where a page begins, and how many of these it has."""
    return [
        parameter("cursor", "query", "The page before's `next`.", {"type": "string"}),
        limit(f"{things} of the page."),
    ]


def items(name: str) -> Schema:
    """A list of this component."""
    return {"type": "array", "items": ref(name)}


def page_of(name: str) -> Schema:
    """The answer of a list that comes in pages."""
    return members({"items": items(name), "next": NEXT})


def all_of(name: str, **more: Schema) -> Schema:
    """The answer of a list that comes whole."""
    return members({"items": items(name), **more})
