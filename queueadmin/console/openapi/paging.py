"""What every list takes beside its filter."""

from typing import Any

from queueadmin.console import job_lists
from queueadmin.console.api import lists
from queueadmin.console.openapi.parts import parameter


def paging(things: str) -> list[dict[str, Any]]:
    """Where a page begins, and how many of these it has."""
    numbers = {"type": "integer", "minimum": 1, "maximum": job_lists.MAX_LIMIT, "default": lists.LIMIT}
    return [
        parameter("cursor", "query", "The page before's `next`.", {"type": "string"}),
        parameter("limit", "query", f"{things} of the page.", numbers),
    ]
