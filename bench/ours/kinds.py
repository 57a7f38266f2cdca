"""Kinds for measuring: the queue alone, without a row. Known only to the bench's own worker."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ingest import jobs
from ingest.kinds import Kind, faults, register
from ingest.kinds.alerts import validate
from ingest.kinds.kind import BatchHandler
from ingest.queue.connections import connection
from ingest.queue.payload import Payload


def _nothing(payloads: Sequence[Payload]) -> None:
    pass


def _stamp(payloads: Sequence[Payload]) -> None:
    connection().rpush("bench:started", *(repr(time.time()) for _ in payloads))


def _sleep(payloads: Sequence[Payload]) -> None:
    _stamp(payloads)
    time.sleep(600)


OURS: Final = {
    name: Kind(name=name, validate=validate, handler=handler, timeout=700)
    for name, handler in (("nothing", _nothing), ("stamp", _stamp), ("sleep", _sleep))
}


def _without_rows(kind: Kind, events: Sequence[tuple[Payload, int]]) -> Mapping[str, Any]:
    """As `jobs.process`, but for the database."""
    for payload, attempts in events:
        faults.apply(payload, attempts)
    return cast(BatchHandler, kind.handler)([payload for payload, _ in events]) or {}


def register_all() -> None:
    """Make them known to this process, and let it store nothing."""
    for kind in OURS.values():
        register(kind)
    assert callable(jobs.process), "events are run elsewhere now: teach the bench"
    jobs.process = _without_rows
