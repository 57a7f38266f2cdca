"""Many jobs in one answer: those of a filter, page by page, or those whose ids are given."""

from collections.abc import Callable
from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from queueadmin.console import job_lists, queries
from queueadmin.console.api.base import ConsoleView, invalid_field
from queueadmin.console.filters import Filter, FilterError, parse

#: Ids of one question.
MOST: Final = 500
#: Characters of an id that can be one.
ID_LENGTH: Final = 64
#: Jobs of a page, unless it is said.
LIMIT: Final = 50


class JobsView(ConsoleView):
    minds_tenant = True

    def get(self, request: Request) -> Response:
        asked = request.query_params
        if "ids" not in asked:
            return self._page(asked.get("filter", ""), asked.get("cursor", ""), asked.get("limit"))
        if not asked.keys().isdisjoint(("filter", "cursor", "limit")):
            raise invalid_field("ids", "ids stands alone: the jobs that it names are answered, without a filter.")
        return self._named(asked["ids"])

    def _page(self, text: str, cursor: str, limit: str | None) -> Response:
        chosen, number = filter_of(parse, text), limit_of(limit)
        found = job_lists.page(chosen, cursor=cursor, limit=number, tenant=self.caller.tenant)
        return Response(
            {"items": found.items, "next": found.next, "scanned": found.scanned, "complete": found.complete}
        )

    def _named(self, given: str) -> Response:
        ids = list(dict.fromkeys(each.strip() for each in given.split(",") if each.strip()))
        if not 1 <= len(ids) <= MOST:
            raise invalid_field("ids", f"ids must be 1 to {MOST} ids, not {len(ids):,}.")
        if any(len(job_id) > ID_LENGTH for job_id in ids):
            raise invalid_field("ids", f"An id has at most {ID_LENGTH} characters.")
        found = {job_id: job for job_id, job in queries.several(ids).items() if self._shows(job["tenant"])}
        return Response(
            {
                "items": [found[job_id] for job_id in ids if job_id in found],
                "missing": [job_id for job_id in ids if job_id not in found],
                "next": None,
            }
        )

    def _shows(self, tenant: str | None) -> bool:
        """Whether it exists for the caller."""
        return not self.caller.tenant or tenant == self.caller.tenant


def filter_of(read: Callable[[str], Filter], text: str) -> Filter:
    """The filter that the query says. Raises ProblemError 422."""
    try:
        return read(text)
    except FilterError as error:
        detail = f"{str(error)[0].upper()}{str(error)[1:]}" if not error.term else str(error)
        raise ProblemError(
            Problem(422, "invalid_filter", "Invalid filter", detail, field="filter", term=error.term[:200])
        ) from error


def limit_of(given: str | None) -> int:
    """How many the query asks for. Raises ProblemError 422."""
    if given is None:
        return LIMIT
    number = int(given) if given.isascii() and given.isdecimal() and len(given) <= 6 else 0
    if not 1 <= number <= job_lists.MAX_LIMIT:
        raise invalid_field("limit", f"limit must be a whole number from 1 to {job_lists.MAX_LIMIT}.")
    return number
