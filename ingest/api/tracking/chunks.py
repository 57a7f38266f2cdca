"""From a body to events: each point is checked by itself, and the good ones go in chunks, a job each."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from ingest.accept import Incoming
from ingest.api import limits
from ingest.api.keys import Sender
from ingest.api.problems import Problem
from ingest.api.schema import Rejected, rejection
from ingest.api.tracking.formats import Body, points_in
from ingest.api.tracking.given import Given
from ingest.kinds import STREAM_POINTS
from ingest.kinds.errors import Invalid
from ingest.kinds.points import CHUNK, read_point
from ingest.priorities import PRIORITIES, Priority, Severity

#: Streams and their priorities, as the source has them.
_STREAMS: Final = {
    "live": Priority.HIGH,
    "upload": Priority.MEDIUM,
    "scoring": Priority.MEDIUM,
    "flymaster": Priority.LOW,
}


def read_points(stream: str, body: Body, sender: Sender) -> tuple[Incoming | Rejected, ...]:
    """The body's points as chunks, and each refused point. Raises ProblemError when the body cannot be read at all."""
    source = sender.source or stream
    good: list[bytes] = []
    refused: list[Rejected] = []
    now = datetime.now(UTC).timestamp()
    for place, each in enumerate(points_in(body)):
        if isinstance(each, Problem):
            problem = each
        elif wrong := _wrong(each, now):
            problem = wrong
        else:
            good.append(each.raw)
            continue
        problem.extra["index"] = place
        refused.append(Rejected(None, problem, source))
    priority = _STREAMS[stream]
    if sender.max_priority is not None:
        # The later of the two in the order in which queues are drained.
        priority = max(priority, sender.max_priority, key=PRIORITIES.index)
    severity = Severity(raw=None, mapped=priority, by="default")
    chunks = (
        Incoming(
            kind=STREAM_POINTS[stream],
            body=b'{"stream":"%s","points":[%s]}' % (stream.encode(), b",".join(chunk)),
            source=source,
            tenant=sender.tenant or "",
            event_id=None,
            severity=severity,
            points=len(chunk),
        )
        for chunk in _chunks(good)
    )
    return (*chunks, *refused)


def _wrong(each: Given, now: float) -> Problem | None:
    try:
        read_point(each.point, now)
    except Invalid as invalid:
        return rejection(invalid)
    return None


def _chunks(points: Sequence[bytes]) -> Iterator[list[bytes]]:
    """As many in each as a job may have, by number and by bytes."""
    chunk: list[bytes] = []
    size = 0
    for point in points:
        if chunk and (len(chunk) == CHUNK or size + len(point) > limits.ITEM_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(point)
        size += len(point) + 1
    if chunk:
        yield chunk
