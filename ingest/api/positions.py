"""Where a job that was taken in just now stands: for endpoints whose answer says so."""

from collections.abc import Sequence
from typing import Any, Final

from ingest.accept import Receipt
from ingest.api.asking import Away, ask, ask_async
from ingest.api.intake import Endpoint
from ingest.queue import keys

#: A place is looked for in so many ids from the end; a job that is farther from it is an old copy's.
CAP: Final = 10_000

#: As a job tells it: 1 is next; None: it does not wait, or nobody knows now.
Position = int | str | None


def position(endpoint: Endpoint, receipts: Sequence[Receipt]) -> Position:
    """Never raises: the event is stored, whatever becomes of this question."""
    if not _is_asked(endpoint, receipts):
        return None
    try:
        return _told(ask(lambda client: _question(client.pipeline(transaction=True), receipts[0]).execute()))
    except Away:
        return None


async def position_async(endpoint: Endpoint, receipts: Sequence[Receipt]) -> Position:
    """The same on an event loop."""
    if not _is_asked(endpoint, receipts):
        return None
    try:
        return _told(
            await ask_async(lambda client: _question(client.pipeline(transaction=True), receipts[0]).execute())
        )
    except Away:
        return None


def _is_asked(endpoint: Endpoint, receipts: Sequence[Receipt]) -> bool:
    return bool(endpoint.kind and receipts and receipts[0].stored and receipts[0].state == "queued")


def _question(pipe: Any, receipt: Receipt) -> Any:
    """It was put at the end of its line, so it is looked for from there."""
    queue, kind = receipt.event.severity.mapped, receipt.event.kind
    line = keys.parked_jobs(queue, keys.lane(kind.type)) if kind.own_workers else keys.queue(queue)
    pipe.lpos(line, receipt.id, rank=-1, maxlen=CAP)
    pipe.llen(line)
    pipe.scard(keys.tombstones(queue))
    pipe.zrank(keys.behind(queue), receipt.id)
    return pipe


def _told(answers: Sequence[Any]) -> Position:
    index, length, gone, behind = answers
    if behind is not None:
        index = length + behind
    if index is None:
        return f">{CAP}" if length > CAP else None
    # What was taken out of the queue stands in it until it is passed; all of it before what came last.
    place = max(int(index) - int(gone), 0) + 1
    return place if place <= CAP else f">{CAP}"
