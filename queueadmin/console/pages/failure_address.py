"""What the address of the page of dead letters says, and the addresses that lead on from there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.urls import reverse

from queueadmin.console.failures import triage
from queueadmin.console.failures.triage import Bar
from queueadmin.console.filters import Filter, parse
from queueadmin.console.filters.terms import Field, Time
from queueadmin.console.filters.times import moment
from queueadmin.console.request import Request


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says."""

    chosen: Filter
    group: str
    span: str
    cursor: str
    #: Whether all groups are listed.
    is_whole: bool = False
    #: What the causes are ordered by, one of triage.SORTS.
    sort: str = triage.SORTS[0]

    @property
    def base(self) -> str:
        return reverse("console:failure_group", args=[self.group]) if self.group else reverse("console:dead_letters")

    def to(self, chosen: Filter | None = None, /, *, group: str | None = None, **more: str) -> str:
        """The address of the same with this instead."""
        group = self.group if group is None else group
        base = reverse("console:failure_group", args=[group]) if group else reverse("console:dead_letters")
        sort = self.sort if self.sort != triage.SORTS[0] else ""
        groups = "all" if self.is_whole else ""
        chosen = self.chosen if chosen is None else chosen
        said = {"filter": str(chosen), "span": self.span, "sort": sort, "groups": groups} | more
        query = urlencode({name: value for name, value in said.items() if value})
        return f"{base}?{query}" if query else base


def extended(request: Request, asked: Asked, queue: str) -> Filter | None:
    """The filter with what the page's own fields add to it; None: they add nothing. Raises FilterError."""
    more, terms = request.GET.get("more", "").strip(), list(asked.chosen.terms)
    if queue:
        terms.append(Field("queue", (queue,)))
    if "from" in request.GET or "to" in request.GET:
        terms = [term for term in terms if not isinstance(term, Time)]
        for key, name in (("since", "from"), ("until", "to")):
            if given := request.GET.get(name, "").strip():
                terms += parse(f"{key}:{_written(given)}").terms
    if more:
        terms += parse(more).terms
    found = Filter(tuple(terms))
    return None if found == asked.chosen else parse(str(found))


def _written(given: str) -> str:
    """What a field for a time holds, as filters write it: without a zone it is UTC."""
    if not given[:1].isdigit() or "T" not in given.upper() or moment(given):
        return given
    for form in ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
        try:
            return f"{datetime.strptime(given, form):%Y-%m-%dT%H:%M:%S}Z"  # noqa: DTZ007 - UTC, said so on the page
        except ValueError:
            continue
    return given


def window(bar: Bar) -> dict[str, str]:
    return {"from": field(bar.start), "to": "" if bar.ahead else field(bar.end)}


def field(at: datetime | None) -> str:
    """As a field for a time holds it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" if at else ""
