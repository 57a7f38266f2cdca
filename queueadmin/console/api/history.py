"""What the counts were and how long jobs took, for charts of one's own; and marks on those charts."""

import time
from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.queue.connections import connection
from queueadmin.console import operations
from queueadmin.console.access.permissions import ADD_MARKS
from queueadmin.console.api.base import ConsoleView, invalid_field, known_queue, member
from queueadmin.console.figures import history, latencies, marks

#: A window's letter → seconds.
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Seconds that a mark may be ahead of the clock here.
_AHEAD: Final = 60


class HistoryView(ConsoleView):
    def get(self, request: Request) -> Response:
        seconds = _seconds(request.query_params.get("window", "15m"))
        wanted = request.query_params.get("rows", "1")
        if wanted not in {"0", "1"}:
            raise invalid_field("rows", "rows must be 1, or 0 for the marks alone.")
        client = connection()
        now = time.time()
        step, rows = history.window(client, seconds, now=now) if wanted == "1" else (history.STEP, [])
        found = marks.since(client, now - seconds) + marks.of_people(now - seconds)
        return Response(
            {
                "window": seconds,
                "step": step,
                "columns": history.columns(),
                "rows": rows,
                "marks": sorted(found, key=lambda mark: mark["at"]),
            }
        )


class LatenciesView(ConsoleView):
    def get(self, request: Request) -> Response:
        seconds, queue = _seconds(request.query_params.get("window", "15m")), request.query_params.get("queue")
        step, rows = latencies.window(connection(), seconds, queue if queue is None else known_queue(queue))
        return Response(
            {"window": seconds, "step": step, "queue": queue, "columns": list(latencies.COLUMNS), "rows": rows}
        )


class MarksView(ConsoleView):
    """A deploy, or whatever else explains a bend."""

    writing = ADD_MARKS

    def post(self, request: Request) -> Response:
        text, at = member(request, "text"), member(request, "at")
        if not isinstance(text, str) or not text.strip() or len(text) > marks.LENGTH or "\x00" in text:
            raise invalid_field("text", f"text must be 1 to {marks.LENGTH} characters.")
        now = time.time()
        if at is None:
            at = now
        elif isinstance(at, bool) or not isinstance(at, int | float) or not now - history.LONGEST < at < now + _AHEAD:
            raise invalid_field("at", "at must be a Unix time of the last 30 days.")
        mark = operations.add_mark(text.strip(), at=float(at), actor=self.caller.actor)
        return Response({"at": mark.at, "text": mark.text, "what": mark.what})


def _seconds(given: str) -> int:
    """`15m`, `24h`, `30d`, or seconds. Raises ProblemError 422."""
    number, unit = (given[:-1], given[-1:]) if given[-1:] in _UNITS else (given, "s")
    seconds = int(number) * _UNITS[unit] if number.isascii() and number.isdecimal() and len(number) < 9 else 0
    if not 10 <= seconds <= history.LONGEST:
        raise invalid_field("window", "window must be 10s to 30d, such as 15m, 24h or 900.")
    return seconds
